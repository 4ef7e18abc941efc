use k8s_openapi::{ByteString, api::core::v1::Secret};

use super::*;

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../../tests/certificates/", $name))
    };
}

fn secret(certificate: &str, key: &str) -> Secret {
    let data = [("tls.crt", certificate), ("tls.key", key)];
    Secret {
        data: Some(
            data.map(|(name, text)| (name.to_owned(), ByteString(text.as_bytes().to_vec()))).into(),
        ),
        ..Secret::default()
    }
}

fn read(certificate: &str, key: &str) -> Result<secret::Good, String> {
    secret::read(&Key::new("ns", "s"), &secret(certificate, key), None)
}

#[test]
fn keys_of_all_encodings() {
    for (certificate, key) in [
        (pem!("rsa.crt"), pem!("rsa.key")),
        (pem!("rsa.crt"), pem!("rsa-pkcs1.key")),
        (pem!("ec.crt"), pem!("ec.key")),
        (pem!("ec.crt"), pem!("ec-sec1.key")),
        (pem!("ed25519.crt"), pem!("ed25519.key")),
    ] {
        let good = read(certificate, key).unwrap();
        assert_eq!(good.certificate.id.0, "ns/s");
        assert_eq!(good.certificate.chain.len(), 1);
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    for (certificate, key) in [
        (pem!("rsa.crt"), pem!("other.key")),
        (pem!("rsa.crt"), pem!("ec.key")),
        (pem!("ec.crt"), pem!("rsa.key")),
        (pem!("ec.crt"), pem!("rsa-pkcs1.key")),
    ] {
        let fault = read(certificate, key).unwrap_err();
        assert_eq!(fault, "tls.key is not the key of the first certificate of tls.crt");
    }
}

#[test]
fn what_is_no_certificate() {
    for (certificate, key, fault) in [
        ("not a certificate", "not a key", "tls.crt is no PEM"),
        (pem!("rsa.key"), pem!("rsa.key"), "tls.crt does not begin with a certificate"),
        (pem!("rsa.crt"), "", "tls.key holds no unencrypted private key in PEM"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            pem!("rsa.key"),
            "the first certificate of tls.crt cannot be read",
        ),
    ] {
        assert_eq!(read(certificate, key).unwrap_err(), fault);
    }
    let nothing = secret::read(&Key::new("ns", "s"), &Secret::default(), None);
    assert_eq!(nothing.unwrap_err(), "tls.crt is missing; add it");
}

#[test]
fn the_chain_is_kept_in_order() {
    let chain = format!("{}\n{}", pem!("rsa.crt"), pem!("ec.crt"));
    let good = read(&chain, pem!("rsa.key")).unwrap();
    let ec = read(pem!("ec.crt"), pem!("ec.key")).unwrap();
    assert_eq!(good.certificate.chain[1], ec.certificate.chain[0]);
}

#[test]
fn a_further_check_may_refuse() {
    let check: crate::CertificateCheck = |chain, _| Err(format!("no, not these {}", chain.len()));
    let refused =
        secret::read(&Key::new("ns", "s"), &secret(pem!("rsa.crt"), pem!("rsa.key")), Some(check));
    assert_eq!(refused.unwrap_err(), "no, not these 1");
}

#[test]
fn names_that_a_certificate_covers() {
    let rsa = read(pem!("rsa.crt"), pem!("rsa.key")).unwrap();
    for (host, covered) in [
        ("a.test", true),
        ("A.Test", true),
        ("b.a.test", false),
        ("x.wild.test", true),
        ("x.y.wild.test", false),
        ("wild.test", false),
        (".wild.test", false),
        ("*.wild.test", true),
        ("*.a.test", false),
        ("ignored.test", false),
    ] {
        assert_eq!(rsa.covers(host), covered, "{host}");
    }
    let ec = read(pem!("ec.crt"), pem!("ec.key")).unwrap();
    assert!(
        ec.covers("cn.test") && !ec.names_in_san("cn.test"),
        "a common name counts only where it is asked for by name"
    );
}
