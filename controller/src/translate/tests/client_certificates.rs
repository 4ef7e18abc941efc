//! `auth-tls-*`: who decides about the clients of a host, and what closes it.

use headgate_config::{
    ClientCertificates,
    client_certificates::{ErrorPage, Mode, Verification},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber,
};

use super::{
    snippets::{reasons_of, second},
    *,
};

mod open;

/// The certificate of a new authority, and a list of what it has revoked.
fn authority() -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let list = CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2025, 1, 1),
        next_update: rcgen::date_time_ymd(2045, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::new(params, key)).unwrap().pem().unwrap();
    (certificate, list)
}

fn ca_secret(name: &str, data: Value) -> Object {
    typed::<Secret>(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": "ns" }, "stringData": data,
    }))
}

fn of_host<'a>(plane: &'a Plane, name: &str) -> Option<&'a ClientCertificates> {
    let host = plane.last.hosts.iter().find(|host| host.name == name);
    host.unwrap().client_certificates.as_deref()
}

fn verification<'a>(plane: &'a Plane, name: &str) -> &'a Verification {
    match of_host(plane, name) {
        Some(ClientCertificates::Verify(verification)) => verification,
        other => panic!("{other:?}"),
    }
}

/// The messages about one Ingress, but for those about plain HTTP: the Ingresses here have no TLS entry.
fn said<'a>(plane: &'a Plane, name: &str) -> Vec<&'a str> {
    let verdicts = plane.last.verdicts.iter().filter(|verdict| verdict.object.name == name);
    let told = verdicts.filter(|verdict| {
        !["ServiceNotFound", "CertificatesOverTlsOnly"].contains(&verdict.reason.as_str())
    });
    told.map(|verdict| verdict.message.as_str()).collect()
}

const SECRET: (&str, &str) = ("auth-tls-secret", "ns/ca");

#[test]
fn a_version_of_a_secret_is_read_once_for_all_who_name_it() {
    let (certificate, _) = authority();
    let mut plane = Plane::new(Options::default());
    plane.apply(&ca_secret("ca", json!({ "ca.crt": certificate })));
    plane.apply(&ingress("one.test", &[SECRET]));
    plane.apply(&second("two.test", &[SECRET]));
    let of = |plane: &Plane, name| Arc::clone(&verification(plane, name).authorities);
    let before = of(&plane, "one.test");
    assert!(Arc::ptr_eq(&before, &of(&plane, "two.test")));
    plane.apply(&ca_secret("ca", json!({ "ca.crt": certificate.repeat(2) })));
    let after = of(&plane, "one.test");
    assert_eq!((before.certificates.len(), after.certificates.len()), (1, 2));
    assert!(Arc::ptr_eq(&after, &of(&plane, "two.test")));
}

#[test]
fn an_authority_and_the_defaults() {
    let (certificate, list) = authority();
    let mut plane = Plane::new(Options::default());
    plane.apply(&ca_secret("ca", json!({ "ca.crt": certificate })));
    plane.apply(&ingress("one.test", &[SECRET]));
    let read = verification(&plane, "one.test");
    assert_eq!((read.mode, read.depth, read.pass_certificate), (Mode::Required, 1, false));
    assert_eq!((&read.subject, &read.error_page), (&None, &None));
    assert_eq!(
        (read.authorities.certificates.len(), read.authorities.revocation_lists.len()),
        (1, 0)
    );
    assert_eq!(read.origin.name, "app");
    assert_eq!(said(&plane, "app"), [""; 0]);

    plane.apply(&ca_secret("ca", json!({ "ca.crt": certificate, "ca.crl": list })));
    assert_eq!(verification(&plane, "one.test").authorities.revocation_lists.len(), 1, "live");
    plane.apply(&ca_secret("ca", json!({ "ca.crt": certificate.repeat(2), "ca.crl": "" })));
    let read = verification(&plane, "one.test");
    assert_eq!(
        (read.authorities.certificates.len(), read.authorities.revocation_lists.len()),
        (2, 0)
    );
}

#[test]
fn values() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
    plane.apply(&ingress(
        "one.test",
        &[
            SECRET,
            ("auth-tls-verify-client", " optional_no_ca "),
            ("auth-tls-verify-depth", "3"),
            ("auth-tls-match-cn", "CN=(a|b)"),
            ("auth-tls-error-page", "https://x.test:8443/err_or.html"),
            ("auth-tls-pass-certificate-to-upstream", "true"),
        ],
    ));
    let read = verification(&plane, "one.test");
    assert_eq!((read.mode, read.depth, read.pass_certificate), (Mode::OptionalUntrusted, 3, true));
    assert_eq!(read.subject.as_deref(), Some("CN=(a|b)"));
    assert_eq!(
        read.error_page,
        Some(ErrorPage::Redirect("https://x.test:8443/err_or.html".into()))
    );
    for (name, value, mode, depth) in [
        ("auth-tls-verify-client", "off", Mode::Off, 1),
        ("auth-tls-verify-client", "optional", Mode::Optional, 1),
        ("auth-tls-verify-client", "maybe", Mode::Required, 1),
        ("auth-tls-verify-depth", "0", Mode::Required, 1),
        ("auth-tls-verify-depth", "-2", Mode::Required, 1),
        ("auth-tls-verify-depth", "two", Mode::Required, 1),
    ] {
        plane.apply(&ingress("one.test", &[SECRET, (name, value)]));
        let read = verification(&plane, "one.test");
        assert_eq!((read.mode, read.depth), (mode, depth), "{value}");
    }
    plane.apply(&ingress("one.test", &[SECRET, ("auth-tls-error-page", "/sorry")]));
    assert_eq!(verification(&plane, "one.test").error_page, Some(ErrorPage::Path("/sorry".into())));
    plane.apply(&ingress("one.test", &[SECRET, ("auth-tls-error-page", "@err")]));
    assert_eq!(verification(&plane, "one.test").error_page, None);
    assert!(said(&plane, "app")[0].contains("@err"));
}

#[test]
fn bad_values_keep_the_version_before() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
    plane.apply(&ingress("one.test", &[SECRET, ("auth-tls-verify-depth", "7")]));
    for (name, value) in [
        ("auth-tls-secret", "ns/ca;b"),
        ("auth-tls-match-cn", "OU=x"),
        ("auth-tls-pass-certificate-to-upstream", "yes"),
        ("auth-tls-error-page", "https://x.test/?a=b"),
        ("auth-tls-error-page", "https:///x"),
        ("auth-tls-error-page", "https://x.test:/x"),
        ("auth-tls-error-page", "/a\"b"),
        ("auth-tls-error-page", "@"),
        ("auth-tls-error-page", "@a/b"),
        ("auth-tls-error-page", "/x\r\nSet-Cookie: a"),
    ] {
        plane.apply(&ingress("one.test", &[SECRET, (name, value)]));
        assert_eq!(verification(&plane, "one.test").depth, 7, "{name}: {value}");
    }
}

#[test]
fn a_secret_that_cannot_be_used_closes_the_host_for_everybody() {
    let (good, list) = authority();
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[]));
    plane.apply(&second("one.test", &[SECRET]));
    plane.apply(&ingress_named("three", "nginx", "three.test", &[], json!({})));
    let server = include_str!("../../../tests/certificates/rsa.crt");
    for (data, problem) in [
        (None, "does not exist"),
        (Some(json!({ "tls.crt": server, "tls.key": "x" })), "it holds no ca.crt"),
        (Some(json!({ "ca.crt": "" })), "no certificate in PEM"),
        (
            Some(
                json!({ "ca.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }),
            ),
            "cannot be read",
        ),
        (Some(json!({ "ca.crt": good, "ca.crl": good })), "no revocation list"),
        (
            Some(json!({ "ca.crt": good, "ca.crl": list.replace("CRL-----\nM", "CRL-----\nA") })),
            "ca.crl",
        ),
    ] {
        match data {
            Some(data) => drop(plane.apply(&ca_secret("ca", data))),
            None => assert!(plane.objects.secret(&Key::new("ns", "ca")).is_none()),
        }
        assert_eq!(of_host(&plane, "one.test"), Some(&ClientCertificates::Refuse), "{problem}");
        assert_eq!(of_host(&plane, "three.test"), None, "other hosts are none of its business");
        assert_eq!(reasons_of(&plane, "two"), ["AnnotationParsingFailed"]);
        assert_eq!(reasons_of(&plane, "app"), ["HostDenied"]);
        let told = said(&plane, "two");
        assert!(told[0].contains(problem), "{told:?}");
        assert!(said(&plane, "app")[0].contains("auth-tls-secret of Ingress ns/two"));
    }
    plane.apply(&ca_secret("ca", json!({ "ca.crt": good, "ca.crl": list })));
    assert_eq!(verification(&plane, "one.test").origin.name, "two");
    assert_eq!((reasons_of(&plane, "two"), reasons_of(&plane, "app")), (vec![], vec![]));
    plane.remove(Kind::Secret, "ns", "ca");
    assert_eq!(of_host(&plane, "one.test"), Some(&ClientCertificates::Refuse));
    plane.remove(Kind::Ingress, "ns", "two");
    assert_eq!(of_host(&plane, "one.test"), None);
    assert_eq!(reasons_of(&plane, "app"), [""; 0]);
}

#[test]
fn only_a_secret_with_its_own_namespace_is_looked_up() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
    for (value, problem) in [
        ("ca", "is not of the form NAMESPACE/NAME"),
        ("ns/ca/x", "is not of the form NAMESPACE/NAME"),
        ("/ca", "neither"),
        ("ns/", "neither"),
        ("other/ca", "in another namespace"),
        ("ns/c a", "does not exist"),
        (" ", "is empty"),
    ] {
        plane.apply(&ingress("one.test", &[("auth-tls-secret", value)]));
        assert_eq!(of_host(&plane, "one.test"), Some(&ClientCertificates::Refuse), "{value:?}");
        let told = said(&plane, "app");
        assert!(told[0].contains(problem), "{told:?}");
    }
    plane.apply(&config_map(json!({ "allow-cross-namespace-resources": "true" })));
    plane.apply(&ingress("one.test", &[("auth-tls-secret", "other/ca")]));
    assert!(said(&plane, "app")[0].contains("Secret other/ca does not exist"));
    plane.apply(&ingress("one.test", &[("auth-tls-secret", "")]));
    assert_eq!(of_host(&plane, "one.test"), None, "asks for nothing");
}

#[test]
fn the_oldest_that_asks_decides_and_the_others_are_told() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
    // Equally old: the greater name counts as the older one.
    plane.apply(&ingress("one.test", &[SECRET, ("auth-tls-verify-client", "off")]));
    plane.apply(&second("one.test", &[SECRET]));
    assert_eq!(verification(&plane, "one.test").mode, Mode::Required);
    let told = said(&plane, "app");
    assert!(told[0].contains("Ingress ns/two, which is older"), "{told:?}");
    assert_eq!(said(&plane, "two"), [""; 0]);
    plane.apply(&ingress("one.test", &[SECRET]));
    assert_eq!(said(&plane, "app"), [""; 0], "the same wish");
    // One that fails closes the host, however young it is.
    plane.apply(&ingress("one.test", &[("auth-tls-secret", "ns/nothing")]));
    assert_eq!(of_host(&plane, "one.test"), Some(&ClientCertificates::Refuse));
    assert_eq!(reasons_of(&plane, "two"), ["HostDenied"]);
}

#[test]
fn canaries_and_catch_alls_take_part() {
    let canary = [("canary", "true"), SECRET];
    let mut plane = Plane::new(Options::default());
    plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
    plane.apply(&second("one.test", &canary));
    assert_eq!(plane.hosts(), [""; 0], "a canary makes no host");
    plane.apply(&ingress("one.test", &[]));
    assert_eq!(verification(&plane, "one.test").origin.name, "two");
    plane.apply(&second("one.test", &canary[..1]));
    assert_eq!(of_host(&plane, "one.test"), None);

    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let all = json!({ "rules": [], "defaultBackend": backend });
    plane.apply(&ingress_named("all", "nginx", "", &[SECRET], all));
    assert_eq!(verification(&plane, "_").origin.name, "all");
    plane.remove(Kind::Ingress, "ns", "all");
    assert_eq!(of_host(&plane, "_"), None);
}

#[test]
fn a_pattern_that_cannot_be_used_closes_the_host() {
    let check: fn(&str) -> Result<(), String> = |text| {
        assert!(text.starts_with("(?-i)CN="), "{text}");
        if text.contains("((") { Err("unclosed".into()) } else { Ok(()) }
    };
    let pattern_check = crate::PatternCheck {
        path: check,
        rewrite: |_| Ok(()),
        alias: check,
        blocked: check,
        header: check,
    };
    let mut plane =
        Plane::new(Options { pattern_check: Some(pattern_check), ..Options::default() });
    plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
    plane.apply(&ingress("one.test", &[SECRET, ("auth-tls-match-cn", "CN=((")]));
    assert_eq!(of_host(&plane, "one.test"), Some(&ClientCertificates::Refuse));
    assert!(said(&plane, "app")[0].contains("unclosed"));
    plane.apply(&ingress("one.test", &[SECRET, ("auth-tls-match-cn", "CN=a")]));
    assert_eq!(verification(&plane, "one.test").subject.as_deref(), Some("CN=a"));
}
