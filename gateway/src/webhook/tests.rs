use std::{fs, sync::mpsc, time::Instant};

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
async fn each_step_has_its_time() {
    let short = Duration::from_millis(100);
    let long = Duration::from_secs(3600);
    let limits =
        Limits { handshake: long, head: long, body: long, answer: long, ..Limits::default() };
    let never: Respond = Arc::new(|_| Box::pin(std::future::pending()));

    let bench = Bench::new(Limits { handshake: short, ..limits }, echo());
    let mut silent = TcpStream::connect(bench.webhook.address()).await.unwrap();
    assert_eq!(within(silent.read(&mut [0; 1])).await.unwrap_or(0), 0);

    let bench = Bench::new(Limits { head: short, ..limits }, echo());
    let mut stream = bench.connect().await;
    within(stream.write_all(b"POST / HTTP/1.1\r\n")).await.unwrap();
    ended(&mut stream).await;

    let bench = Bench::new(Limits { body: short, ..limits }, echo());
    let mut stream = bench.connect().await;
    let begun = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345";
    within(stream.write_all(begun)).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.unwrap().0, 408);
    ended(&mut stream).await;

    let bench = Bench::new(Limits { answer: short, ..limits }, never);
    let (status, head, _) = post(&mut bench.connect().await, b"{}").await.unwrap();
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 1"), "{head}");
}

#[tokio::test]
async fn whoever_does_not_read_the_answer_is_cut() {
    let answer_sent = Duration::from_millis(50);
    let bench = Bench::new(Limits { answer_sent, connections: 1, ..Limits::default() }, echo());
    let mut deaf = bench.connect().await;
    let body = vec![b'x'; (9 << 20) - 1];
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    within(deaf.write_all(head.as_bytes())).await.unwrap();
    within(deaf.write_all(&body)).await.unwrap();
    within(deaf.flush()).await.unwrap();
    let address = bench.webhook.address();
    let another = async {
        while connect(address, &bench.certificate, &[], &[&TLS13]).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(another).await;
    // It was not for being idle that it had to go.
    let mut answer = Vec::new();
    let _ = within(deaf.read_to_end(&mut answer)).await;
    assert!(answer.len() < body.len(), "{}", answer.len());
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
    assert!(Limits::default().idle >= Duration::from_secs(120));
    let long = Duration::from_secs(3600);
    let limits =
        Limits { idle: long, head: Duration::from_millis(50), body: long, ..Limits::default() };
    let bench = Bench::new(limits, echo());
    let (mut unused, mut used) = (bench.connect().await, bench.connect().await);
    assert_eq!(post(&mut used, b"1").await.unwrap().2, b"1");
    let mut slow = bench.connect().await;
    within(slow.write_all(b"POST / HTTP/1.1\r\n")).await.unwrap();
    ended(&mut slow).await;
    for stream in [&mut unused, &mut used] {
        assert_eq!(post(stream, b"2").await.unwrap().2, b"2");
    }
}

#[tokio::test]
async fn an_idle_connection_is_not_kept_for_ever() {
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let bench = Bench::new(limits, echo());
    ended(&mut bench.connect().await).await;
    let mut used = bench.connect().await;
    // It may come too late on a slow machine, and then finds what it is about.
    let _ = post(&mut used, b"1").await;
    ended(&mut used).await;
}

/// Answers with what it was asked as soon as it has leave. Says that it was asked.
fn on_leave() -> (Respond, Arc<Semaphore>, mpsc::Receiver<()>) {
    let leave = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&leave);
    let (asked, is_asked) = mpsc::channel();
    let respond: Respond = Arc::new(move |body| {
        let (asked, waiting) = (asked.clone(), Arc::clone(&waiting));
        Box::pin(async move {
            asked.send(()).unwrap();
            waiting.acquire().await.unwrap().forget();
            Reply { status: 200, body }
        })
    });
    (respond, leave, is_asked)
}

const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1";

#[tokio::test]
async fn one_connection_too_many_ends_the_one_that_is_idle_for_longest() {
    let bench = Bench::new(Limits { connections: 3, ..Limits::default() }, echo());
    let mut oldest = bench.connect().await;
    let mut idle = bench.connect().await;
    let mut younger = bench.connect().await;
    assert_eq!(post(&mut idle, b"1").await.unwrap().2, b"1");
    assert_eq!(post(&mut younger, b"2").await.unwrap().2, b"2");
    assert_eq!(post(&mut oldest, b"3").await.unwrap().2, b"3");
    let mut newest = bench.connect().await;
    ended(&mut idle).await;
    for stream in [&mut oldest, &mut younger, &mut newest] {
        assert_eq!(post(stream, b"4").await.unwrap().2, b"4");
    }
}

#[tokio::test]
async fn a_connection_whose_request_is_under_way_is_not_ended_for_another() {
    let (respond, leave, is_asked) = on_leave();
    let bench = Bench::new(Limits { connections: 3, ..Limits::default() }, respond);
    let mut in_head = bench.connect().await;
    within(in_head.write_all(&POST[..10])).await.unwrap();
    let mut in_body = bench.connect().await;
    let expecting =
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    within(in_body.write_all(expecting)).await.unwrap();
    // That it is told to go on shows that its head has been read, and that of the one before it begun.
    let mut goes_on = [0; 25];
    within(in_body.read_exact(&mut goes_on)).await.unwrap();
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut awaited = bench.connect().await;
    within(awaited.write_all(POST)).await.unwrap();
    let is_asked = within(tokio::task::spawn_blocking(move || is_asked.recv().map(|()| is_asked)));
    let _is_asked = is_asked.await.unwrap().unwrap();

    let address = bench.webhook.address();
    let refused = connect(address, &bench.certificate, &[b"http/1.1"], &[&TLS13]).await;
    assert!(refused.is_err());
    leave.add_permits(4);
    within(in_head.write_all(&POST[10..])).await.unwrap();
    within(in_body.write_all(b"1")).await.unwrap();
    for stream in [&mut in_head, &mut in_body, &mut awaited] {
        assert_eq!(read_answer(stream).await.unwrap().2, b"1");
    }
    // Now that they are idle, there is room.
    assert_eq!(post(&mut bench.connect().await, b"2").await.unwrap().2, b"2");
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
async fn it_ends_at_once() {
    let (asked, is_asked) = mpsc::channel();
    let respond: Respond = Arc::new(move |_| {
        asked.send(()).unwrap();
        Box::pin(std::future::pending())
    });
    let bench = Bench::new(Limits::default(), respond);
    let address = bench.webhook.address();
    let mut idle = bench.connect().await;
    let mut awaited = bench.connect().await;
    within(awaited.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"))
        .await
        .unwrap();
    within(tokio::task::spawn_blocking(move || is_asked.recv())).await.unwrap().unwrap();
    let started = Instant::now();
    drop(bench);
    assert!(started.elapsed() < Limits::default().answer, "{:?}", started.elapsed());
    ended(&mut idle).await;
    ended(&mut awaited).await;
    assert!(TcpStream::connect(address).await.is_err());
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
