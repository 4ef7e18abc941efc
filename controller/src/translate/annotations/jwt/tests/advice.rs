//! What is said about tokens that are asked for as written, and could be asked for more safely.

use super::*;

const NAMED: (&str, &str) = ("headgate.io/jwt-audience", "shop");

/// Reasons of the findings, which must not deny anything.
fn reasons(annotations: &[(&str, &str)]) -> Vec<&'static str> {
    let found = reading(&Options::default(), annotations, &[]);
    assert_eq!(found.annotations.denied, None, "{annotations:?}");
    assert!(found.annotations.protection.is_some(), "the token is asked for nevertheless");
    found
        .findings
        .iter()
        .map(|finding| {
            assert_eq!(finding.effect, Effect::Warning);
            assert!(finding.message.contains("headgate.io/jwt-"), "{}", finding.message);
            finding.reason
        })
        .collect()
}

#[test]
fn tokens_for_anybody_from_anybody_are_warned_about() {
    assert_eq!(reasons(&[URL]), ["InsecureToken"]);
    assert_eq!(reasons(&[URL, NAMED]), [""; 0]);
    assert_eq!(reasons(&[URL, ("headgate.io/jwt-issuer", "https://i.test/")]), [""; 0]);
}

#[test]
fn keys_that_come_in_clear_from_afar_are_warned_about() {
    for (url, is_warned) in [
        ("http://login.example.com/keys", true),
        ("HTTP://login.example.com:8080/keys", true),
        ("http://192.0.2.1/keys", true),
        ("http://svc/keys", true),
        ("http://a.svc.example.com/keys", true),
        ("http://login.example.com?x=/a.svc", true),
        ("http://127.0.0.1.example.com/", true),
        ("https://login.example.com/keys", false),
        ("http://dex.auth.svc/keys", false),
        ("http://dex.auth.svc.cluster.local:5556/keys", false),
        ("http://Dex.auth.SVC.cluster.local./keys", false),
        ("http://localhost:80/keys", false),
        ("http://127.0.0.2/keys", false),
    ] {
        let expected = if is_warned { &["InsecureToken"][..] } else { &[] };
        assert_eq!(reasons(&[("headgate.io/jwt-jwks-url", url), NAMED]), expected, "{url}");
    }
}

#[test]
fn what_is_denied_is_not_advised_about_as_well() {
    let found = reading(&Options::default(), &[URL, ("headgate.io/jwt-clock-skew", "x")], &[]);
    let effects: Vec<_> = found.findings.iter().map(|finding| finding.effect).collect();
    assert_eq!(effects, [Effect::Denied]);
}
