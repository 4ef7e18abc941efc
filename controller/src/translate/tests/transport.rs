//! How upstreams are spoken to: `backend-protocol`, `proxy-ssl-*`, `fastcgi-*` (annotations §3.14).

use std::sync::Arc;

use headgate_config::{TlsSuite, TlsVersions, Transport, UpstreamTls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::{external::config_map, *};

/// Another Ingress of the host, with a path of its own.
fn second(host: &str, annotations: &[(&str, &str)]) -> Object {
    let backend = json!({ "service": { "name": "two", "port": { "number": 80 } } });
    let path = json!({ "path": "/two", "pathType": "Prefix", "backend": backend });
    let rules = json!({ "rules": [{ "host": host, "http": { "paths": [path] } }] });
    ingress_named("two", "nginx", host, annotations, rules)
}

/// How the upstream of a path is spoken to; an error if its requests are denied.
fn transport(plane: &Plane, path: &str) -> Result<Option<Transport>, ()> {
    let host = plane.last.hosts.iter().find(|host| host.name == "one.test").expect("a host");
    let mut locations = host.locations.iter();
    let location = locations.find(|location| location.origin.path == path).expect("a path");
    match location.action {
        Action::Deny => Err(()),
        _ => Ok(location.transport.clone()),
    }
}

fn tls(plane: &Plane, path: &str) -> Arc<UpstreamTls> {
    match transport(plane, path) {
        Ok(Some(
            Transport::Https(tls) | Transport::AsListener(tls) | Transport::Grpc(Some(tls)),
        )) => tls,
        other => panic!("{other:?}"),
    }
}

fn said(plane: &Plane) -> Vec<&str> {
    let verdicts = plane.last.verdicts.iter();
    let told = verdicts.filter(|verdict| verdict.reason != "ServiceNotFound");
    told.map(|verdict| verdict.message.as_str()).collect()
}

/// A new authority, which has a key as well.
fn authority() -> (String, String) {
    let mut params = CertificateParams::new(vec!["ca.test".into()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

fn secret(name: &str, data: Value) -> Object {
    typed::<Secret>(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": "ns" }, "stringData": data,
    }))
}

fn with_secret() -> Plane {
    let (certificate, key) = authority();
    let mut plane = Plane::new(Options::default());
    plane.apply(&secret(
        "tls",
        json!({ "ca.crt": certificate, "tls.crt": certificate, "tls.key": key }),
    ));
    plane
}

const HTTPS: (&str, &str) = ("backend-protocol", "HTTPS");
const SECRET: (&str, &str) = ("proxy-ssl-secret", "ns/tls");

#[test]
fn every_protocol_is_known_in_any_case() {
    let mut plane = Plane::new(Options::default());
    let any = Arc::<UpstreamTls>::default;
    for (word, expected) in [
        ("http", None),
        ("Https", Some(Transport::Https(any()))),
        ("AUTO_HTTP", Some(Transport::AsListener(any()))),
        (" grpc ", Some(Transport::Grpc(None))),
        ("GRPCS", Some(Transport::Grpc(Some(any())))),
        ("fcgi", Some(Transport::FastCgi(Arc::default()))),
        ("gopher", None),
    ] {
        plane.apply(&ingress("one.test", &[("backend-protocol", word)]));
        assert_eq!(transport(&plane, "/"), Ok(expected), "{word}");
    }
    assert!(said(&plane)[0].contains("gopher"));
}

#[test]
fn without_a_secret_nothing_is_asked_of_upstreams() {
    let mut plane = Plane::new(Options::default());
    let others = [
        HTTPS,
        ("proxy-ssl-verify", "on"),
        ("proxy-ssl-name", "a.test"),
        ("proxy-ssl-server-name", "on"),
    ];
    plane.apply(&ingress("one.test", &others));
    assert_eq!(*tls(&plane, "/"), UpstreamTls::default());
    assert!(said(&plane)[0].contains("no proxy-ssl-secret beside proxy-ssl-verify"));
}

#[test]
fn a_secret_brings_its_certificate_and_the_defaults() {
    let mut plane = with_secret();
    plane.apply(&ingress("one.test", &[HTTPS, SECRET]));
    let read = tls(&plane, "/");
    assert!(read.verify.is_none() && read.certificate.is_some());
    assert_eq!((read.versions, &read.suites, &read.name), (TlsVersions::Tls12, &None, &None));
    let all = [
        HTTPS,
        SECRET,
        ("proxy-ssl-verify", "on"),
        ("proxy-ssl-verify-depth", "3"),
        ("proxy-ssl-name", " $service_name.ns "),
        ("proxy-ssl-server-name", "on"),
        ("proxy-ssl-protocols", "TLSv1.3 TLSv1.2"),
        ("proxy-ssl-ciphers", "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA"),
    ];
    plane.apply(&ingress("one.test", &all));
    let read = tls(&plane, "/");
    let verify = read.verify.as_ref().expect("it is verified");
    assert_eq!((verify.depth, verify.authorities.certificates.len()), (3, 1));
    assert_eq!((read.name.as_deref(), read.send_name), (Some("$service_name.ns"), true));
    assert_eq!(read.versions, TlsVersions::Both);
    assert_eq!(read.suites.as_deref(), Some(&[TlsSuite::EcdheRsaAes128GcmSha256][..]));
    assert!(said(&plane)[0].contains("AES128-SHA is not available"));
}

#[test]
fn a_secret_without_authorities_only_names_the_upstream() {
    let (certificate, key) = authority();
    let mut plane = Plane::new(Options::default());
    plane.apply(&secret("tls", json!({ "tls.crt": certificate, "tls.key": key })));
    let name = ("proxy-ssl-name", "a.test");
    plane.apply(&ingress("one.test", &[HTTPS, SECRET, name, ("proxy-ssl-protocols", "TLSv1.3")]));
    let expected = UpstreamTls { name: Some("a.test".into()), ..UpstreamTls::default() };
    assert_eq!(*tls(&plane, "/"), expected);
    plane.apply(&ingress("one.test", &[HTTPS, SECRET, name, ("proxy-ssl-verify", "on")]));
    assert_eq!(transport(&plane, "/"), Err(()), "what is to be verified cannot be");
}

#[test]
fn what_cannot_be_honoured_denies_and_says_why() {
    let mut plane = with_secret();
    plane.apply(&secret("bad", json!({ "ca.crt": "no PEM" })));
    plane.apply(&secret("empty", json!({ "other": "x" })));
    for (name, value, word) in [
        ("proxy-ssl-secret", "tls", "NAMESPACE/NAME"),
        ("proxy-ssl-secret", "ns/nothing", "does not exist"),
        ("proxy-ssl-secret", "other/tls", "another namespace"),
        ("proxy-ssl-secret", "ns/bad", "no certificate in PEM"),
        ("proxy-ssl-secret", "ns/empty", "neither ca.crt nor tls.crt"),
        ("proxy-ssl-ciphers", "DHE-RSA-AES256-SHA", "DHE-RSA-AES256-SHA"),
        ("proxy-ssl-name", "$nobody", "$nobody"),
        ("proxy-ssl-verify", "yes", "neither on nor off"),
        ("fastcgi-params-configmap", "ns/nothing", "does not exist"),
    ] {
        let mut annotations = vec![HTTPS, (name, value)];
        if name != SECRET.0 {
            annotations.push(SECRET);
        }
        plane.apply(&ingress("one.test", &annotations));
        assert_eq!(transport(&plane, "/"), Err(()), "{name}: {value}");
        let said = said(&plane);
        assert!(said.iter().any(|text| text.contains(name) && text.contains(word)), "{said:?}");
    }
}

#[test]
fn a_secret_that_changes_is_seen_at_once() {
    let mut plane = with_secret();
    plane.apply(&ingress("one.test", &[HTTPS, SECRET]));
    let before = tls(&plane, "/");
    plane.remove(Kind::Secret, "ns", "tls");
    assert_eq!(transport(&plane, "/"), Err(()));
    let (certificate, _) = authority();
    plane.apply(&secret("tls", json!({ "ca.crt": certificate })));
    let after = tls(&plane, "/");
    assert!(before.certificate.is_some() && after.certificate.is_none());
}

#[test]
fn others_of_the_host_have_the_settings_of_one_unless_they_have_their_own() {
    let mut plane = with_secret();
    let first = [HTTPS, SECRET, ("proxy-ssl-name", "a.test")];
    plane.apply(&ingress("one.test", &first));
    plane.apply(&second("one.test", &[HTTPS]));
    assert_eq!(tls(&plane, "/two").name.as_deref(), Some("a.test"));
    plane.apply(&second("one.test", &[HTTPS, SECRET, ("proxy-ssl-name", "b.test")]));
    assert_eq!(tls(&plane, "/two").name.as_deref(), Some("b.test"));
    assert_eq!(tls(&plane, "/").name.as_deref(), Some("a.test"));
    plane.apply(&second("one.test", &[("backend-protocol", "GRPCS")]));
    assert_eq!(*tls(&plane, "/two"), UpstreamTls::default(), "gRPC is not among them");
}

#[test]
fn settings_stay_with_their_location_where_the_config_map_says_so() {
    let options = Options { configmap: "sys/main".parse().ok(), ..Options::default() };
    let (certificate, _) = authority();
    let mut plane = Plane::new(options);
    plane.apply(&secret("tls", json!({ "ca.crt": certificate })));
    plane.apply(&ingress("one.test", &[HTTPS, SECRET]));
    plane.apply(&second("one.test", &[HTTPS]));
    assert_eq!(tls(&plane, "/two").versions, TlsVersions::Tls12);
    plane.apply(&config_map("sys", "main", json!({ "proxy-ssl-location-only": "true" })));
    assert_eq!(*tls(&plane, "/two"), UpstreamTls::default());
    assert_eq!(tls(&plane, "/").versions, TlsVersions::Tls12);
}

#[test]
fn grpc_is_verified_if_its_own_ingress_asks_for_it() {
    let mut plane = with_secret();
    let grpcs = ("backend-protocol", "GRPCS");
    plane.apply(&ingress("one.test", &[grpcs, SECRET]));
    assert_eq!(*tls(&plane, "/"), UpstreamTls::default());
    plane.apply(&ingress("one.test", &[grpcs, SECRET, ("proxy-ssl-verify", "on")]));
    assert!(tls(&plane, "/").verify.is_some());
}

#[test]
fn parameters_of_applications_follow_their_config_map() {
    let mut plane = Plane::new(Options::default());
    let annotations = [
        ("backend-protocol", "FCGI"),
        ("fastcgi-index", "index.php"),
        ("fastcgi-params-configmap", "php"),
    ];
    plane.apply(&config_map("ns", "php", json!({ "SCRIPT_FILENAME": "/srv$fastcgi_script_name" })));
    plane.apply(&ingress("one.test", &annotations));
    let read = |plane: &Plane| match transport(plane, "/") {
        Ok(Some(Transport::FastCgi(read))) => read,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(&plane).index.as_deref(), Some("index.php"));
    assert_eq!(read(&plane).parameters["SCRIPT_FILENAME"], "/srv$fastcgi_script_name");
    for (name, value, is_fine) in [
        ("A", "/b$uri", true),
        ("A b", "c", false),
        ("A", "b c", false),
        ("A", "$nobody", false),
        ("A", "${remote_port}", true),
    ] {
        plane.apply(&config_map("ns", "php", json!({ name: value })));
        assert_eq!(transport(&plane, "/").is_ok(), is_fine, "{name}: {value}");
    }
    assert_eq!(read(&plane).parameters["A"], "${remote_port}");
}

#[test]
fn the_default_backend_of_all_is_spoken_to_in_clear() {
    let options =
        Options { default_backend_service: "sys/fallback".parse().ok(), ..Options::default() };
    let mut plane = Plane::new(options);
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let path = json!({ "path": "/app", "pathType": "Prefix", "backend": backend });
    let rules = json!({ "rules": [{ "host": "one.test", "http": { "paths": [path] } }] });
    plane.apply(&ingress_named("app", "nginx", "one.test", &[HTTPS], rules));
    assert_eq!(transport(&plane, "/"), Ok(None));
    assert!(matches!(transport(&plane, "/app"), Ok(Some(Transport::Https(_)))));
}
