//! Who a location's annotations come from: the implicit `/` (annotations §1.11), conflicts between Ingresses (§1.10),
//! canaries (§1.12).

use headgate_config::{Endpoints, UpstreamId, protection::AccessLists};
use k8s_openapi::api::core::v1::Service;

use super::*;

/// An Ingress of the host `one.test` with one path, older if `created` is less.
fn of_path(name: &str, path: &str, created: u32, annotations: &[(&str, &str)]) -> Object {
    let annotations: serde_json::Map<_, _> = annotations
        .iter()
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), (*value).into()))
        .collect();
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let path = json!({ "path": path, "pathType": "Prefix", "backend": backend });
    typed::<Ingress>(json!({
        "metadata": { "name": name, "namespace": "ns", "annotations": annotations,
            "creationTimestamp": format!("2024-01-01T00:00:{created:02}Z") },
        "spec": { "ingressClassName": "nginx",
            "rules": [{ "host": "one.test", "http": { "paths": [path] } }] },
    }))
}

/// The location of `one.test` for everything that no other path takes.
fn root(plane: &Plane) -> &headgate_config::Location {
    let host = plane.last.hosts.iter().find(|host| host.name == "one.test").unwrap();
    host.locations.last().unwrap()
}

fn allowed(plane: &Plane) -> Option<String> {
    let access: Option<&AccessLists> = root(plane).protection.as_ref()?.access.as_deref();
    access.and_then(|lists| lists.allow.first()).map(ToString::to_string)
}

const ALLOW: (&str, &str) = ("allowlist-source-range", "192.0.2.1");
const DENIED: (&str, &str) = ("allowlist-source-range", "");

#[test]
fn undeclared_paths_are_protected_as_the_oldest_ingress_of_the_host() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&of_path("old", "/old", 1, &[ALLOW]));
    plane.apply(&of_path("new", "/new", 2, &[]));
    assert_eq!(root(&plane).action, Action::Respond(404));
    assert_eq!(allowed(&plane).as_deref(), Some("192.0.2.1/32"));
    plane.apply(&of_path("old", "/old", 1, &[DENIED]));
    assert_eq!(root(&plane).action, Action::Deny);
    // Whoever declares it has it, and brings its own.
    plane.apply(&of_path("new", "/", 2, &[]));
    assert!(matches!(root(&plane).action, Action::Forward(_)));
    assert_eq!(allowed(&plane), None);
    plane.apply(&of_path("new", "/", 2, &[("denylist-source-range", "192.0.2.1")]));
    assert!(root(&plane).protection.is_some());
}

#[test]
fn of_two_with_the_same_path_the_oldest_has_it_with_its_annotations_only() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&of_path("new", "/", 2, &[DENIED, ("use-regex", "true")]));
    plane.apply(&of_path("old", "/", 1, &[ALLOW]));
    assert!(matches!(root(&plane).action, Action::Forward(_)));
    assert_eq!(allowed(&plane).as_deref(), Some("192.0.2.1/32"));
    // Equally old: the name that sorts last counts as the oldest.
    plane.apply(&of_path("zzz", "/", 1, &[]));
    assert_eq!(allowed(&plane), None);
}

#[test]
fn annotations_of_a_canary_mean_nothing_for_locations() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&of_path("main", "/app", 2, &[]));
    plane.apply(&of_path(
        "canary",
        "/",
        1,
        &[("canary", "true"), ALLOW, ("use-regex", "true"), ("server-alias", "two.test")],
    ));
    let host = plane.last.hosts.iter().find(|host| host.name == "one.test").unwrap();
    assert_eq!((host.mode, host.aliases.len()), (headgate_config::PathMode::Literal, 0));
    assert_eq!((&root(&plane).action, allowed(&plane)), (&Action::Respond(404), None));
    plane.apply(&of_path("canary", "/", 1, &[("canary", "true"), DENIED]));
    assert_eq!(root(&plane).action, Action::Respond(404));
    // Without `canary` the others of its kind mean nothing: it is an Ingress like any other.
    plane.apply(&of_path("canary", "/", 1, &[("canary-weight", "10"), ALLOW]));
    assert_eq!(allowed(&plane).as_deref(), Some("192.0.2.1/32"));
}

/// It is the port of a Service that has this, whoever leads there.
#[test]
fn the_oldest_decides_how_a_service_is_reached_even_if_it_is_a_canary() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&typed::<Service>(json!({
        "metadata": { "name": "web", "namespace": "ns" },
        "spec": { "clusterIP": "10.9.9.9", "ports": [{ "port": 80 }] },
    })));
    let by_service = |plane: &Plane| {
        let id = UpstreamId { namespace: "ns".into(), service: "web".into(), port: "80".into() };
        let upstream = plane.last.upstreams.get(&id).unwrap().clone();
        upstream.endpoints == Endpoints::Addresses(vec!["10.9.9.9:80".parse().unwrap()])
    };
    plane.apply(&of_path("main", "/", 2, &[("service-upstream", "false")]));
    assert!(!by_service(&plane));
    plane.apply(&of_path("later", "/later", 3, &[("service-upstream", "true")]));
    assert!(!by_service(&plane));
    let canary = [("canary", "true"), ("service-upstream", "true")];
    plane.apply(&of_path("canary", "/", 1, &canary));
    assert!(by_service(&plane));
    plane.remove(Kind::Ingress, "ns", "canary");
    assert!(!by_service(&plane));
}
