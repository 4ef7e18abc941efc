//! Check 12: who else has a path (routing §14).

use super::*;
use crate::objects::Kind;

type Paths<'a> = &'a [(&'a str, &'a str, &'a str)];

/// What is said about `new` where `old` exists, each with its annotations.
fn beside(old: (Paths<'_>, &[(&str, &str)]), new: (Paths<'_>, &[(&str, &str)])) -> Option<String> {
    let bench = Bench::new(Options::default());
    bench.apply(existing(with_annotations(ingress("old", old.0), old.1)));
    bench.refusal(&with_annotations(ingress("new", new.0), new.1))
}

fn defined(host: &str, path: &str, owner: &str) -> Option<String> {
    Some(format!("host \"{host}\" and path \"{path}\" is already defined in ingress {owner}"))
}

#[test]
fn paths_that_are_taken() {
    const HOST: &str = "a.test";
    for (old, new, taken) in [
        (("/foo", "Prefix"), ("/foo", "Prefix"), true),
        (("/foo", "Exact"), ("/foo", "Exact"), true),
        (("/foo", "Prefix"), ("/foo", "Exact"), true),
        (("/foo", "Exact"), ("/foo", "Prefix"), true),
        (("/foo", "Prefix"), ("/foo", "ImplementationSpecific"), true),
        (("/foo", "Prefix"), ("/foo/", "Prefix"), true),
        (("/foo", "Prefix"), ("/foo/", "Exact"), true),
        (("/foo/", "Prefix"), ("/foo", "Prefix"), false),
        (("/foo", "Exact"), ("/foo/", "Prefix"), false),
        (("/", "Prefix"), ("", "Prefix"), true),
        (("", "Prefix"), ("/", "Exact"), true),
        (("/foo", "Prefix"), ("/", "Prefix"), false),
        (("/foo", "Prefix"), ("/foobar", "Prefix"), false),
        (("/foo", "Prefix"), ("/FOO", "Prefix"), false),
    ] {
        let said = beside((&[(HOST, old.0, old.1)], &[]), (&[(HOST, new.0, new.1)], &[]));
        let path = if new.0.is_empty() { "/" } else { new.0 };
        let expected = taken.then(|| defined(HOST, path, "ns/old")).flatten();
        assert_eq!(said, expected, "{new:?} beside {old:?}");
    }
}

#[test]
fn hosts_are_compared_as_they_are_written() {
    for (old, new, taken) in [
        ("a.test", "b.test", false),
        ("*.test", "a.test", false),
        ("*.test", "*.test", true),
        ("", "", true),
        ("", "a.test", false),
    ] {
        let said = beside((&[(old, "/", "Prefix")], &[]), (&[(new, "/", "Prefix")], &[]));
        let host = if new.is_empty() { "_" } else { new };
        assert_eq!(
            said,
            taken.then(|| defined(host, "/", "ns/old")).flatten(),
            "{new} beside {old}"
        );
    }
    // An alias is not a host.
    let alias = [("server-alias", "b.test")];
    let said = beside((&[("a.test", "/", "Prefix")], &alias), (&[("b.test", "/", "Prefix")], &[]));
    assert_eq!(said, None);
}

#[test]
fn a_canary_annotation_on_either_side_makes_it_no_conflict() {
    const PATHS: Paths<'static> = &[("a.test", "/", "Prefix")];
    for (old, new, taken) in [
        (None, None, true),
        (None, Some("true"), false),
        (None, Some("false"), false),
        (None, Some("nonsense"), false),
        (Some("true"), None, false),
        (Some("false"), None, false),
        (Some("true"), Some("true"), false),
    ] {
        let annotations = |value: Option<&'static str>| value.map(|value| ("canary", value));
        let (old, new): (Vec<_>, Vec<_>) =
            (annotations(old).into_iter().collect(), annotations(new).into_iter().collect());
        let said = beside((PATHS, &old), (PATHS, &new));
        assert_eq!(said.is_some(), taken, "{new:?} beside {old:?}");
    }
}

#[test]
fn a_canary_has_no_path_of_its_own() {
    let bench = Bench::new(Options::default());
    let paths: Paths<'_> = &[("a.test", "/", "Prefix")];
    bench.apply(existing(with_annotations(ingress("canary", paths), &[("canary", "true")])));
    assert_eq!(bench.refusal(&ingress("new", paths)), None);
    bench.apply(existing(ingress("primary", paths)));
    assert_eq!(bench.refusal(&ingress("new", paths)), defined("a.test", "/", "ns/primary"));
}

#[test]
fn an_ingress_does_not_conflict_with_itself() {
    let bench = Bench::new(Options::default());
    let paths: Paths<'_> =
        &[("a.test", "/", "Prefix"), ("a.test", "/", "Prefix"), ("a.test", "/x", "Exact")];
    bench.apply(existing(ingress("app", paths)));
    assert_eq!(bench.refusal(&ingress("app", paths)), None);
    let elsewhere = with(ingress("app", paths), "/metadata/namespace", "other".into());
    assert_eq!(bench.refusal(&elsewhere), defined("a.test", "/", "ns/app"));
}

#[test]
fn a_new_version_counts_as_the_youngest() {
    let bench = Bench::new(Options::default());
    let created = |name: &str, time: &str| {
        let ingress = ingress(name, &[("a.test", "/", "Prefix")]);
        with(ingress, "/metadata/creationTimestamp", time.into())
    };
    // Both exist, because there was no webhook when the second one was created.
    let oldest = created("oldest", "2020-01-01T00:00:00Z");
    bench.apply(existing(oldest.clone()));
    bench.apply(existing(created("younger", "2021-01-01T00:00:00Z")));
    bench.apply(existing(created("youngest", "2022-01-01T00:00:00Z")));
    assert_eq!(bench.refusal(&oldest), defined("a.test", "/", "ns/younger"));
    let new = created("new", "2019-01-01T00:00:00Z");
    assert_eq!(bench.refusal(&new), defined("a.test", "/", "ns/oldest"));
}

#[test]
fn paths_are_free_again_with_every_change_that_frees_them() {
    let bench = Bench::new(Options::default());
    let new = ingress("new", &[("a.test", "/", "Prefix")]);
    let old = || ingress("old", &[("a.test", "/", "Prefix")]);
    let taken = defined("a.test", "/", "ns/old");
    // The first review makes the index; from then on it follows.
    assert_eq!(bench.refusal(&new), None);
    bench.apply(existing(old()));
    assert_eq!(bench.refusal(&new), taken);
    bench.apply(existing(ingress("old", &[("a.test", "/x", "Prefix")])));
    assert_eq!(bench.refusal(&new), None);
    bench.apply(existing(old()));
    bench.apply(existing(with(old(), "/spec/ingressClassName", "other".into())));
    assert_eq!(bench.refusal(&new), None);
    bench.apply(existing(old()));
    assert_eq!(bench.refusal(&new), taken);
    bench.remove(Kind::Ingress, "ns/old");
    assert_eq!(bench.refusal(&new), None);
    bench.apply(existing(old()));
    bench.remove(Kind::IngressClass, "nginx");
    assert_eq!(bench.refusal(&with(new, "/spec", json!({ "rules": [] }))), None);
}

#[test]
fn what_is_not_served_takes_no_path() {
    let bench = Bench::new(Options::default());
    let new = ingress("new", &[("a.test", "/", "Prefix")]);
    let refused =
        with_annotations(ingress("old", &[("a.test", "/", "Prefix")]), &[("limit-rps", "x")]);
    bench.apply(existing(refused));
    assert_eq!(bench.refusal(&new), None);
    let resource = json!({ "resource": { "kind": "Bucket", "name": "x" } });
    let unserved = with(
        ingress("old", &[("a.test", "/", "Prefix")]),
        "/spec/rules/0/http/paths/0/backend",
        resource.clone(),
    );
    bench.apply(existing(unserved));
    assert_eq!(bench.refusal(&new), None);
    bench.apply(existing(ingress("old", &[("a.test", "/", "Prefix")])));
    assert_eq!(bench.refusal(&with(new, "/spec/rules/0/http/paths/0/backend", resource)), None);
}

#[test]
fn a_pattern_is_not_expanded() {
    let old: Paths<'_> = &[("a.test", "/foo", "ImplementationSpecific")];
    let new: Paths<'_> = &[("a.test", "/foo/", "Prefix")];
    assert!(beside((old, &[]), (new, &[])).is_some());
    assert_eq!(beside((old, &[("use-regex", "true")]), (new, &[])), None);
    assert_eq!(beside((old, &[("rewrite-target", "/$1")]), (new, &[])), None);
}

#[test]
fn a_catch_all_has_the_root_of_the_default_host() {
    let bench = Bench::new(Options::default());
    let catch_all = json!({ "ingressClassName": "nginx", "defaultBackend": backend() });
    bench.apply(existing(with(ingress("old", &[]), "/spec", catch_all.clone())));
    let hostless = ingress("new", &[("", "/", "Prefix")]);
    assert_eq!(bench.refusal(&hostless), defined("_", "/", "ns/old"));
    assert_eq!(bench.refusal(&ingress("new", &[("a.test", "/", "Prefix")])), None);
    // Another catch-all has no rule that could conflict.
    assert_eq!(bench.refusal(&with(ingress("new", &[]), "/spec", catch_all)), None);
}
