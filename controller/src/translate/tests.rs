//! What the translation remembers, and what it must not.

use headgate_config::{Action, Effect, Snapshot};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Secret},
    networking::v1::{Ingress, IngressClass},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::objects::{Kind, Object};

mod balance;
mod client_certificates;
mod error_pages;
mod external;
mod headers;
mod inheritance;
mod limits;
mod password;

mod said;
mod shared;
mod snippets;
mod transport;
mod www;

/// A translator with its objects.
struct Plane {
    objects: Objects,
    translator: Translator,
    last: Snapshot,
}

impl Plane {
    fn new(options: Options) -> Self {
        let mut plane = Self::starting(options);
        plane.translate();
        plane
    }

    /// Nothing is translated yet.
    fn starting(options: Options) -> Self {
        let mut plane = Self {
            objects: Objects::default(),
            translator: Translator::new(options),
            last: Snapshot::default(),
        };
        plane.objects.apply(&class("nginx", "k8s.io/ingress-nginx"));
        plane
    }

    fn apply(&mut self, object: &Object) -> &Snapshot {
        self.objects.apply(object);
        self.translate()
    }

    fn remove(&mut self, kind: Kind, namespace: &str, name: &str) -> &Snapshot {
        assert!(self.objects.remove(kind, &Key::new(namespace, name)), "there is no {name}");
        self.translate()
    }

    fn translate(&mut self) -> &Snapshot {
        let changes = self.objects.take_changes();
        if let Some(snapshot) = self.translator.translate(&self.objects, &changes) {
            self.last = snapshot;
        }
        &self.last
    }

    fn hosts(&self) -> Vec<&str> {
        let names = self.last.hosts.iter().map(|host| host.name.as_str());
        names.filter(|name| *name != "_").collect()
    }

    /// Reasons of the findings, but for Services that do not exist.
    fn reasons(&self) -> Vec<(Effect, &str)> {
        let verdicts = self.last.verdicts.iter();
        let verdicts = verdicts.filter(|verdict| verdict.reason != "ServiceNotFound");
        verdicts.map(|verdict| (verdict.effect, verdict.reason.as_str())).collect()
    }
}

fn typed<T: DeserializeOwned + Into<Object>>(value: Value) -> Object {
    serde_json::from_value::<T>(value).unwrap().into()
}

fn class(name: &str, controller: &str) -> Object {
    typed::<IngressClass>(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": { "name": name }, "spec": { "controller": controller },
    }))
}

fn ingress(host: &str, annotations: &[(&str, &str)]) -> Object {
    ingress_of("nginx", host, annotations, json!({}))
}

fn ingress_of(class: &str, host: &str, annotations: &[(&str, &str)], more: Value) -> Object {
    ingress_named("app", class, host, annotations, more)
}

fn ingress_named(
    name: &str,
    class: &str,
    host: &str,
    annotations: &[(&str, &str)],
    more: Value,
) -> Object {
    let annotations: serde_json::Map<_, _> = annotations
        .iter()
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), (*value).into()))
        .collect();
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
    let mut spec = json!({ "ingressClassName": class, "rules": [{ "host": host, "http": { "paths": [path] } }] });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    typed::<Ingress>(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "ns", "annotations": annotations }, "spec": spec,
    }))
}

fn config_map(data: Value) -> Object {
    typed::<ConfigMap>(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "conf", "namespace": "sys" }, "data": data,
    }))
}

fn secret(certificate: &str, key: &str) -> Object {
    typed::<Secret>(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "tls", "namespace": "ns" },
        "stringData": { "tls.crt": certificate, "tls.key": key },
    }))
}

fn with_config_map() -> Options {
    Options { configmap: Some("sys/conf".parse().unwrap()), ..Options::default() }
}

#[test]
fn a_refused_update_keeps_the_version_before() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[]));
    plane.apply(&ingress("two.test", &[("configuration-snippet", "return 418;")]));
    assert_eq!(plane.hosts(), ["one.test"]);
    assert_eq!(plane.reasons(), [(Effect::Refused, "InvalidAnnotation")]);
    let message = &plane.last.verdicts[0].message;
    assert!(message.ends_with("the version before it stays in service"), "{message}");
    plane.apply(&ingress("three.test", &[]));
    assert_eq!(plane.hosts(), ["three.test"]);
    assert_eq!(plane.reasons(), []);
}

#[test]
fn a_refused_creation_is_nothing() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[("limit-rps", "10r/s")]));
    assert_eq!(plane.hosts(), [""; 0]);
    assert_eq!(plane.reasons(), [(Effect::Refused, "InvalidAnnotation")]);
    plane.remove(Kind::Ingress, "ns", "app");
    assert_eq!(plane.reasons(), []);
}

#[test]
fn after_deletion_nothing_is_remembered() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[]));
    plane.remove(Kind::Ingress, "ns", "app");
    plane.apply(&ingress("two.test", &[("limit-rps", "10r/s")]));
    assert_eq!(plane.hosts(), [""; 0]);
}

#[test]
fn a_change_of_class_removes_even_what_would_be_refused() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[]));
    plane.apply(&ingress_of("other", "one.test", &[("limit-rps", "10r/s")], json!({})));
    assert_eq!(plane.hosts(), [""; 0]);
}

#[test]
fn an_update_to_a_switched_off_catch_all_removes() {
    let options = Options { disable_catch_all: true, ..Options::default() };
    let mut plane = Plane::new(options);
    plane.apply(&ingress("one.test", &[]));
    let backend =
        json!({ "defaultBackend": { "service": { "name": "web", "port": { "number": 80 } } } });
    plane.apply(&ingress_of("nginx", "one.test", &[], backend));
    assert_eq!(plane.hosts(), [""; 0]);
}

#[test]
fn classes_come_and_go() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress_of("second", "one.test", &[], json!({})));
    assert_eq!(plane.hosts(), [""; 0]);
    plane.apply(&class("second", "k8s.io/ingress-nginx"));
    assert_eq!(plane.hosts(), ["one.test"], "a class that comes late activates its Ingresses");
    plane.remove(Kind::IngressClass, "", "second");
    assert_eq!(plane.hosts(), [""; 0], "no ghost routes");
}

#[test]
fn classes_count_as_soon_as_they_are_heeded() {
    let options = Options { ignore_ingress_class_name: true, ..Options::default() };
    let mut plane = Plane::new(options);
    plane.apply(&ingress("one.test", &[]));
    assert_eq!(plane.hosts(), [""; 0], "it has no annotation that names a class");
    plane.translator.heed_classes();
    plane.translate();
    assert_eq!(plane.hosts(), ["one.test"]);
    plane.remove(Kind::IngressClass, "", "nginx");
    assert_eq!(plane.hosts(), [""; 0]);
}

#[test]
fn namespaces_are_selected_by_their_labels() {
    let selector = NamespaceScope::Labelled("team=blue".parse().unwrap());
    let mut plane = Plane::new(Options { namespaces: selector, ..Options::default() });
    let namespace = |team: &str| {
        typed::<Namespace>(json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "ns", "labels": { "team": team } },
        }))
    };
    plane.apply(&ingress("one.test", &[]));
    assert_eq!(plane.hosts(), [""; 0]);
    plane.apply(&namespace("blue"));
    assert_eq!(plane.hosts(), ["one.test"]);
    plane.apply(&namespace("red"));
    assert_eq!(plane.hosts(), [""; 0]);
}

#[test]
fn only_the_watched_namespace_counts() {
    let scope = NamespaceScope::One("other".into());
    let mut plane = Plane::new(Options { namespaces: scope, ..Options::default() });
    plane.apply(&ingress("one.test", &[]));
    assert_eq!(plane.hosts(), [""; 0]);
}

#[test]
fn a_bad_secret_keeps_the_certificate_before() {
    const CERTIFICATE: &str = include_str!("../../tests/certificates/rsa.crt");
    const KEY: &str = include_str!("../../tests/certificates/rsa.key");
    let tls = json!({ "tls": [{ "hosts": ["a.test"], "secretName": "tls" }] });
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress_of("nginx", "a.test", &[], tls));
    assert_eq!(plane.reasons(), [(Effect::Warning, "SecretNotFound")]);
    plane.apply(&secret(CERTIFICATE, KEY));
    assert_eq!(plane.reasons(), []);
    let good = plane.last.tls.clone();
    assert!(good.names["a.test"].is_some());

    plane.apply(&secret(CERTIFICATE, "no key"));
    assert_eq!(plane.reasons(), [(Effect::Refused, "InvalidCertificate")]);
    assert!(Arc::ptr_eq(&good, &plane.last.tls), "the table is the same");

    plane.remove(Kind::Secret, "ns", "tls");
    assert_eq!(plane.last.tls.names["a.test"], None, "the host still has the default certificate");
    assert!(plane.last.tls.certificates.is_empty());
    plane.remove(Kind::Ingress, "ns", "app");
    assert!(plane.last.tls.names.is_empty());
    assert_eq!(plane.reasons(), []);
}

#[test]
fn a_secret_that_nobody_names_is_not_read() {
    let mut plane = Plane::new(Options::default());
    let before = plane.last.clone();
    assert_eq!(*plane.apply(&secret("broken", "broken")), before);
}

#[test]
fn a_deleted_config_map_is_the_defaults() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&ingress("one.test", &[]));
    let defaults = plane.last.clone();
    plane.apply(&config_map(json!({ "proxy-body-size": "8m", "keep-alive": "5" })));
    assert_eq!(plane.last.settings.keep_alive.as_secs(), 5);
    assert_eq!(plane.last.hosts[1].locations[0].body_limit, Some(8 << 20));
    assert_eq!(*plane.remove(Kind::ConfigMap, "sys", "conf"), defaults);
}

#[test]
fn what_restrictions_refuse_later_stays_in_service() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&ingress("one.test", &[("upstream-vhost", "evil.test")]));
    plane.apply(&config_map(json!({ "annotation-value-word-blocklist": "evil" })));
    assert_eq!(plane.hosts(), ["one.test"]);
    assert_eq!(plane.reasons(), [(Effect::Refused, "InvalidAnnotation")]);
}

#[test]
fn a_list_of_the_config_map_that_cannot_be_read_denies_everything() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&ingress("one.test", &[]));
    plane.apply(&config_map(json!({ "whitelist-source-range": "10.0.0.0/33" })));
    assert_eq!(plane.reasons(), [(Effect::Denied, "InvalidValue")]);
    let actions: Vec<_> = plane
        .last
        .hosts
        .iter()
        .flat_map(|host| &host.locations)
        .map(|location| &location.action)
        .collect();
    let own = [&Action::Health, &Action::ConnectionStatus];
    assert_eq!(actions, [&Action::Deny, own[0], own[1], &Action::Deny]);
    plane.apply(&config_map(json!({ "whitelist-source-range": "10.0.0.0/8" })));
    assert_eq!(plane.reasons(), []);
    let location = &plane.last.hosts[1].locations[0];
    assert!(location.action != Action::Deny && location.protection.is_some());
}

#[test]
fn nothing_new_is_no_snapshot() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[]));
    plane.objects.apply(&ingress("one.test", &[("unknown.annotation", "x")]));
    let changes = plane.objects.take_changes();
    assert!(plane.translator.translate(&plane.objects, &changes).is_some(), "a new finding");
    plane.objects.apply(&ingress_of("other", "one.test", &[], json!({})));
    plane.objects.apply(&ingress("one.test", &[("unknown.annotation", "y")]));
    let changes = plane.objects.take_changes();
    assert_eq!(plane.translator.translate(&plane.objects, &changes), None);
}
