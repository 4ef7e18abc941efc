//! What would stand open although its author asks for certificates.

use super::*;

/// The action of the first location of an Ingress.
fn action<'a>(plane: &'a Plane, host: &str, ingress: &str) -> &'a Action {
    let host = plane.last.hosts.iter().find(|other| other.name == host).unwrap();
    let is_its = |location: &&std::sync::Arc<headgate_config::Location>| {
        location.origin.object.as_ref().is_some_and(|object| object.name == ingress)
    };
    &host.locations.iter().find(is_its).unwrap().action
}

/// Effects and reasons of the findings about one Ingress.
fn findings<'a>(plane: &'a Plane, name: &str) -> Vec<(Effect, &'a str)> {
    let verdicts = plane.last.verdicts.iter().filter(|verdict| verdict.object.name == name);
    let told = verdicts.filter(|verdict| verdict.reason != "ServiceNotFound");
    told.map(|verdict| (verdict.effect, verdict.reason.as_str())).collect()
}

#[test]
fn companions_without_authorities_deny_if_they_require_certificates() {
    for (name, value, is_denied) in [
        ("auth-tls-verify-client", "on", true),
        ("auth-tls-verify-client", "maybe", true),
        ("auth-tls-match-cn", "CN=me", true),
        ("auth-tls-match-cn", "me", true),
        ("auth-tls-verify-client", "optional", false),
        ("auth-tls-verify-client", " optional_no_ca ", false),
        ("auth-tls-verify-client", "off", false),
        ("auth-tls-verify-depth", "2", false),
        ("auth-tls-error-page", "/sorry", false),
        ("auth-tls-pass-certificate-to-upstream", "true", false),
    ] {
        for secret in [&[][..], &[("auth-tls-secret", "")]] {
            let mut plane = Plane::new(Options::default());
            plane.apply(&ingress("one.test", &[&[(name, value)][..], secret].concat()));
            assert_eq!(of_host(&plane, "one.test"), None);
            let is_closed = *action(&plane, "one.test", "app") == Action::Deny;
            assert_eq!(is_closed, is_denied, "{name}: {value}");
            let expected = if is_denied {
                (Effect::Denied, "AnnotationParsingFailed")
            } else {
                (Effect::Warning, "InvalidAnnotation")
            };
            assert_eq!(findings(&plane, "app"), [expected], "{name}: {value}");
            let told = said(&plane, "app")[0];
            assert!(told.contains(name) && told.contains("auth-tls-secret"), "{told}");
        }
    }
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[("auth-tls-verify-client", "")]));
    assert_eq!(findings(&plane, "app"), [], "it says nothing");
}

#[test]
fn rules_that_an_older_one_loosens_deny_the_locations_of_their_ingress() {
    let other = ("auth-tls-secret", "ns/other");
    let mode = |value| ("auth-tls-verify-client", value);
    let subject = |value| ("auth-tls-match-cn", value);
    let depth = |value| ("auth-tls-verify-depth", value);
    let page = ("auth-tls-error-page", "/sorry");
    let pass = ("auth-tls-pass-certificate-to-upstream", "true");
    // What holds for the host, what the younger one says, and whether that was to be stricter.
    for (older, younger, is_denied) in [
        (vec![SECRET, mode("off")], vec![SECRET], true),
        (vec![SECRET, mode("optional")], vec![SECRET], true),
        (vec![SECRET, mode("optional_no_ca")], vec![SECRET], true),
        (vec![SECRET, mode("optional_no_ca")], vec![SECRET, mode("optional")], true),
        (vec![SECRET], vec![SECRET, subject("CN=a")], true),
        (vec![SECRET, subject("CN=b")], vec![SECRET, subject("CN=a")], true),
        (vec![SECRET, mode("off")], vec![SECRET, mode("off"), subject("CN=a")], true),
        (vec![other], vec![SECRET], true),
        (vec![other, mode("optional")], vec![SECRET, mode("optional")], true),
        (vec![SECRET, depth("3")], vec![SECRET], true),
        (vec![SECRET], vec![SECRET, depth("3")], false),
        (vec![SECRET, subject("CN=a")], vec![SECRET], false),
        (vec![SECRET], vec![SECRET, mode("optional")], false),
        (vec![SECRET, mode("off")], vec![SECRET, mode("optional")], false),
        (vec![other, mode("off")], vec![SECRET, mode("optional")], false),
        (vec![SECRET], vec![other, mode("off")], false),
        (vec![SECRET], vec![SECRET, page, pass], false),
    ] {
        let mut plane = Plane::new(Options::default());
        plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
        plane.apply(&ca_secret("other", json!({ "ca.crt": authority().0 })));
        // Equally old: the greater name counts as the older one.
        plane.apply(&second("one.test", &older));
        plane.apply(&ingress("one.test", &younger));
        let is_closed = *action(&plane, "one.test", "app") == Action::Deny;
        assert_eq!(is_closed, is_denied, "{younger:?} under {older:?}");
        let effect = if is_denied { Effect::Denied } else { Effect::Warning };
        assert!(findings(&plane, "app").contains(&(effect, "HostTaken")), "{younger:?}");
        assert_eq!(said(&plane, "app").len(), 1, "{younger:?}");
        assert_ne!(*action(&plane, "one.test", "two"), Action::Deny, "the older is served");
        plane.remove(Kind::Ingress, "ns", "two");
        assert_ne!(*action(&plane, "one.test", "app"), Action::Deny, "its own rules hold");
    }
}

#[test]
fn a_canary_whose_rules_are_loosened_has_nothing_to_deny() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
    plane.apply(&second("one.test", &[SECRET, ("auth-tls-verify-client", "off")]));
    plane.apply(&ingress("one.test", &[SECRET, ("canary", "true")]));
    assert!(findings(&plane, "app").contains(&(Effect::Warning, "HostTaken")));
}

#[test]
fn plain_http_that_is_not_redirected_is_warned_about() {
    let (no, force) = (("ssl-redirect", "false"), ("force-ssl-redirect", "true"));
    let optional = ("auth-tls-verify-client", "optional");
    for (annotations, tls, is_warned) in [
        (&[SECRET][..], true, false),
        (&[SECRET], false, true),
        (&[SECRET, no], true, true),
        (&[SECRET, no, force], false, false),
        (&[SECRET, ("auth-tls-match-cn", "CN=a")], false, false),
        (&[SECRET, optional], false, false),
        (&[no], false, false),
    ] {
        let mut plane = Plane::new(Options::default());
        plane.apply(&ca_secret("ca", json!({ "ca.crt": authority().0 })));
        let entries = if tls { json!([{ "hosts": ["one.test"] }]) } else { json!([]) };
        plane.apply(&ingress_of("nginx", "one.test", annotations, json!({ "tls": entries })));
        let warning = (Effect::Warning, "CertificatesOverTlsOnly");
        let found = findings(&plane, "app");
        assert_eq!(found.contains(&warning), is_warned, "{annotations:?}, TLS: {tls}");
    }
}
