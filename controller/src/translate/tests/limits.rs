//! The Secret of the store of shared limits, and what changes when it does.

use std::sync::Arc;

use headgate_config::protection::{LimitCounting, LimitFallback, LimitStore};

use super::*;

fn secret_with(password: &str) -> Object {
    typed::<Secret>(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "redis", "namespace": "sys" },
        "stringData": { "password": password },
    }))
}

fn shared_ingress() -> Object {
    let path = json!({ "path": "/", "pathType": "Prefix",
        "backend": { "service": { "name": "web", "port": { "number": 80 } } } });
    typed::<Ingress>(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": "app", "namespace": "ns", "annotations": {
            "nginx.ingress.kubernetes.io/limit-rps": "10", "headgate.io/limit-shared": "true",
        } },
        "spec": { "ingressClassName": "nginx",
            "rules": [{ "host": "a.test", "http": { "paths": [path] } }] },
    }))
}

fn store(plane: &Plane) -> Option<&Arc<LimitStore>> {
    match plane.last.settings.limit_store.as_ref()? {
        LimitCounting::Store(store) => Some(store),
        LimitCounting::Unusable(_) => None,
    }
}

/// Whether the limit of the Ingress is one that a store is asked about.
fn is_shared(plane: &Plane) -> bool {
    let host = plane.last.hosts.iter().find(|host| host.name == "a.test").expect("it is served");
    let protection = host.locations[0].protection.as_ref().expect("it is limited");
    protection.limits.as_ref().expect("it is limited").shared
}

fn messages(plane: &Plane) -> String {
    plane.last.verdicts.iter().map(|verdict| format!("{}\n", verdict.message)).collect()
}

#[test]
fn the_secret_of_the_store_may_come_change_and_go() {
    let options = Options { configmap: "sys/conf".parse().ok(), ..Options::default() };
    let mut plane = Plane::new(options);
    plane.apply(&shared_ingress());
    assert!(!is_shared(&plane) && plane.last.settings.limit_store.is_none());
    assert!(
        messages(&plane).contains("the ConfigMap sys/conf does not exist"),
        "{}",
        messages(&plane)
    );
    plane.apply(&config_map(json!({
        "limit-shared-url": "redis://redis.sys", "limit-shared-secret": "sys/redis",
        "limit-shared-fallback": "closed",
    })));
    let unusable = Some(LimitCounting::Unusable(LimitFallback::Closed));
    assert!(is_shared(&plane) && plane.last.settings.limit_store == unusable);
    for reason in ["InvalidValue", "LimitNotShared"] {
        assert!(plane.reasons().contains(&(Effect::Denied, reason)), "{:?}", plane.reasons());
    }
    for password in ["one", "two"] {
        plane.apply(&secret_with(password));
        let found = store(&plane).expect("a store").login.as_ref().expect("a password");
        assert_eq!(found.password(), password);
        assert!(is_shared(&plane));
    }
    assert_eq!(plane.reasons(), []);
    let hosts = Arc::clone(&plane.last.hosts);
    plane.apply(&secret_with("three"));
    assert!(Arc::ptr_eq(&plane.last.hosts, &hosts), "a new password is no new host");
    plane.remove(Kind::Secret, "sys", "redis");
    assert!(is_shared(&plane) && plane.last.settings.limit_store == unusable);
    plane.remove(Kind::ConfigMap, "sys", "conf");
    assert!(!is_shared(&plane) && plane.last.settings.limit_store.is_none());
}

#[test]
fn where_no_config_map_is_named_that_is_said() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&shared_ingress());
    assert!(messages(&plane).contains("no ConfigMap is named"), "{}", messages(&plane));
}
