//! What protects a whole host denies the whole host, whoever owns its locations.

use super::*;

/// Another Ingress of the host, with a path of its own.
pub(super) fn second(host: &str, annotations: &[(&str, &str)]) -> Object {
    let backend = json!({ "service": { "name": "two", "port": { "number": 80 } } });
    let path = json!({ "path": "/two", "pathType": "Prefix", "backend": backend });
    let rules = json!({ "rules": [{ "host": host, "http": { "paths": [path] } }] });
    ingress_named("two", "nginx", host, annotations, rules)
}

fn actions<'a>(plane: &'a Plane, name: &str) -> Vec<&'a Action> {
    let host = plane.last.hosts.iter().find(|host| host.name == name);
    host.unwrap().locations.iter().map(|location| &location.action).collect()
}

fn is_denied(plane: &Plane, name: &str) -> bool {
    let actions = actions(plane, name);
    let denied = actions.iter().filter(|action| ***action == Action::Deny).count();
    assert!(denied == 0 || denied == actions.len(), "{actions:?}");
    denied > 0
}

/// Reasons of the findings about one Ingress.
pub(super) fn reasons_of<'a>(plane: &'a Plane, name: &str) -> Vec<&'a str> {
    let verdicts = plane.last.verdicts.iter().filter(|verdict| verdict.effect == Effect::Denied);
    let own = verdicts.filter(|verdict| verdict.object.name == name);
    own.map(|verdict| verdict.reason.as_str()).collect()
}

#[test]
fn a_server_snippet_that_cannot_be_executed_denies_the_host() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&config_map(json!({
        "allow-snippet-annotations": "true", "annotations-risk-level": "Critical",
    })));
    plane.apply(&ingress("one.test", &[]));
    plane.apply(&second("one.test", &[("configuration-snippet", "deny all;")]));
    assert!(actions(&plane, "one.test").iter().any(|action| **action != Action::Deny));
    plane.apply(&second("one.test", &[("server-snippet", "deny all;")]));
    assert!(is_denied(&plane, "one.test"));
}

/// The 403 of a host goes before its app-root (annotations §3.0); the 503 of a location does not (§3.2).
#[test]
fn a_denied_host_has_no_app_root() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&config_map(json!({
        "allow-snippet-annotations": "true", "annotations-risk-level": "Critical",
    })));
    let app_root = |plane: &Plane| {
        let host = plane.last.hosts.iter().find(|host| host.name == "one.test");
        host.unwrap().app_root.clone()
    };
    plane.apply(&ingress("one.test", &[("app-root", "/app"), ("auth-type", "basic")]));
    assert_eq!(app_root(&plane).as_deref(), Some("/app"), "its location alone is denied");
    plane.apply(&second("one.test", &[("server-snippet", "deny all;")]));
    assert!(is_denied(&plane, "one.test"));
    assert_eq!(reasons_of(&plane, "app"), ["AnnotationParsingFailed", "HostDenied"]);
    assert_eq!(app_root(&plane), None);
    plane.remove(Kind::Ingress, "ns", "two");
    assert_eq!(app_root(&plane).as_deref(), Some("/app"));
}
