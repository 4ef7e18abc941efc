//! From objects to what is forwarded.

use headgate_config::Endpoints;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
    networking::v1::Ingress,
};
use serde_json::{Value, json};

use super::*;
use crate::{objects::Object, translate::Translator};

fn object<T: serde::de::DeserializeOwned + Into<Object>>(value: Value) -> Object {
    serde_json::from_value::<T>(value).expect("an object").into()
}

fn map(entries: Value) -> Object {
    object::<ConfigMap>(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "sys", "name": "streams"}, "data": entries,
    }))
}

/// A Service with port 53 of both protocols, named `dns` and `dns-udp`.
fn service() -> Object {
    object::<Service>(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "ns", "name": "db"},
        "spec": {"clusterIP": "10.96.0.1", "ports": [
            {"name": "dns", "port": 53, "targetPort": 5353},
            {"name": "dns-udp", "port": 53, "targetPort": 5454, "protocol": "UDP"},
        ]},
    }))
}

fn slice(addresses: &[&str]) -> Object {
    object::<EndpointSlice>(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "namespace": "ns", "name": "db-1",
            "labels": {"kubernetes.io/service-name": "db"},
        },
        "endpoints": [{"addresses": addresses}],
        "ports": [
            {"name": "dns", "port": 5353},
            {"name": "dns-udp", "port": 5454, "protocol": "UDP"},
        ],
    }))
}

fn ingress(host: &str, wants: &str) -> Object {
    ingress_of("/", host, wants)
}

fn ingress_of(path: &str, host: &str, wants: &str) -> Object {
    object::<Ingress>(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "namespace": "ns", "name": if path == "/" { "app" } else { "part" },
            "annotations": {
                "kubernetes.io/ingress.class": "nginx",
                "nginx.ingress.kubernetes.io/ssl-passthrough": wants,
            },
        },
        "spec": {"rules": [{"host": host, "http": {"paths": [
            {"path": path, "pathType": "Prefix",
             "backend": {"service": {"name": "db", "port": {"name": "dns"}}}},
        ]}}]},
    }))
}

struct Plane {
    objects: Objects,
    translator: Translator,
}

impl Plane {
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options {
            tcp_services_configmap: "sys/streams".parse().ok(),
            is_only_controller: true,
            ..Options::default()
        };
        change(&mut options);
        Self { objects: Objects::default(), translator: Translator::new(options) }
    }

    /// What the translation says after these objects are there, if anything changed.
    fn apply(&mut self, objects: &[Object]) -> Option<headgate_config::Snapshot> {
        for object in objects {
            self.objects.apply(object);
        }
        let changes = self.objects.take_changes();
        self.translator.translate(&self.objects, &changes)
    }
}

fn endpoints(upstream: &Upstream) -> Vec<String> {
    let Endpoints::Addresses(addresses) = &upstream.endpoints else { return Vec::new() };
    addresses.iter().map(ToString::to_string).collect()
}

fn messages(snapshot: &headgate_config::Snapshot) -> Vec<&str> {
    snapshot.verdicts.iter().map(|verdict| verdict.message.as_str()).collect()
}

#[test]
fn a_port_leads_to_the_ready_endpoints_of_its_protocol() {
    let mut plane =
        Plane::new(|options| options.udp_services_configmap = "sys/streams".parse().ok());
    let entries = json!({"9000": "ns/db:53", "9001": "ns/db:dns-udp"});
    let snapshot = plane.apply(&[map(entries), service(), slice(&["10.0.0.1"])]).unwrap();
    let services = &snapshot.streams.services;
    let shown: Vec<_> = services
        .iter()
        .map(|service| {
            format!("{} {} {:?}", service.name(), service.port, endpoints(&service.upstream))
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"tcp-ns-db-53 9000 ["10.0.0.1:5353"]"#,
            r#"udp-ns-db-53 9000 ["10.0.0.1:5454"]"#,
            r#"udp-ns-db-dns-udp 9001 ["10.0.0.1:5454"]"#,
        ]
    );
    let said = messages(&snapshot);
    assert!(said.len() == 1 && said[0].contains("no TCP port \"dns-udp\""), "{said:?}");
}

#[test]
fn only_what_changed_is_another_object() {
    let mut plane = Plane::new(|_| {});
    let entries = json!({"9000": "ns/db:53"});
    let first = plane.apply(&[map(entries), service(), slice(&["10.0.0.1"])]).unwrap();
    let second = plane.apply(&[slice(&["10.0.0.2"])]).unwrap();
    assert_eq!(endpoints(&second.streams.services[0].upstream), ["10.0.0.2:5353"]);
    let third = plane.apply(&[map(json!({"9000": "ns/db:53", "9001": "ns/db:53"}))]).unwrap();
    assert!(!Arc::ptr_eq(&first.streams.services[0], &second.streams.services[0]));
    assert!(Arc::ptr_eq(&second.streams.services[0], &third.streams.services[0]));
    assert!(plane.apply(&[map(json!({"9000": "ns/db:53", "9001": "ns/db:53"}))]).is_none());
}

#[test]
fn a_service_without_endpoints_keeps_its_port_and_one_that_is_missing_has_none() {
    let mut plane = Plane::new(|_| {});
    let entries = json!({"9000": "ns/db:53", "9001": "ns/nothing:53", "x": "ns/db:53"});
    let snapshot = plane.apply(&[map(entries), service(), slice(&[])]).unwrap();
    let services = &snapshot.streams.services;
    assert_eq!(services.len(), 1);
    assert_eq!(endpoints(&services[0].upstream), [""; 0]);
    let said = messages(&snapshot);
    assert!(said.iter().any(|message| message.contains("ns/nothing")), "{said:?}");
    assert!(said.iter().any(|message| message.contains("\"x\" is not a port")), "{said:?}");
}

#[test]
fn a_map_outside_of_the_watched_namespace_is_not_there() {
    let scope = NamespaceScope::One("ns".into());
    let mut plane = Plane::new(|options| options.namespaces = scope);
    let entries = json!({"9000": "ns/db:53"});
    let snapshot = plane.apply(&[map(entries), service(), slice(&["10.0.0.1"])]).unwrap();
    assert!(snapshot.streams.services.is_empty());
    assert!(messages(&snapshot)[0].contains("--watch-namespace"));
}

#[test]
fn a_map_that_is_removed_closes_its_ports() {
    let mut plane = Plane::new(|_| {});
    let entries = json!({"9000": "ns/db:53"});
    plane.apply(&[map(entries), service(), slice(&["10.0.0.1"])]).unwrap();
    plane.objects.remove(Kind::ConfigMap, &Key::new("sys", "streams"));
    let snapshot = plane.apply(&[]).unwrap();
    assert!(snapshot.streams.services.is_empty());
}

#[test]
fn a_host_is_passed_through_to_the_address_of_the_service_of_its_root() {
    let mut plane = Plane::new(|options| options.ssl_passthrough = true);
    let snapshot = plane.apply(&[ingress("a.test", "true"), service(), slice(&["10.0.0.1"])]);
    let passthrough = snapshot.unwrap().streams.passthrough.clone();
    assert_eq!(endpoints(&passthrough["a.test"]), ["10.96.0.1:53"]);
    let snapshot = plane.apply(&[ingress("a.test", "false")]).unwrap();
    assert!(snapshot.streams.passthrough.is_empty());
}

#[test]
fn without_the_flag_and_with_a_wildcard_nothing_is_passed_through() {
    for (flag, host) in [(false, "a.test"), (true, "*.a.test")] {
        let mut plane = Plane::new(|options| options.ssl_passthrough = flag);
        let snapshot = plane.apply(&[ingress(host, "true"), service()]).unwrap();
        assert!(snapshot.streams.passthrough.is_empty(), "{host}");
        let said = messages(&snapshot).iter().any(|it| it.contains("--enable-ssl-passthrough"));
        assert_eq!(said, !flag, "{host}");
    }
}

#[test]
fn paths_that_are_not_passed_through_are_named() {
    let mut plane = Plane::new(|options| options.ssl_passthrough = true);
    let snapshot = plane.apply(&[ingress_of("/api", "a.test", "true"), service()]).unwrap();
    let said = messages(&snapshot);
    assert!(said.iter().any(|it| it.contains("host \"a.test\" has no path \"/\"")), "{said:?}");
    let snapshot = plane.apply(&[ingress("a.test", "false")]).unwrap();
    assert!(snapshot.streams.passthrough.contains_key("a.test"));
    let said = messages(&snapshot);
    let mut said = said.iter().filter(|it| it.starts_with("ssl-passthrough"));
    let only = said.next().unwrap();
    assert!(only.contains("path \"/api\" of host \"a.test\" gets no requests"), "{only}");
    assert_eq!(said.next(), None);
    let snapshot = plane.apply(&[ingress_of("/api", "*.test", "true")]).unwrap();
    let said = messages(&snapshot);
    assert!(said.iter().any(|it| it.contains("is no exact name")), "{said:?}");
}
