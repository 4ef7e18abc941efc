//! Names that no annotation has, and values that leave a default.

use super::*;

/// Annotations as they are written, with what is said about them.
fn said(names: &[&str]) -> (Option<String>, Vec<(Effect, String)>) {
    let annotations = names.iter().map(|name| ((*name).into(), "x".into())).collect();
    let (read, findings) =
        read_all(&Options::default(), &Config::default().defaults, annotations).expect("served");
    let findings = findings.into_iter().map(|finding| (finding.effect, finding.message));
    (read.denied.clone(), findings.collect())
}

#[test]
fn an_own_name_that_looks_like_protection_denies_and_says_what_was_meant() {
    for (name, meant) in [
        ("headgate.io/limit-share", Some("headgate.io/limit-shared")),
        ("headgate.io/jwt-issuers", Some("headgate.io/jwt-issuer")),
        ("headgate.io/jwt-something-else", None),
        ("headgate.io/auth-url", Some("nginx.ingress.kubernetes.io/auth-url")),
        (
            "headgate.io/whitelist-source-ranges",
            Some("nginx.ingress.kubernetes.io/whitelist-source-range"),
        ),
        ("headgate.io/oidc-provider", None),
        // Ours, behind the prefix of the others.
        ("nginx.ingress.kubernetes.io/jwt-jwks-url", Some("headgate.io/jwt-jwks-url")),
    ] {
        let (denied, findings) = said(&[name]);
        let reason = denied.expect(name);
        assert!(reason.contains(&format!("there is no annotation {name}")), "{reason}");
        let hint = meant.map(|meant| format!("did you mean {meant}?"));
        assert_eq!(reason.contains("did you mean"), hint.is_some(), "{reason}");
        assert!(hint.is_none_or(|hint| reason.contains(&hint)), "{reason}");
        assert_eq!(findings, [(Effect::Denied, crate::translate::wording::denied(&reason))]);
    }
}

#[test]
fn others_are_passed_over_with_a_word() {
    for (names, expected) in [
        (
            &["headgate.io/of-tomorrow"][..],
            "annotation headgate.io/of-tomorrow is unknown and has no effect",
        ),
        (
            &["headgate.io/rewrite-targets"],
            "annotation headgate.io/rewrite-targets (did you mean nginx.ingress.kubernetes.io/rewrite-target?) is unknown and has no effect",
        ),
        (
            &["nginx.ingress.kubernetes.io/auth-ur"],
            "annotation auth-ur (did you mean auth-url?) is unknown and has no effect",
        ),
        (
            &["nginx.ingress.kubernetes.io/b-c-d-e", "nginx.ingress.kubernetes.io/tpyo"],
            "annotations b-c-d-e, tpyo are unknown and have no effect",
        ),
    ] {
        let (denied, findings) = said(names);
        assert_eq!((denied, findings), (None, vec![(Effect::Warning, expected.to_owned())]));
    }
    assert_eq!(said(&["example.com/jwt-issuer"]), (None, vec![]));
}

#[test]
fn names_that_begin_almost_as_ours_are_named() {
    let expected = "annotations ingress.kubernetes.io/ssl-redirect (did you mean nginx.ingress.kubernetes.io/ssl-redirect?), nginx.org/x do not begin with nginx.ingress.kubernetes.io/ and have no effect";
    let names = ["ingress.kubernetes.io/ssl-redirect", "nginx.org/x"];
    assert_eq!(said(&names), (None, vec![(Effect::Warning, expected.into())]));
}

#[test]
fn whoever_has_a_name_with_both_prefixes_means_another_program_by_one() {
    let options = Options { annotations_prefix: "example.com".into(), ..Options::default() };
    let usual = "nginx.ingress.kubernetes.io/use-regex";
    for (own, warnings) in [("example.com/use-regex", 0), ("example.com/app-root", 1)] {
        let annotations = [(own, "/"), (usual, "true")];
        let annotations = annotations.map(|(name, value)| (name.into(), value.into()));
        let defaults = &Config::default().defaults;
        let (_, findings) = read_all(&options, defaults, annotations.into()).unwrap();
        let about = findings.iter().filter(|finding| finding.reason == "AnnotationPrefix");
        assert_eq!(about.count(), warnings, "{own}");
    }
}

#[test]
fn where_a_default_applies_it_is_named() {
    for (name, value, default) in [
        ("satisfy", "some", "the default applies: all"),
        ("limit-burst-multiplier", "x", "the default applies: 5"),
        ("ssl-redirect", "off", "the default applies: "),
        ("rewrite-target", "/a?b=$1", "the default applies: the path as it came"),
    ] {
        let message = finding(&[(name, value)]).1.message;
        assert!(message.contains(default), "{message}");
    }
    let without_spec = [("auth-tls-secret", "default/ca"), ("auth-tls-verify-client", "yes")];
    let (_, findings) = try_read(&without_spec).unwrap();
    assert!(
        findings.iter().any(|finding| finding.message.ends_with("the default applies: on")),
        "{findings:?}"
    );
}

#[test]
fn a_message_about_many_unknown_names_stays_short_and_on_one_line() {
    let names: Vec<_> = (0..1000)
        .map(|number| format!("nginx.ingress.kubernetes.io/zz{number:03}\nWARN forged"))
        .collect();
    let (_, findings) = said(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let [(_, message)] = &findings[..] else { panic!("{findings:?}") };
    assert!(message.contains("zz007\\nWARN forged, 992 more are unknown"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}
