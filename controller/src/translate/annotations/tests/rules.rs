//! Rules that hold for all annotations: prefixes, older names, risks, words, what a bad value does (annotations §1).

use super::{definition::Risk, *};

fn with(change: impl Fn(&mut Defaults)) -> Defaults {
    let mut defaults = (*Config::default().defaults).clone();
    change(&mut defaults);
    defaults
}

fn full(annotations: &[(&str, &str)]) -> Vec<(Box<str>, Box<str>)> {
    annotations.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// How many annotations there are of each kind of outcome; whoever changes one has to look at the table of facts.
#[test]
fn a_bad_value_refuses_denies_or_is_as_unset() {
    for (annotations, expected) in [
        (&[("upstream-vhost", "a;b")][..], Some(Effect::Refused)),
        (&[("denylist-source-range", "everybody")], Some(Effect::Denied)),
        (&[("auth-url", "http://a.test"), ("auth-method", "get")], Some(Effect::Denied)),
        (&[("ssl-redirect", "off")], Some(Effect::Warning)),
        // Of these the reference skips all that belongs together, which protects nothing.
        (&[("auth-url", "http://a.test"), ("auth-cache-duration", "5m;")], Some(Effect::Denied)),
        (&[("auth-url", "http://a.test"), ("auth-always-set-cookie", "yes")], Some(Effect::Denied)),
        (&[("auth-url", "http://a.test"), ("auth-request-redirect", "#")], Some(Effect::Denied)),
        // What counts only beside another is not looked at.
        (&[("auth-realm", "a;b")], None),
        (&[("auth-method", "get")], None),
    ] {
        let effect = match try_read(annotations) {
            Err(finding) => Some(finding.effect),
            Ok((read, findings)) => {
                let effects: Vec<_> = findings.iter().map(|finding| finding.effect).collect();
                assert!(effects.len() <= 1, "{annotations:?}: {findings:?}");
                assert_eq!(read.denied.is_some(), effects == [Effect::Denied], "{annotations:?}");
                effects.first().copied()
            }
        };
        assert_eq!(effect, expected, "{annotations:?}");
    }
}

/// All but these, which are checked where they are read.
#[test]
fn empty_values_are_as_unset_and_never_refuse() {
    let lists = ["allowlist-source-range", "denylist-source-range", "whitelist-source-range"];
    for (_, definition) in all().filter(|(_, definition)| definition.risk < Risk::Critical) {
        for name in definition.names() {
            let (read, _) = try_read(&[(name, "")]).expect(name);
            assert_eq!(read.denied.is_some(), lists.contains(&name), "{name}");
            if read.denied.is_none() {
                assert_eq!(*read, Annotations::default(), "{name}");
            }
        }
    }
}

#[test]
fn the_name_of_a_span_is_looked_at_only_where_there_are_spans() {
    let name = ("opentelemetry-operation-name", "a/b");
    assert!(refusal(&[("enable-opentelemetry", "true"), name]).contains(name.0));
    for off in ["false", "yes", ""] {
        assert!(try_read(&[("enable-opentelemetry", off), name]).is_ok(), "{off:?}");
    }
    assert!(try_read(&[name]).is_ok());
}

#[test]
fn risks_are_of_names_whatever_their_values() {
    let read = |level: &str, annotations: &[_]| {
        let defaults = with(|defaults| defaults.restrictions.max_risk = Risk::of(level));
        let read = read_all(&Options::default(), &defaults, full(annotations));
        read.map(drop).map_err(|refusal| refusal.to_string())
    };
    for (level, name, is_fine) in [
        ("High", "nginx.ingress.kubernetes.io/server-alias", true),
        ("Medium", "nginx.ingress.kubernetes.io/server-alias", false),
        ("mEDIUM", "nginx.ingress.kubernetes.io/whitelist-source-range", true),
        ("Low", "nginx.ingress.kubernetes.io/whitelist-source-range", false),
        ("none", "nginx.ingress.kubernetes.io/auth-realm", false),
        ("Low", "nginx.ingress.kubernetes.io/unheard-of", true),
        ("Low", "example.com/server-alias", true),
        // As in the reference, which takes the prefix off where there is one.
        ("High", "server-snippet", false),
        ("Low", "server-alias", false),
        ("High", "server-alias", true),
    ] {
        for value in ["", "a.test"] {
            let read = read(level, &[(name, value)]);
            if is_fine {
                assert!(read.is_ok() || value.is_empty(), "{level} {name}: {read:?}");
            } else {
                let message = read.expect_err(name);
                assert!(message.contains("contains risky annotation based on ingress config"));
                assert!(message.contains(name.rsplit('/').next().unwrap()), "{message}");
            }
        }
    }
}

/// A name without a prefix is nobody's: nothing but its risk counts.
#[test]
fn names_without_a_prefix_mean_nothing() {
    let annotations = full(&[("use-regex", "true"), ("upstream-vhost", "a;b")]);
    let read = read_all(&Options::default(), &Config::default().defaults, annotations);
    let (read, findings) = read.unwrap();
    assert_eq!(*read, Annotations::default());
    assert!(findings.iter().all(|finding| finding.reason == "AnnotationPrefix"), "{findings:?}");
}

#[test]
fn blocked_words_are_looked_for_in_all_values_under_our_prefixes() {
    let defaults = with(|defaults| defaults.restrictions.blocked_words = vec!["evil".into()]);
    let is_refused = |name: &str, value: &str| {
        let options = Options { annotations_prefix: "example.com".into(), ..Options::default() };
        match read_all(&options, &defaults, full(&[(name, value)])) {
            Err(Refusal::BlockedWord { word, .. }) => word == "evil",
            Err(other) => panic!("{other}"),
            Ok(_) => false,
        }
    };
    assert!(is_refused("example.com/upstream-vhost", "an.evil.test"));
    assert!(is_refused("example.com/unheard-of", "devil"));
    assert!(is_refused("headgate.io/unheard-of", "devil"));
    assert!(!is_refused("example.com/evil", "good"), "names are not values");
    assert!(!is_refused("example.com/upstream-vhost", "EVIL.test"));
    assert!(!is_refused("nginx.ingress.kubernetes.io/upstream-vhost", "evil.test"));
    assert!(!is_refused("evil", "evil"));
}

#[test]
fn with_another_prefix_the_usual_one_means_nothing() {
    let options = Options { annotations_prefix: "example.com".into(), ..Options::default() };
    let read = |name: &str, value: &str| {
        let annotations = full(&[(name, value)]);
        read_all(&options, &Config::default().defaults, annotations).unwrap()
    };
    assert!(read("example.com/use-regex", "true").0.use_regex);
    for name in ["nginx.ingress.kubernetes.io/use-regex", "example.com.test/use-regex", "use-regex"]
    {
        let (read, findings) = read(name, "true");
        assert_eq!(*read, Annotations::default(), "{name}");
        assert!(findings.iter().all(|finding| finding.reason == "AnnotationPrefix"), "{name}");
    }
}

/// Objects of other namespaces are not even looked for, unless the administrator allows it (annotations §1.8).
#[test]
fn objects_of_other_namespaces_may_only_be_named_where_that_is_allowed() {
    let allowed = with(|defaults| defaults.restrictions.cross_namespace = true);
    for annotations in [
        &[("auth-type", "basic"), ("auth-secret", "other/users")][..],
        &[("auth-url", "http://a.test"), ("auth-proxy-set-headers", "other/headers")],
        &[("auth-tls-secret", "other/ca")],
    ] {
        let reason = |defaults: &Defaults| {
            let (read, _) = read_with(defaults, annotations).unwrap();
            read.denied.clone().expect("there is no such object")
        };
        let (forbidden, missing) = (reason(&Config::default().defaults), reason(&allowed));
        let is_forbidden = |reason: &str| reason.contains("allow-cross-namespace-resources");
        assert!(is_forbidden(&forbidden) && !is_forbidden(&missing), "{forbidden}; {missing}");
        assert!(missing.contains("other/"), "{missing}");
    }
}
