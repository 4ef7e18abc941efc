//! The checks of operations §9.2, one row after the other.

use super::*;
use crate::{NamespaceScope, PatternCheck, objects::Kind};

/// A row: what is reviewed under which options, and what is said.
struct Row {
    what: &'static str,
    options: Options,
    config: Value,
    ingress: Value,
    refusal: Option<&'static str>,
}

fn row(what: &'static str, ingress: Value, refusal: Option<&'static str>) -> Row {
    Row { what, options: with_config_map(), config: json!({}), ingress, refusal }
}

impl Row {
    fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }
}

fn check(rows: Vec<Row>) {
    for Row { what, options, config, ingress, refusal } in rows {
        let bench = Bench::new(options);
        bench.apply(config_map(config));
        bench.apply(service("web"));
        assert_eq!(bench.refusal(&ingress).as_deref(), refusal, "{what}");
    }
}

fn foreign(ingress: Value) -> Value {
    with(ingress, "/spec/ingressClassName", "other".into())
}

fn path(path: &str, kind: &str) -> Value {
    ingress("app", &[("app.test", path, kind)])
}

const RISKY: &str = "annotation group ConfigurationSnippet contains risky annotation based on ingress configuration";
const SNIPPET: &str = "nginx.ingress.kubernetes.io/configuration-snippet annotation cannot be used. Snippet directives are disabled by the Ingress administrator";

#[test]
fn objects_that_are_nobodys_business() {
    let bad = || path("/a(b)", "Prefix");
    let deleted = || with(bad(), "/metadata/deletionTimestamp", "2025-01-01T00:00:00Z".into());
    check(vec![
        row("an ordinary Ingress", plain(), None),
        row("1: being deleted", deleted(), None),
        row("3: of another class", foreign(bad()), None),
        row("3: without a class", with(bad(), "/spec/ingressClassName", Value::Null), None),
        row("4: of another namespace", bad(), None)
            .options(|options| options.namespaces = NamespaceScope::One("elsewhere".into())),
        row(
            "4: of the namespace",
            bad(),
            Some("ingress contains invalid paths: path /a(b) cannot be used with pathType Prefix"),
        )
        .options(|options| options.namespaces = NamespaceScope::One("ns".into())),
        row(
            "labels of namespaces do not matter",
            bad(),
            Some("ingress contains invalid paths: path /a(b) cannot be used with pathType Prefix"),
        )
        .options(|options| options.namespaces = NamespaceScope::Labelled("a=b".parse().unwrap())),
    ]);
}

#[test]
fn deep_inspection_of_all_classes() {
    let tls = |hosts: Value, secret: &str| {
        with(plain(), "/spec/tls", json!([{ "hosts": hosts, "secretName": secret }]))
    };
    let free = |text: &str| path(text, "ImplementationSpecific");
    const PATH: &str = "invalid object: invalid rule in ingress ns/app: invalid http path: invalid value found: /x alias /etc/;";
    check(vec![
        row(
            "host",
            ingress("app", &[("/var/run/secrets", "/", "Prefix")]),
            Some(
                "invalid object: invalid host in ingress ns/app: invalid value found: /var/run/secrets",
            ),
        ),
        row("path", free("/x alias /etc/;"), Some(PATH)),
        row("path of another class", foreign(free("/x alias /etc/;")), Some(PATH)),
        row(
            "secret",
            tls(json!([]), "a_by_lua"),
            Some("invalid object: invalid secret in ingress ns/app: invalid value found: a_by_lua"),
        ),
        row(
            "tls host",
            tls(json!(["/etc/passwd"]), "x"),
            Some(
                "invalid object: invalid host in ingress tls config ns/app: invalid value found: /etc/passwd",
            ),
        ),
        row("switched off", free("/x alias /etc/;"), None)
            .options(|options| options.deep_inspect = false),
    ]);
}

#[test]
fn catch_alls_uids_and_paths() {
    let catch_all = || with(plain(), "/spec/defaultBackend", backend());
    let uid = |uid: &str| with(plain(), "/metadata/uid", uid.into());
    let paths = ingress(
        "app",
        &[
            ("a.test", "/a b", "Exact"),
            ("b.test", "/ok/._-/", "Prefix"),
            ("b.test", "/é", "Prefix"),
        ],
    );
    check(vec![
        row("5: a default backend", catch_all(), None),
        row("5: switched off", catch_all(), Some("this deployment is trying to create a catch-all ingress while DisableCatchAll flag is set to true. Remove '.spec.defaultBackend' or set DisableCatchAll flag to false"))
            .options(|options| options.disable_catch_all = true),
        row("6: injected", uid("x\"; return 200;"), Some("ingress has invalid UID: x\"; return 200;")),
        row("6: upper case", uid("0C0FFEE0-1234-4ABC-8DEF-0123456789AB"),
            Some("ingress has invalid UID: 0C0FFEE0-1234-4ABC-8DEF-0123456789AB")),
        row("6: none", uid(""), Some("ingress has invalid UID: ")),
        row("6: of another class", foreign(uid("x")), None),
        row("7: all bad paths, one per line", paths.clone(),
            Some("ingress contains invalid paths: path /a b cannot be used with pathType Exact\npath /é cannot be used with pathType Prefix")),
        row("7: switched off", paths, None).config(json!({ "strict-validate-path-type": "false" })),
        row("7: a nonsensical switch stays on", path("/(", "Exact"), Some("ingress contains invalid paths: path /( cannot be used with pathType Exact"))
            .config(json!({ "strict-validate-path-type": "maybe" })),
        row("7: up to the implementation", path("/a(/|$)(.*)", "ImplementationSpecific"), None),
        row("7: an empty path", path("", "Prefix"), None),
        row("7: no type", with(path("/(", ""), "/spec/rules/0/http/paths/0/pathType", Value::Null),
            Some("ingress contains invalid paths: path /( cannot be used with pathType nil")),
        row("5 before 6 before 7", with(path("/(", "Exact"), "/metadata/uid", "x".into()), Some("ingress has invalid UID: x")),
    ]);
}

#[test]
fn names_of_annotations() {
    let own =
        |name: &str, value: &str| annotated(&format!("nginx.ingress.kubernetes.io/{name}"), value);
    let custom = |options: &mut Options| options.annotations_prefix = "example.com".into();
    let blocklist = || json!({ "annotation-value-word-blocklist": "lua, root " });
    check(vec![
        row("8: the default prefix beside a custom one", own("use-regex", "true"),
            Some("this deployment has a custom annotation prefix defined. Use 'example.com' instead of 'nginx.ingress.kubernetes.io'"))
            .options(custom),
        row("8: the custom prefix", annotated("example.com/use-regex", "true"), None).options(custom),
        row("8: a prefix that is only similar", annotated("nginx.ingress.kubernetes.io.x/use-regex", "true"), None)
            .options(custom),
        row("9: a blocked word", own("app-root", "/xroot"),
            Some("nginx.ingress.kubernetes.io/app-root annotation contains invalid word root")).config(blocklist()),
        row("9: a blocked word of others", annotated("example.com/a", "root"), None).config(blocklist()),
        row("9: no words", own("app-root", "/root"), None).config(json!({ "annotation-value-word-blocklist": " , " })),
        row("10: a snippet", own("configuration-snippet", "return 200;"), Some(SNIPPET)),
        row("10: with any prefix", annotated("example.com/my-snippet", "x"),
            Some("example.com/my-snippet annotation cannot be used. Snippet directives are disabled by the Ingress administrator")),
        row("10: an empty one", own("configuration-snippet", ""), Some(SNIPPET)),
        row("10: not at the end", annotated("example.com/my-snippets", "x"), None),
        row("10: of others, allowed", annotated("example.com/my-snippet", "x"), None)
            .config(json!({ "allow-snippet-annotations": "true" })),
    ]);
}

#[test]
fn values_of_annotations() {
    let own =
        |name: &str, value: &str| annotated(&format!("nginx.ingress.kubernetes.io/{name}"), value);
    check(vec![
        row("11: a risk", own("configuration-snippet", "x"), Some(RISKY))
            .config(json!({ "allow-snippet-annotations": "true" })),
        row("11: a risk that is taken", own("configuration-snippet", "return 200;"), None)
            .config(json!({ "allow-snippet-annotations": "true", "annotations-risk-level": "Critical" })),
        row("11: a lower level", own("server-alias", "x.test"),
            Some("annotation group Aliases contains risky annotation based on ingress configuration"))
            .config(json!({ "annotations-risk-level": "Medium" })),
        row("11: of a group without a name of its own", own("auth-url", ""),
            Some("annotation group ExternalAuth contains risky annotation based on ingress configuration"))
            .config(json!({ "annotations-risk-level": "Low" })),
        row("11: a value", own("limit-rps", "10r/s"),
            Some("annotation nginx.ingress.kubernetes.io/limit-rps contains invalid value")),
        row("11: with a line break", own("permanent-redirect", "https://a.test\r\nx: y"),
            Some("annotation nginx.ingress.kubernetes.io/permanent-redirect contains invalid value")),
        row("11: under a custom prefix", annotated("example.com/limit-rps", "x"),
            Some("annotation example.com/limit-rps contains invalid value"))
            .options(|options| options.annotations_prefix = "example.com".into()),
        row("11: an empty value is not looked at", own("limit-rps", ""), None),
        row("11: a bad value that falls back", own("use-regex", "yes"), None),
        row("what denies locations is accepted", own("auth-url", "http://auth.test/"), None),
        row("a value under an older name", own("limit-whitelist", "x"),
            Some("annotation nginx.ingress.kubernetes.io/limit-whitelist contains invalid value")),
    ]);
}

#[test]
fn warnings_of_the_reference_in_its_words() {
    let bench = Bench::new(with_config_map());
    bench.apply(service("web"));
    let ingress = with(
        ingress("app", &[("a.test", "/a(", "Exact"), ("a.test", "/b(", "Prefix")]),
        "/metadata/annotations",
        json!({
            "nginx.ingress.kubernetes.io/secure-verify-ca-secret": "x", "influxdb-port": "1",
            "example.com/influxdb-port": "1",
        }),
    );
    let expected = [
        "annotation influxdb-port is deprecated",
        "annotation nginx.ingress.kubernetes.io/secure-verify-ca-secret is deprecated",
        "path /a( cannot be used with pathType Exact",
        "path /b( cannot be used with pathType Prefix",
    ];
    for ingress in [ingress.clone(), foreign(ingress.clone())] {
        assert_eq!(bench.review(&ingress).warnings, expected);
    }
    bench.apply(config_map(json!({ "strict-validate-path-type": "false" })));
    let said = bench.review(&ingress);
    assert_eq!(said.refusal, None);
    assert_eq!(said.warnings[..4], expected);
}

#[test]
fn what_would_become_a_verdict_is_a_warning() {
    let bench = Bench::new(Options::default());
    let annotations = [
        ("proxy-ssl-secret", "ns/none"),
        ("enable-modsecurity", "true"),
        ("no-such-thing", "1"),
        ("use-regex", "yes"),
    ];
    let ingress = with_annotations(plain(), &annotations);
    let said = bench.review(&ingress);
    assert_eq!(said.refusal, None);
    let told: Vec<_> = said.warnings.iter().map(|warning| warning.as_str()).collect();
    assert_eq!(
        told,
        [
            "annotation use-regex contains invalid value \"yes\"; give true or false; the default applies: false",
            "annotation no-such-thing is unknown and has no effect",
            "enable-modsecurity asks for a firewall, and there is none here: requests are served unfiltered; have them filtered elsewhere",
            "proxy-ssl-secret: the Secret ns/none does not exist, or cannot be read; create it; the locations answer 503 rather than trust an upstream that nobody vouches for",
            "the Service ns/web is named as a backend and does not exist; create it or correct the name",
        ]
    );
}

#[test]
fn a_refused_value_comes_with_what_would_be_valid() {
    let bench = Bench::new(Options::default());
    let said = bench.review(&with_annotations(plain(), &[("limit-rps", "10r/s")]));
    assert_eq!(
        said.warnings,
        ["annotation limit-rps contains invalid value \"10r/s\"; give a whole number"]
    );
}

#[test]
fn certificates_are_warned_about_where_they_are_known() {
    let bench = Bench::new(Options::default());
    bench.apply(service("web"));
    let ingress =
        with(plain(), "/spec/tls", json!([{ "hosts": ["app.test"], "secretName": "tls" }]));
    assert_eq!(bench.review(&ingress).warnings, [""; 0]);
    // From here on the Secret is asked for.
    bench.apply(existing(ingress.clone()));
    let missing = bench.review(&ingress).warnings;
    assert!(missing[0].starts_with("Secret ns/tls: "), "{missing:?}");
    bench.apply(secret("tls"));
    let broken = bench.review(&ingress).warnings;
    assert!(broken[0].contains("tls.crt"), "{broken:?}");
    bench.remove(Kind::Ingress, "ns/app");
    assert_eq!(bench.review(&ingress).warnings, [""; 0]);
}

#[test]
fn without_the_full_test_only_the_ingress_itself_is_looked_at() {
    let options = Options { disable_full_test: true, ..Options::default() };
    let bench = Bench::new(options);
    assert_eq!(bench.review(&plain()), Said { refusal: None, warnings: vec![] });
    bench.apply(existing(ingress("other", &[("app.test", "/", "Prefix")])));
    assert!(bench.refusal(&plain()).is_some_and(|refusal| refusal.contains("already defined")));
    assert_eq!(
        bench.reviewer.tally().last().map(|last| (last.tested, last.ingresses)),
        Some((1, 1))
    );
}

#[test]
fn what_is_accepted_is_served_and_what_is_refused_is_not() {
    for (annotations, expected) in [
        (&[][..], true),
        (&[("limit-rps", "10r/s")], false),
        (&[("configuration-snippet", "x")], false),
        (&[("auth-url", "http://auth.test/")], true),
        (&[("use-regex", "yes")], true),
    ] {
        let bench = Bench::new(Options::default());
        let ingress = with_annotations(plain(), annotations);
        assert_eq!(bench.refusal(&ingress).is_none(), expected, "{annotations:?}");
        bench.apply(existing(ingress));
        let plane = bench.plane.lock().unwrap();
        let is_served = plane.translator.served(&Key::new("ns", "app")).is_some();
        assert_eq!(is_served, expected, "{annotations:?}");
    }
}

/// Operations §9.2: what only its nginx would refuse is admitted by the reference.
#[test]
fn a_regular_expression_that_cannot_be_served_is_warned_about() {
    fn check(text: &str) -> Result<(), String> {
        if text.contains("(bad") { Err("unclosed".into()) } else { Ok(()) }
    }
    let pattern_check = PatternCheck {
        path: check,
        rewrite: |_| Ok(()),
        alias: check,
        blocked: check,
        header: check,
    };
    let options = Options { pattern_check: Some(pattern_check), ..Options::default() };
    let bench = Bench::new(options);
    bench.apply(service("web"));
    let bad = ingress("app", &[("app.test", "/(bad", "ImplementationSpecific")]);
    let regex = with_annotations(bad.clone(), &[("use-regex", "true")]);
    let said = bench.review(&regex);
    assert_eq!(said.refusal, None);
    let warning = "path \"/(bad\" of host \"app.test\" is no usable regular expression: unclosed; requests that begin like it are answered with 503: correct it";
    assert_eq!(said.warnings.last().map(String::as_str), Some(warning));
    let other = ingress("other", &[("app.test", "/x", "ImplementationSpecific")]);
    let plain = bench.review(&bad).warnings;
    assert!(!plain.iter().any(|warning| warning.contains("unclosed")), "{plain:?}");
    bench.apply(existing(with_annotations(other, &[("use-regex", "true")])));
    let said = bench.review(&bad).warnings;
    assert_eq!(said.last().map(String::as_str), Some(warning), "another makes it one");
    let alias = with_annotations(super::plain(), &[("server-alias", "~(bad")]);
    let said = bench.review(&alias).warnings;
    assert_eq!(
        said,
        ["alias \"(bad\" of host app.test: unclosed; it matches nothing: correct server-alias"]
    );
}
