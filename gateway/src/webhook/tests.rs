mod connections;

use std::fs;

use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;

/// What a step of a test may take on a busy machine; none that passes waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
const NAME: &str = "hook.test";

/// A self-signed certificate.
struct Certificate {
    der: CertificateDer<'static>,
    pem: String,
    key: String,
}

fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    Certificate {
        der: made.cert.der().clone(),
        pem: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
    }
}

/// A server that repeats what it is sent, with a client's view of it.
struct Bench {
    webhook: Webhook,
    certificate: Certificate,
}

impl Bench {
    fn new(limits: Limits, respond: Respond) -> Self {
        let identity = Arc::new(Identity::default());
        let certificate = certificate();
        identity.set(certificate.pem.as_bytes(), certificate.key.as_bytes()).unwrap();
        let webhook = start_within(limits, bind("127.0.0.1:0").unwrap(), identity, respond);
        Self { webhook: webhook.unwrap(), certificate }
    }

    fn echo() -> Self {
        Self::new(Limits::default(), echo())
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        connect(self.webhook.address(), &self.certificate, &[b"http/1.1"], &[&TLS13]).await.unwrap()
    }
}

fn echo() -> Respond {
    Arc::new(|body| Box::pin(async move { Reply { status: 200, body } }))
}

async fn connect(
    address: SocketAddr,
    certificate: &Certificate,
    protocols: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

async fn within<T>(step: impl Future<Output = T>) -> T {
    time(step).await.expect("in time")
}

async fn time<T>(step: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, step).await.ok()
}

/// Status, head in lower case, and body.
type Answer = (u16, String, Vec<u8>);

async fn read_answer(stream: &mut TlsStream<TcpStream>) -> io::Result<Answer> {
    within(async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await?;
        Ok((status, head, body))
    })
    .await
}

async fn post(stream: &mut TlsStream<TcpStream>, body: &[u8]) -> io::Result<Answer> {
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    within(stream.write_all(head.as_bytes())).await?;
    within(stream.write_all(body)).await?;
    within(stream.flush()).await?;
    read_answer(stream).await
}

/// Waits until the server ends a connection, whatever it sends before.
async fn ended(stream: &mut TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn any_path_and_method_is_answered() {
    let bench = Bench::echo();
    let mut stream = bench.connect().await;
    for target in ["POST /networking/v1/ingresses?timeout=10s", "PUT /", "GET /x", "DELETE *"] {
        let request = format!("{target} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}");
        within(stream.write_all(request.as_bytes())).await.unwrap();
        let (status, head, body) = read_answer(&mut stream).await.unwrap();
        assert_eq!((status, body.as_slice()), (200, &b"{}"[..]), "{target}");
        assert!(head.contains("content-type: application/json"), "{head}");
    }
}

#[tokio::test]
async fn a_body_is_limited_to_less_than_nine_mebibytes() {
    let bench = Bench::echo();
    let limit = 9 << 20;
    let body = vec![b' '; limit];
    let mut stream = bench.connect().await;
    let (status, _, answered) = post(&mut stream, &body[1..]).await.unwrap();
    assert_eq!((status, answered.len()), (200, limit - 1));
    let (status, head, _) = post(&mut stream, &body).await.unwrap();
    assert_eq!(status, 413);
    assert!(head.contains("connection: close"), "{head}");
    ended(&mut stream).await;
}

#[tokio::test]
async fn a_body_of_unknown_length_is_limited_too() {
    let limits = Limits { body_size: 10_000, small_body: 1000, ..Limits::default() };
    let bench = Bench::new(limits, echo());
    for (chunks, expected) in [(9, 200), (10, 413), (200, 413)] {
        let mut stream = bench.connect().await;
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        within(stream.write_all(head.as_bytes())).await.unwrap();
        for _ in 0..chunks {
            let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
            within(stream.write_all(chunk.as_bytes())).await.unwrap();
        }
        within(stream.write_all(b"0\r\n\r\n")).await.unwrap();
        let (status, _, _) = read_answer(&mut stream).await.unwrap();
        assert_eq!(status, expected, "{chunks} chunks");
    }
}

#[tokio::test]
async fn only_http_1_1_over_tls_1_2_and_later() {
    let bench = Bench::echo();
    let address = bench.webhook.address();
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        let offered: &[&[u8]] = &[b"h2", b"http/1.1"];
        let stream = connect(address, &bench.certificate, offered, &[version]).await.unwrap();
        let (_, connection) = stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(name));
        assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    assert!(connect(address, &bench.certificate, &[b"h2"], &[&TLS13]).await.is_err());
    assert!(connect(address, &bench.certificate, &[], &[&TLS13]).await.is_ok());
}

#[tokio::test]
async fn large_bodies_wait_for_each_other_and_small_ones_for_nobody() {
    let limits = Limits {
        small_body: 1000,
        large_bodies: 1,
        body: Duration::from_millis(300),
        ..Limits::default()
    };
    let answers = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&answers);
    let respond: Respond = Arc::new(move |body| {
        let waiting = Arc::clone(&waiting);
        Box::pin(async move {
            if body.len() > 1000 {
                waiting.acquire().await.unwrap().forget();
            }
            Reply { status: 200, body }
        })
    });
    let bench = Bench::new(limits, respond);
    let large = "x".repeat(5000);
    let request = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{large}");
    let mut first = bench.connect().await;
    within(first.write_all(request.as_bytes())).await.unwrap();
    // The second gets no leave as soon as the first has it; until then it is the first to wait for an answer.
    let mut second = bench.connect().await;
    within(second.write_all(request.as_bytes())).await.unwrap();
    let (status, head, _) = within(async {
        tokio::select! {
            answer = read_answer(&mut first) => answer,
            answer = read_answer(&mut second) => answer,
        }
    })
    .await
    .unwrap();
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 1"), "{head}");
    assert_eq!(post(&mut bench.connect().await, b"small").await.unwrap().0, 200);
    answers.add_permits(2);
    assert_eq!(post(&mut bench.connect().await, large.as_bytes()).await.unwrap().0, 200);
}

#[tokio::test]
async fn what_is_no_tls_bothers_nobody() {
    let bench = Bench::echo();
    let mut plain = TcpStream::connect(bench.webhook.address()).await.unwrap();
    plain.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = within(plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(post(&mut bench.connect().await, b"1").await.unwrap().0, 200);
}

/// A server on two files.
struct OnFiles {
    folder: TempDir,
    webhook: Webhook,
}

impl OnFiles {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["cert", "key"].map(|name| folder.path().join(name));
        let identity = Arc::new(Identity::of_files(certificate, key));
        let webhook = start(bind("127.0.0.1:0").unwrap(), identity, echo()).unwrap();
        Self { folder, webhook }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Whether handshakes are done with this certificate.
    async fn serves(&self, certificate: &Certificate) -> bool {
        connect(self.webhook.address(), certificate, &[], &[&TLS13]).await.is_ok()
    }
}

#[tokio::test]
async fn files_may_come_later_and_change() {
    let server = OnFiles::new();
    let (first, second) = (certificate(), certificate());
    assert!(!server.serves(&first).await);
    server.write("cert", &first.pem);
    assert!(!server.serves(&first).await);
    server.write("key", &first.key);
    assert!(server.serves(&first).await);
    assert!(!server.serves(&second).await);

    // While only one of them has changed, and while there is nonsense in it, the one before is served.
    server.write("cert", &second.pem);
    assert!(server.serves(&first).await);
    server.write("key", "nonsense");
    assert!(server.serves(&first).await);
    server.write("key", &second.key);
    assert!(server.serves(&second).await);
    fs::remove_file(server.folder.path().join("key")).unwrap();
    assert!(server.serves(&second).await);
}

#[tokio::test]
async fn files_may_be_links_that_are_turned() {
    let server = OnFiles::new();
    let (first, second) = (certificate(), certificate());
    let at = |name: &str| server.folder.path().join(name);
    for (folder, certificate) in [("one", &first), ("two", &second)] {
        fs::create_dir(at(folder)).unwrap();
        server.write(&format!("{folder}/cert"), &certificate.pem);
        server.write(&format!("{folder}/key"), &certificate.key);
    }
    // As the kubelet mounts a Secret.
    let turn = |folder: &str| {
        std::os::unix::fs::symlink(folder, at("new")).unwrap();
        fs::rename(at("new"), at("data")).unwrap();
    };
    turn("one");
    for name in ["cert", "key"] {
        std::os::unix::fs::symlink(format!("data/{name}"), at(name)).unwrap();
    }
    assert!(server.serves(&first).await);
    turn("two");
    assert!(server.serves(&second).await);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (first, second) = (certificate(), certificate());
    let identity = Identity::default();
    let set = |certificate: &str, key: &str| identity.set(certificate.as_bytes(), key.as_bytes());
    assert!(set(&first.pem, &second.key).unwrap_err().contains("does not belong"));
    assert!(set("", &first.key).unwrap_err().contains("no certificate"));
    assert!(set(&first.pem, "").unwrap_err().contains("private key"));
    assert_eq!(set(&first.pem, &first.key), Ok(()));
}

#[test]
fn addresses_with_and_without_a_host() {
    assert_eq!(bind("127.0.0.1:0").unwrap().local_addr().unwrap().ip().to_string(), "127.0.0.1");
    assert!(bind(":0").unwrap().local_addr().unwrap().ip().is_unspecified());
    for text in ["", "8443", ":port", "127.0.0.1"] {
        assert!(bind(text).is_err(), "{text}");
    }
    let taken = bind("127.0.0.1:0").unwrap();
    let again = bind(&taken.local_addr().unwrap().to_string());
    assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
}
