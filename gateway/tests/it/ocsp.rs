//! Stapling what a responder says about a certificate. The responder is a real one (`openssl ocsp`), and so is the client.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use headgate_config::{
    Certificate, CertificateId, Effect, PrivateKey, Settings, Snapshot, TlsTable, Verdict,
    certificate::KeyFormat,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SerialNumber,
};

use crate::support::{TestGateway, Upstream, eventually, snapshot, upstream::Reply};

const STAPLED: &str = "OCSP Response Status: successful";
const NOT_STAPLED: &str = "OCSP response: no response sent";
const GOOD: &str = "V\t491231235959Z\t\t1000\tunknown\t/CN=server\n";
const REVOKED: &str = "R\t491231235959Z\t240101000000Z\t1000\tunknown\t/CN=server\n";

/// A small authority in a folder, for which others answer.
struct Authority {
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// A running responder; it ends with this.
struct Responder {
    child: Child,
    url: String,
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    fn new() -> Self {
        let mut params = named("ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("written");
        let issuer = Issuer::new(params, key);
        let made = Self { certificate: certificate.der().to_vec(), issuer, folder };
        let mut params = named("responder");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &made.issuer).expect("a certificate");
        let pem = certificate.pem() + &key.serialize_pem();
        std::fs::write(made.folder.path().join("responder.pem"), pem).expect("written");
        made
    }

    fn path(&self, name: &str) -> impl AsRef<std::ffi::OsStr> + AsRef<Path> + use<> {
        self.folder.path().join(name)
    }

    /// Starts a responder that the authority has charged, and that says this about its certificates.
    fn responder(&self, index: &str) -> Responder {
        std::fs::write(self.path("index"), index).expect("written");
        let mut command = Command::new("openssl");
        command.args(["ocsp", "-port", "0", "-nmin", "5", "-index"]).arg(self.path("index"));
        command.arg("-CA").arg(self.path("ca.pem"));
        command.arg("-rsigner").arg(self.path("responder.pem"));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let port = line.split_whitespace().nth(1).and_then(|place| place.rsplit(':').next());
        let port: u16 = port.and_then(|port| port.parse().ok()).expect(&line);
        Responder { child, url: format!("http://127.0.0.1:{port}/") }
    }

    /// A table with a server's certificate whose responder is there.
    fn table(&self, url: &str, ocsp: bool) -> Snapshot {
        let ocsp_place = [&[6u8, 8, 0x2b, 6, 1, 5, 5, 7, 48, 1][..], &value(0x86, url.as_bytes())];
        let access = value(0x30, &value(0x30, &ocsp_place.concat()));
        let mut params = named("server");
        params.serial_number = Some(SerialNumber::from(vec![0x10, 0]));
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access)];
        let key = KeyPair::generate().expect("a key");
        let leaf = params.signed_by(&key, &self.issuer).expect("a certificate").der().to_vec();
        let id = CertificateId("shop/web".into());
        let certificate = Certificate {
            id: id.clone(),
            chain: vec![leaf, self.certificate.clone()],
            key: PrivateKey::new(key.serialize_der(), KeyFormat::Pkcs8),
            names: Vec::new(),
        };
        let tls = TlsTable {
            default: Some(id.clone()),
            certificates: BTreeMap::from([(id, Arc::new(certificate))]),
            ..TlsTable::default()
        };
        let table = snapshot::Table::default().build();
        with(&Snapshot { tls: Arc::new(tls), ..table }, ocsp)
    }
}

/// The same table with the setting.
fn with(table: &Snapshot, ocsp: bool) -> Snapshot {
    let settings = Settings { ocsp, ..Settings::clone(&table.settings) };
    Snapshot { settings: Arc::new(settings), ..table.clone() }
}

/// A value of DER, which is short.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).ok().filter(|length| *length < 128);
    [&[tag, length.expect("it is short")], content].concat()
}

/// What a client sees that asks for the answer of the responder.
fn seen(address: SocketAddr) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-status", "-servername", "a.test", "-connect", &address.to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Cipher is TLS_"), "the handshake failed: {text}");
    text
}

fn is_stapled(gateway: &TestGateway) -> bool {
    let text = seen(gateway.https);
    assert_ne!(text.contains(STAPLED), text.contains(NOT_STAPLED), "{text}");
    text.contains(STAPLED)
}

/// The only thing that is wrong.
fn condition(gateway: &TestGateway) -> Option<Verdict> {
    let mut conditions = gateway.live.conditions();
    assert!(conditions.len() < 2, "{conditions:?}");
    let shown = gateway.live.shown().expect("it is live");
    assert!(conditions.iter().all(|condition| shown.verdicts.contains(condition)));
    conditions.pop()
}

#[test]
fn a_good_answer_is_stapled_and_stays_when_the_responder_has_gone() {
    let authority = Authority::new();
    let responder = authority.responder(GOOD);
    let table = authority.table(&responder.url, true);
    let gateway = TestGateway::start(table.clone());
    assert!(!is_stapled(&gateway), "the first handshake does not wait");
    eventually("the answer is there", || is_stapled(&gateway));
    let text = seen(gateway.https);
    assert!(text.contains("Cert Status: good") && text.contains("Serial Number: 1000"), "{text}");
    assert_eq!(condition(&gateway), None);
    drop(responder);
    assert!(is_stapled(&gateway));
    gateway.live.publish(Snapshot { tls: Arc::new(TlsTable::clone(&table.tls)), ..table.clone() });
    assert!(is_stapled(&gateway), "also with the next table");
    gateway.live.publish(with(&table, false));
    assert!(!is_stapled(&gateway), "the setting is off");
}

#[test]
fn a_revoked_certificate_is_served_without_an_answer_and_its_secret_is_told() {
    let authority = Authority::new();
    let responder = authority.responder(REVOKED);
    let gateway = TestGateway::start(authority.table(&responder.url, true));
    assert!(!is_stapled(&gateway));
    eventually("it was asked", || condition(&gateway).is_some());
    let verdict = condition(&gateway).expect("it stays");
    assert_eq!(verdict.object.to_string(), "Secret shop/web");
    assert_eq!((&*verdict.reason, verdict.effect), ("CertificateRevoked", Effect::Warning));
    assert!(!is_stapled(&gateway));
}

#[test]
fn a_responder_that_fails_is_asked_once_and_fails_no_handshake() {
    let responder = Upstream::scripted(|_, _| {
        Reply::Last(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno".to_vec())
    });
    let authority = Authority::new();
    let table = authority.table(&format!("http://{}/ocsp?secret=hush", responder.address), true);
    let gateway = TestGateway::start(with(&table, false));
    assert!(!is_stapled(&gateway));
    assert_eq!((responder.connections(), condition(&gateway)), (0, None), "it is off");
    gateway.live.publish(table);
    for _ in 0..3 {
        assert!(!is_stapled(&gateway));
    }
    eventually("it was asked", || condition(&gateway).is_some());
    let verdict = condition(&gateway).expect("it stays");
    assert_eq!((&*verdict.reason, verdict.effect), ("OcspFailed", Effect::Warning));
    let place = format!("http://{}/ocsp, the responder", responder.address);
    assert!(verdict.message.contains(&place), "{}", verdict.message);
    assert!(verdict.message.contains("500") && !verdict.message.contains("hush"));
    let asked = responder.seen();
    assert_eq!((asked.len(), asked[0].line()), (1, "POST /ocsp?secret=hush HTTP/1.1"));
    assert_eq!(asked[0].header("content-type"), Some("application/ocsp-request"));
    gateway.live.publish(snapshot::Table::default().build());
    assert_eq!(condition(&gateway), None, "the certificate is gone");
}
