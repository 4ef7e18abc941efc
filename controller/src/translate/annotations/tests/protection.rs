//! What protects, and when.

use super::*;

#[test]
fn protection_by_a_secret_that_is_not_there_denies() {
    for (name, value) in [("auth-tls-secret", "ns/ca"), ("proxy-ssl-secret", "ns/ca")] {
        let (read, finding) = finding(&[(name, value)]);
        assert!(read.denied.is_some(), "{name}");
        assert_eq!((finding.effect, finding.reason), (Effect::Denied, "AnnotationParsingFailed"));
    }
    for (name, value) in [("proxy-ssl-verify", "off"), ("ssl-passthrough", "false")] {
        assert_eq!(means(&[(name, value)]).denied, None, "{name}: {value}");
    }
    assert_eq!(means(&[("auth-realm", "no auth-type: means nothing")]).denied, None);
}

/// An empty value asks for nothing (annotations §1.4).
#[test]
fn an_empty_value_protects_nothing() {
    for name in ["backend-protocol", "proxy-ssl-secret", "proxy-ssl-verify", "ssl-passthrough"] {
        let read = means_or_is_denied(&[(name, "")]);
        assert_eq!(read.denied, None, "{name}");
    }
    // What counts only beside another counts not beside an empty one, unless it says enough by itself.
    for (name, value, is_denied) in
        [("auth-type", "auth-secret", false), ("auth-tls-secret", "auth-tls-match-cn", true)]
    {
        let read = means_or_is_denied(&[(name, ""), (value, "a;b")]);
        assert_eq!(read.denied.is_some(), is_denied, "{name}");
    }
    assert!(means_or_is_denied(&[("auth-type", "basic"), ("auth-secret", "")]).denied.is_some());
}

/// What annotations mean that are served, whatever is said.
fn means_or_is_denied(annotations: &[(&str, &str)]) -> Annotations {
    (*try_read(annotations).unwrap().0).clone()
}

/// What would have refused the Ingress must not leave it open instead.
#[test]
fn without_validation_protection_that_cannot_be_read_denies() {
    let options = Options { enable_annotation_validation: false, ..Options::default() };
    let denied = |name, value| {
        let annotations = prefixed(&[(name, value)]);
        let (read, _) = read_all(&options, &Config::default().defaults, annotations).unwrap();
        read.denied.clone()
    };
    for (name, value) in [
        ("allowlist-source-range", "everybody"),
        ("auth-tls-secret", "a;b"),
        ("auth-type", "none"),
        ("auth-url", "a b"),
        ("backend-protocol", "TLS"),
        ("limit-connections", "two"),
        ("limit-rate", "1k"),
        ("limit-rpm", "99999999999999999999"),
        ("limit-rps", "5r/s"),
        ("proxy-ssl-secret", "a;b"),
        ("satisfy", "each"),
        ("ssl-passthrough", "yes"),
    ] {
        assert!(denied(name, value).is_some_and(|reason| reason.contains(name)), "{name}");
    }
    for (name, value) in [
        ("backend-protocol", " http"),
        ("limit-rps", "0"),
        ("limit-rps", "-1"),
        ("limit-rps", ""),
        ("proxy-ssl-verify", "off "),
        ("ssl-passthrough", "F"),
        ("ssl-passthrough", ""),
    ] {
        assert_eq!(denied(name, value), None, "{name}: {value}");
    }
}

/// What is to stay encrypted does not leave in clear, where it is not passed through (annotations §3.4).
#[test]
fn upstreams_that_connections_are_passed_through_to_are_spoken_to_over_tls() {
    for (flag, protocol, expected) in [
        (true, "HTTP", Protocol::Https),
        (false, "HTTP", Protocol::Https),
        (true, "AUTO_HTTP", Protocol::Https),
        (true, "GRPC", Protocol::Grpcs),
        (true, "GRPCS", Protocol::Grpcs),
    ] {
        let options = Options { ssl_passthrough: flag, ..Options::default() };
        let annotations = prefixed(&[("ssl-passthrough", "true"), ("backend-protocol", protocol)]);
        let (read, findings) =
            read_all(&options, &Config::default().defaults, annotations).unwrap();
        assert_eq!((read.upstream_protocol(), &read.denied), (expected, &None), "{protocol}");
        assert_eq!(findings.len(), usize::from(!flag), "{findings:?}");
    }
    assert_eq!(means(&[("ssl-passthrough", "false")]).upstream_protocol(), Protocol::Http);
}

#[test]
fn ciphers_that_there_are_none_of_are_named() {
    let (read, finding) =
        finding(&[("ssl-ciphers", "AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-SHA")]);
    assert_eq!(
        read.ssl_ciphers.as_deref(),
        Some(&[headgate_config::TlsSuite::EcdheRsaAes256GcmSha384][..])
    );
    assert!(finding.message.contains("AES128-SHA, DHE-RSA-AES128-SHA:"), "{}", finding.message);
    let (read, finding) = self::finding(&[("ssl-ciphers", "AES128-SHA")]);
    assert_eq!(read.ssl_ciphers.as_deref(), Some(&[][..]));
    assert!(finding.message.contains("TLS 1.3 only"), "{}", finding.message);
}
