//! Real handshakes over loopback.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

use headgate_config::{
    PrivateKey, TlsSettings, certificate::KeyFormat, client_certificates::Authorities,
};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, HandshakeKind, ServerConnection,
    SupportedProtocolVersion,
    crypto::aws_lc_rs,
    version::{TLS12, TLS13},
};
use rustls_pki_types::ServerName;
use x509_parser::parse_x509_certificate;

use super::*;
use crate::{
    observe::metrics::{Metrics, MetricsSettings},
    upstream::tls::AnyCertificate,
};

const FAKE: &str = "Kubernetes Ingress Controller Fake Certificate";

mod offers;

/// What a client saw.
#[derive(Debug)]
struct Seen {
    /// Common name of the certificate.
    name: String,
    protocol: Option<Vec<u8>>,
    kind: HandshakeKind,
    cipher: CipherSuite,
}

/// Compiles a table with the usual settings.
fn compile(table: &Arc<TlsTable>, previous: Option<&TlsState>, http2: bool) -> TlsState {
    TlsState::compile(table, previous, &Offer { http2, tls: TlsSettings::default() }, None)
}

fn client(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate::new()))
        .with_no_client_auth()
}

/// One handshake, with a byte in each direction so that tickets arrive, too.
fn handshake(
    server: Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> io::Result<Seen> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let serving = thread::spawn(move || {
        let (mut socket, _) = listener.accept()?;
        let mut connection = ServerConnection::new(server).map_err(io::Error::other)?;
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let mut byte = [0];
        io::Read::read_exact(&mut stream, &mut byte)?;
        io::Write::write_all(&mut stream, &byte)?;
        io::Write::flush(&mut stream)
    });
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection =
        ClientConnection::new(Arc::clone(client), name).map_err(io::Error::other)?;
    let mut socket = TcpStream::connect(address)?;
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    io::Write::write_all(&mut stream, b"x")?;
    io::Read::read_exact(&mut stream, &mut [0])?;
    serving.join().unwrap()?;
    Ok(Seen {
        name: common_name(&connection.peer_certificates().unwrap()[0]),
        protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
        kind: connection.handshake_kind().unwrap(),
        cipher: connection.negotiated_cipher_suite().unwrap().suite(),
    })
}

/// The common name of the certificate that a new client gets for a name; an IP address stands for no name at all.
fn shown(state: &TlsState, name: &str) -> String {
    let client = Arc::new(client(&[&TLS13]));
    handshake(state.server_config(), &client, name).unwrap().name
}

fn common_name(certificate: &[u8]) -> String {
    let (_, certificate) = parse_x509_certificate(certificate).unwrap();
    let name = certificate.subject().iter_common_name().next().unwrap();
    name.as_str().unwrap().to_owned()
}

/// A certificate whose common name is `name`.
fn certificate(id: &str, name: &str) -> Arc<Certificate> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.replace(' ', "-")]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let leaf = params.self_signed(&key).unwrap();
    Arc::new(Certificate {
        id: CertificateId(id.to_owned()),
        chain: vec![leaf.der().to_vec()],
        key: PrivateKey::new(key.serialize_der(), KeyFormat::Pkcs8),
        names: vec![name.to_owned()],
    })
}

fn table(
    names: &[(&str, Option<&str>)],
    default: Option<&str>,
    certificates: &[&Arc<Certificate>],
) -> Arc<TlsTable> {
    let id = |id: &str| CertificateId(id.to_owned());
    let certificates = certificates.iter();
    Arc::new(TlsTable {
        names: names.iter().map(|(name, of)| ((*name).to_owned(), of.map(id))).collect(),
        default: default.map(id),
        certificates: certificates.map(|one| (one.id.clone(), Arc::clone(one))).collect(),
    })
}

fn key_of(state: &TlsState, id: &str) -> Arc<rustls::sign::CertifiedKey> {
    let (_, loaded) = &state.0.certificates[&CertificateId(id.to_owned())];
    Arc::clone(&loaded.as_ref().unwrap().key)
}

#[test]
fn a_name_gets_its_own_certificate_then_the_wildcards_then_the_default() {
    let (own, wild, default) = (
        certificate("n/own", "own"),
        certificate("n/wild", "wild"),
        certificate("n/default", "default"),
    );
    let names = [("a.test", Some("n/own")), ("*.a.test", Some("n/wild")), ("b.a.test", None)];
    let state = compile(&table(&names, Some("n/default"), &[&own, &wild, &default]), None, true);
    for (name, expected) in [
        ("a.test", "own"),
        ("A.Test", "own"),
        ("a.test.", "own"),
        ("x.a.test", "wild"),
        ("b.a.test", "default"),
        ("x.y.a.test", "default"),
        ("other.test", "default"),
        ("127.0.0.1", "default"),
    ] {
        assert_eq!(shown(&state, name), expected, "{name}");
    }
}

#[test]
fn without_a_default_certificate_unknown_names_get_the_self_signed_one() {
    let own = certificate("n/own", "own");
    let state = compile(&table(&[("a.test", Some("n/own"))], None, &[&own]), None, true);
    for (name, expected) in [("a.test", "own"), ("b.test", FAKE), ("127.0.0.1", FAKE)] {
        assert_eq!(shown(&state, name), expected, "{name}");
    }
}

#[test]
fn the_next_handshake_after_a_swap_gets_the_new_certificate() {
    let (old, new, other) =
        (certificate("n/s", "old"), certificate("n/s", "new"), certificate("n/other", "other"));
    let names = [("a.test", Some("n/s")), ("b.test", Some("n/other"))];
    let before = compile(&table(&names, None, &[&old, &other]), None, true);
    assert_eq!(shown(&before, "a.test"), "old");
    let after = compile(&table(&names, None, &[&new, &other]), Some(&before), true);
    assert_eq!(shown(&after, "a.test"), "new");
    assert_eq!(shown(&after, "b.test"), "other");
    assert_eq!(shown(&before, "a.test"), "old", "a request that holds the old table");
}

#[test]
fn only_changed_certificates_are_loaded_again() {
    let (old, new, other) =
        (certificate("n/s", "old"), certificate("n/s", "new"), certificate("n/other", "other"));
    let names = [("a.test", Some("n/s"))];
    let before = compile(&table(&names, None, &[&old, &other]), None, true);
    let equal = Arc::new(Certificate::clone(&other));
    let after = compile(&table(&names, None, &[&new, &equal]), Some(&before), true);
    assert!(Arc::ptr_eq(&key_of(&before, "n/other"), &key_of(&after, "n/other")));
    assert!(!Arc::ptr_eq(&key_of(&before, "n/s"), &key_of(&after, "n/s")));
}

#[test]
fn an_unchanged_table_costs_nothing() {
    let table = table(&[("a.test", None)], None, &[]);
    let before = compile(&table, None, true);
    let after = compile(&table, Some(&before), true);
    assert!(Arc::ptr_eq(&before.server_config(), &after.server_config()));
}

#[test]
fn sessions_are_resumed_across_tables() {
    let (one, other) = (certificate("n/one", "one"), certificate("n/other", "other"));
    let first = compile(&table(&[("a.test", Some("n/one"))], None, &[&one]), None, true);
    let names = [("a.test", Some("n/one")), ("b.test", Some("n/other"))];
    let second = compile(&table(&names, None, &[&one, &other]), Some(&first), false);
    for versions in [&[&TLS13], &[&TLS12]] {
        let client = Arc::new(client(versions));
        let kinds = [&first, &second]
            .map(|state| handshake(state.server_config(), &client, "a.test").unwrap().kind);
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed], "{versions:?}");
    }
}

#[test]
fn a_certificate_that_cannot_be_served_is_reported_and_hurts_nobody_else() {
    let good = certificate("n/good", "good");
    let mut garbage = Certificate::clone(&certificate("n/garbage", "garbage"));
    garbage.key = PrivateKey::new(b"no key".to_vec(), KeyFormat::Pkcs1);
    let mut foreign = Certificate::clone(&certificate("n/foreign", "foreign"));
    foreign.key = good.key.clone();
    let mut empty = Certificate::clone(&good);
    (empty.id.0, empty.chain) = ("n/empty".into(), Vec::new());
    let names = [
        ("a.test", Some("n/good")),
        ("b.test", Some("n/garbage")),
        ("c.test", Some("n/foreign")),
        ("d.test", Some("n/empty")),
    ];
    let certificates = [&good, &Arc::new(garbage), &Arc::new(foreign), &Arc::new(empty)];
    let state = compile(&table(&names, None, &certificates), None, true);
    let refused = |id: &str| state.0.certificates[&CertificateId(id.into())].1.as_ref().err();
    assert!(refused("n/good").is_none() && refused("n/empty").is_some());
    assert!(refused("n/garbage").is_some());
    assert!(refused("n/foreign").is_some_and(|reason| reason.contains("does not belong")));
    assert_eq!(shown(&state, "a.test"), "good");
    for name in ["b.test", "c.test", "d.test"] {
        assert_eq!(shown(&state, name), FAKE, "{name}");
        assert!(state.has_certificate(name.as_bytes()), "{name}");
    }
}

#[test]
fn http2_is_offered_only_while_it_is_on() {
    let mut config = client(&[&TLS13]);
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let config = Arc::new(config);
    let table = table(&[], None, &[]);
    let on = compile(&table, None, true);
    let off = compile(&table, Some(&on), false);
    for (state, protocol) in [(&on, b"h2".as_slice()), (&off, b"http/1.1")] {
        let seen = handshake(state.server_config(), &config, "a.test").unwrap();
        assert_eq!(seen.protocol.as_deref(), Some(protocol));
    }
}

#[test]
fn suites_are_chosen_in_the_references_order() {
    let state = compile(&table(&[], None, &[]), None, true);
    for (version, cipher) in [
        (&TLS12, CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
        (&TLS13, CipherSuite::TLS13_AES_256_GCM_SHA384),
    ] {
        let client = Arc::new(client(&[version]));
        let seen = handshake(state.server_config(), &client, "a.test").unwrap();
        assert_eq!(seen.cipher, cipher);
    }
}

#[test]
fn a_name_with_the_default_certificate_has_a_certificate() {
    let state = compile(&table(&[("a.test", None), ("*.b.test", None)], None, &[]), None, true);
    for (host, has) in
        [("a.test", true), ("x.b.test", true), ("b.test", false), ("x.y.b.test", false)]
    {
        assert_eq!(state.has_certificate(host.as_bytes()), has, "{host}");
    }
}

#[test]
fn expiry_is_told_for_every_served_name() {
    let (own, default) = (certificate("shop/own", "own"), certificate("infra/default", "default"));
    let names = [("a.test", Some("shop/own")), ("b.test", None)];
    let state = compile(&table(&names, Some("infra/default"), &[&own, &default]), None, true);
    let metrics = Metrics::new(MetricsSettings { enabled: true, ..MetricsSettings::default() });
    metrics.add_source(move |text| write_metrics(&state, "k8s.io/ingress-nginx", text));
    let text: Vec<u8> = metrics.scrape().flatten().collect();
    let text = String::from_utf8(text).unwrap();
    let expiry: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("nginx_ingress_controller_ssl_expire"))
        .collect();
    assert_eq!(expiry.len(), 2, "{expiry:?}");
    assert!(
        expiry[0].contains("class=\"k8s.io/ingress-nginx\",host=\"_\",identifier=\"-"),
        "{expiry:?}"
    );
    assert!(expiry[0].contains("namespace=\"infra\",secret_name=\"default\"} "));
    assert!(expiry[1].contains("host=\"a.test\"") && expiry[1].contains("secret_name=\"own\""));
    let info = text
        .lines()
        .find(|line| line.starts_with("nginx_ingress_controller_ssl_certificate_info{"));
    assert!(info.unwrap().contains("issuer_common_name=\"default\""), "{info:?}");
    assert!(info.unwrap().contains("public_key_algorithm=\"ECDSA\""));
}

/// Authorities with one of this name.
fn trust(name: &str) -> Arc<Trust> {
    let certificates = certificate("n/ca", name).chain.clone();
    let authorities = Authorities { certificates, revocation_lists: Vec::new() };
    Arc::new(Trust::new(&Arc::new(authorities)).unwrap())
}

#[test]
fn what_clients_are_asked_with_is_made_once_for_a_table_and_its_authorities() {
    let first = compile(&table(&[("a.test", None)], None, &[]), None, true);
    let (one, other) = (trust("one"), trust("other"));
    let made = first.config_for(None, Some(&one));
    assert!(Arc::ptr_eq(&made, &first.config_for(None, Some(&one))));
    assert!(
        !Arc::ptr_eq(&made, &first.config_for(None, Some(&other))),
        "clients are told other names"
    );
    let next = compile(&table(&[("b.test", None)], None, &[]), Some(&first), false);
    let after = next.config_for(None, Some(&one));
    assert!(!Arc::ptr_eq(&made, &after));
    assert_eq!(after.alpn_protocols, next.server_config().alpn_protocols);
    assert!(Arc::ptr_eq(&after.cert_resolver, &next.server_config().cert_resolver));
}

#[test]
fn authorities_that_no_host_names_any_more_are_not_held() {
    let state = compile(&table(&[], None, &[]), None, true);
    for number in 0..50 {
        let trust = trust(&number.to_string());
        let _in_use = state.config_for(None, Some(&trust));
        let gone = Arc::downgrade(&trust);
        drop(trust);
        assert!(gone.upgrade().is_none(), "{number}");
    }
    assert!(state.0.variants.count() < 20, "{}", state.0.variants.count());
}

#[test]
fn who_is_asked_for_a_certificate_does_not_resume() {
    let state = compile(&table(&[], None, &[]), None, true);
    let trust = trust("authority");
    for version in [&TLS12, &TLS13] {
        let client = Arc::new(client(&[version]));
        for _ in 0..3 {
            let seen = handshake(state.config_for(None, Some(&trust)), &client, "a.test").unwrap();
            assert_eq!(seen.kind, HandshakeKind::Full, "{version:?}");
        }
        let usual = || handshake(state.server_config(), &client, "a.test").unwrap().kind;
        assert_eq!(usual(), HandshakeKind::Full, "{version:?}");
        assert_eq!(usual(), HandshakeKind::Resumed, "{version:?}");
        let seen = handshake(state.config_for(None, Some(&trust)), &client, "a.test").unwrap();
        assert_eq!(seen.kind, HandshakeKind::Full, "{version:?} with a session of another host");
    }
}
