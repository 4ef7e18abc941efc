//! Where what snippets say comes to in hosts and locations.

use headgate_config::{
    Host, Location,
    snippet::{HeaderAction, OwnMatch, Snippet, Step},
};

use super::*;

/// Another Ingress of the host, with a path of its own.
pub(super) fn second(host: &str, annotations: &[(&str, &str)]) -> Object {
    let backend = json!({ "service": { "name": "two", "port": { "number": 80 } } });
    let path = json!({ "path": "/two", "pathType": "Prefix", "backend": backend });
    let rules = json!({ "rules": [{ "host": host, "http": { "paths": [path] } }] });
    ingress_named("two", "nginx", host, annotations, rules)
}

/// Reasons of the findings about one Ingress.
pub(super) fn reasons_of<'a>(plane: &'a Plane, name: &str) -> Vec<&'a str> {
    let verdicts = plane.last.verdicts.iter().filter(|verdict| verdict.effect == Effect::Denied);
    let own = verdicts.filter(|verdict| verdict.object.name == name);
    own.map(|verdict| verdict.reason.as_str()).collect()
}

fn plane(more: &[(&str, &str)]) -> Plane {
    let mut plane = Plane::new(with_config_map());
    let mut data = json!({
        "allow-snippet-annotations": "true", "annotations-risk-level": "Critical",
    });
    data.as_object_mut()
        .unwrap()
        .extend(more.iter().map(|(key, text)| ((*key).into(), (*text).into())));
    plane.apply(&config_map(data));
    plane
}

fn host<'a>(plane: &'a Plane, name: &str) -> &'a Host {
    plane.last.hosts.iter().find(|host| host.name == name).unwrap()
}

fn location<'a>(plane: &'a Plane, path: &str) -> &'a Location {
    let locations = &host(plane, "one.test").locations;
    locations.iter().find(|location| location.origin.path == path).unwrap()
}

/// Names of the headers that the policies of a location set.
fn names(snippet: Option<&Snippet>) -> Vec<Vec<&str>> {
    let policies = snippet.map_or(&[][..], |snippet| &snippet.policies);
    let names = policies.iter().map(|policy| {
        let set = policy.answer.iter().map(|rule| match &rule.action {
            HeaderAction::Set { name, .. } => name.as_str(),
            other => panic!("{other:?}"),
        });
        set.chain(policy.added.iter().map(|header| header.name.as_str())).collect()
    });
    names.collect()
}

#[test]
fn more_set_headers_of_all_levels_count_and_the_inner_add_header_replaces_the_outer() {
    let mut plane = plane(&[
        ("http-snippet", "more_set_headers 'H: 1'; add_header X 1;"),
        ("location-snippet", "more_set_headers 'L: 1';"),
    ]);
    plane.apply(&ingress(
        "one.test",
        &[("server-snippet", "more_set_headers 'S: 1'; add_header Y 1;")],
    ));
    let inner = "more_set_headers 'C: 1'; if ($arg_a) { add_header Z 1; more_set_headers 'I: 1'; }";
    plane.apply(&second("one.test", &[("configuration-snippet", inner)]));
    assert_eq!(names(location(&plane, "/").snippet.as_deref()), [["H", "S", "L", "Y"]]);
    let two = names(location(&plane, "/two").snippet.as_deref());
    assert_eq!(two, [&["H", "S", "C", "L", "Y"][..], &["H", "S", "C", "L", "I", "Z"]]);
    let host_policy = &host(&plane, "one.test").snippet.as_ref().unwrap().policy;
    assert_eq!((host_policy.answer.len(), host_policy.added.len()), (2, 1));
}

#[test]
fn conditions_of_both_snippets_of_a_location_choose_their_own_policies() {
    let branch = |name: &str| format!("if ($arg_a) {{ more_set_headers '{name}: 1'; }}");
    let mut plane = plane(&[("location-snippet", &branch("L"))]);
    plane.apply(&ingress("one.test", &[("configuration-snippet", &branch("C"))]));
    let snippet = location(&plane, "/").snippet.as_deref().unwrap();
    assert_eq!(names(Some(snippet)), [&[][..], &["C"], &["L"]]);
    let chosen = snippet.steps.iter().map(|step| match step {
        Step::If { policy, .. } => *policy,
        other => panic!("{other:?}"),
    });
    assert_eq!(chosen.collect::<Vec<_>>(), [Some(1), Some(2)]);
}

#[test]
fn the_oldest_server_snippet_of_a_host_counts() {
    let mut plane = plane(&[("server-snippet", "location = /late { return 200 late; }")]);
    plane.apply(&ingress(
        "one.test",
        &[("server-snippet", "set $a 1; location /own { return 200 ok; }")],
    ));
    plane.apply(&second("one.test", &[("server-snippet", "return 418;")]));
    let snippet = host(&plane, "one.test").snippet.as_ref().unwrap();
    // The younger of two that are equally old is the one whose name sorts first.
    assert_eq!(
        snippet.steps,
        [Step::Return(headgate_config::snippet::Reply { status: 418, text: None })]
    );
    plane.remove(Kind::Ingress, "ns", "two");
    let snippet = host(&plane, "one.test").snippet.as_ref().unwrap();
    let own: Vec<_> = snippet.locations.iter().map(|own| (&own.matcher, own.late)).collect();
    let prefix = OwnMatch::Prefix { text: "/own".into(), is_final: false };
    assert_eq!(own, [(&prefix, false), (&OwnMatch::Exact("/late".into()), true)]);
}

#[test]
fn rules_of_the_host_protect_its_locations_unless_they_have_their_own() {
    let rules = |location: &Location| {
        let access = location.protection.as_ref()?.access.as_ref()?;
        Some(access.rules.iter().map(|rule| rule.allows).collect::<Vec<_>>())
    };
    let mut plane = plane(&[]);
    plane.apply(&ingress("one.test", &[("server-snippet", "deny all;")]));
    plane.apply(&second("one.test", &[]));
    assert_eq!(rules(location(&plane, "/two")), Some(vec![false]));
    plane.apply(&second("one.test", &[("configuration-snippet", "allow 10.0.0.0/8; deny all;")]));
    assert_eq!(rules(location(&plane, "/two")), Some(vec![true, false]));
    plane.apply(&second("one.test", &[("whitelist-source-range", "10.0.0.0/8")]));
    assert_eq!(rules(location(&plane, "/two")), Some(vec![]));
    assert_eq!(rules(location(&plane, "/")), Some(vec![false]));
}

#[test]
fn a_snippet_of_the_configmap_that_is_not_understood_denies_everything() {
    for (key, text) in [
        ("location-snippet", "proxy_cache x;"),
        ("http-snippet", "limit_req zone=a;"),
        ("server-snippet", "add_header A $nobody;"),
    ] {
        let mut plane = plane(&[(key, text)]);
        plane.apply(&ingress("one.test", &[]));
        assert_eq!(location(&plane, "/").action, Action::Deny, "{key}");
        let verdict = plane.last.verdicts.iter().find(|verdict| verdict.object.kind == "ConfigMap");
        let message = &verdict.unwrap().message;
        assert!(message.contains(key) && message.contains("line 1, column"), "{message}");
    }
}

#[test]
fn a_refused_snippet_keeps_the_version_before() {
    let mut plane = plane(&[]);
    plane.apply(&ingress("one.test", &[]));
    plane.apply(&ingress("one.test", &[("configuration-snippet", "client_max_body_size 5;")]));
    assert_eq!(plane.reasons(), [(Effect::Refused, "InvalidAnnotation")]);
    assert_eq!(plane.hosts(), ["one.test"]);
    let message = &plane.last.verdicts[0].message;
    assert!(message.contains("configuration-snippet: line 1, column 1"), "{message}");
}
