//! Services that are asked, and what they depend on.

use headgate_config::protection::ExternalAuth;

use super::*;

/// What the locations of the first host ask, and whether they are denied.
fn asked(plane: &Plane) -> Vec<Option<ExternalAuth>> {
    let host = plane.last.hosts.iter().find(|host| host.name != "_").expect("a host");
    let locations = host.locations.iter();
    locations
        .map(|location| match &location.action {
            Action::Deny => None,
            _ => location.protection.as_ref()?.external.as_deref().cloned(),
        })
        .collect()
}

pub(super) fn config_map(namespace: &str, name: &str, data: Value) -> Object {
    typed::<ConfigMap>(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": namespace, "name": name }, "data": data,
    }))
}

#[test]
fn headers_follow_their_config_map() {
    let mut plane = Plane::new(Options::default());
    let annotations = [("auth-url", "http://auth.test/"), ("auth-proxy-set-headers", "ns/headers")];
    plane.apply(&ingress("a.test", &annotations));
    assert_eq!(asked(&plane), [None], "denied: there is none");
    let values = |plane: &Plane| {
        let asked = asked(plane).remove(0).expect("it is asked");
        asked.request_headers.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
    };
    for value in ["1", "2"] {
        plane.apply(&config_map("ns", "headers", json!({ "X-A": value })));
        assert_eq!(values(&plane), [value]);
    }
    plane.remove(Kind::ConfigMap, "ns", "headers");
    assert_eq!(asked(&plane), [None]);
}

#[test]
fn all_locations_ask_where_the_config_map_says_so() {
    let options = Options { configmap: "sys/main".parse().ok(), ..Options::default() };
    let mut plane = Plane::new(options);
    plane.apply(&ingress("a.test", &[]));
    assert_eq!(asked(&plane), [None], "nobody is asked");
    plane.apply(&config_map("sys", "main", json!({ "global-auth-url": "http://auth.test/" })));
    let urls: Vec<_> = asked(&plane).into_iter().flatten().map(|service| service.url).collect();
    assert_eq!(urls, ["http://auth.test/"]);
    let default = plane.last.hosts.iter().find(|host| host.name == "_").expect("it is there");
    assert!(default.locations.iter().all(|location| location.protection.is_none()));
    plane.apply(&config_map("sys", "main", json!({ "global-auth-url": "auth.test" })));
    let denied = |plane: &Plane| {
        let mut locations = plane.last.hosts.iter().flat_map(|host| &host.locations);
        locations.any(|location| location.action == Action::Deny)
    };
    assert!(denied(&plane));
    assert!(plane.reasons().contains(&(Effect::Denied, "InvalidValue")));
    plane.remove(Kind::ConfigMap, "sys", "main");
    assert!(!denied(&plane));
}

#[test]
fn in_folders_a_service_is_asked_at_its_endpoints() {
    for by_name in [true, false] {
        let options = Options { resolve_services_by_name: by_name, ..Options::default() };
        let mut plane = Plane::new(options);
        let annotations = [("auth-url", "http://auth.sec.svc.cluster.local:4180/x")];
        plane.apply(&ingress("a.test", &annotations));
        let id = asked(&plane).remove(0).expect("it is asked").upstream;
        assert_eq!(id.is_some(), by_name);
        if let Some(id) = id {
            assert_eq!(id.to_string(), "sec-auth-4180");
            assert!(plane.last.upstreams.contains(&id));
            let messages: Vec<_> =
                plane.last.verdicts.iter().map(|verdict| verdict.message.as_str()).collect();
            let about =
                |message: &&&str| message.contains("the URL of the external authentication");
            assert_eq!(messages.iter().filter(about).count(), 1, "{messages:?}");
        }
    }
}

#[test]
fn where_nobody_is_asked_a_client_cannot_say_what_the_service_would() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&config_map("sys", "conf", json!({ "no-auth-locations": "/" })));
    plane.apply(&ingress(
        "a.test",
        &[
            ("auth-url", "http://auth.test/"),
            ("auth-response-headers", "X-User,authorization,X-Groups"),
        ],
    ));
    let host = plane.last.hosts.iter().find(|host| host.name == "a.test").expect("it is there");
    let protection = host.locations[0].protection.as_ref().expect("headers are taken away");
    assert_eq!(protection.external, None);
    assert_eq!(protection.removed_headers, ["X-User", "X-Groups"], "credentials are the client's");
}
