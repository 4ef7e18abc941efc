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

mod protection;

/// A translator with its objects.
struct Plane {
    objects: Objects,
    translator: Translator,
    last: Snapshot,
}

impl Plane {
    fn new(options: Options) -> Self {
        let mut plane = Self {
            objects: Objects::default(),
            translator: Translator::new(options),
            last: Snapshot::default(),
        };
        plane.apply(&class("nginx", "k8s.io/ingress-nginx"));
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
fn protection_of_the_config_map_that_is_not_available_denies_everything() {
    let mut plane = Plane::new(with_config_map());
    plane.apply(&ingress("one.test", &[]));
    plane.apply(&config_map(json!({ "whitelist-source-range": "10.0.0.0/8" })));
    assert_eq!(plane.reasons(), [(Effect::Denied, "NotSupported")]);
    let actions: Vec<_> = plane
        .last
        .hosts
        .iter()
        .flat_map(|host| &host.locations)
        .map(|location| &location.action)
        .collect();
    let own = [&Action::Health, &Action::ConnectionStatus];
    assert_eq!(actions, [&Action::Deny, own[0], own[1], &Action::Deny]);
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

fn alone() -> Options {
    Options { is_only_controller: true, ..Options::default() }
}

#[test]
fn where_nobody_else_serves_an_ingress_of_no_class_of_ours_gets_a_verdict() {
    let mut plane = Plane::new(alone());
    plane.apply(&class("other", "example.com/other"));
    for (name, message) in [
        (
            "ngnix",
            "spec.ingressClassName names class \"ngnix\", of which there is no IngressClass (controller k8s.io/ingress-nginx has: nginx); not served",
        ),
        (
            "other",
            "spec.ingressClassName names class \"other\" of the controller \"example.com/other\" (controller k8s.io/ingress-nginx has: nginx); not served",
        ),
    ] {
        plane.apply(&ingress_of(name, "one.test", &[], json!({})));
        assert_eq!(plane.reasons(), [(Effect::Ignored, "IngressClassNotOurs")]);
        assert_eq!(plane.last.verdicts[0].message, message);
        assert!(plane.translator.remarks().is_empty());
    }
    let classless = ingress_of("", "one.test", &[], json!({ "ingressClassName": null }));
    plane.apply(&classless);
    let message = &plane.last.verdicts[0].message;
    assert!(message.starts_with("names no class: set spec.ingressClassName"), "{message}");
    plane.apply(&ingress("one.test", &[]));
    assert_eq!((plane.hosts(), plane.reasons()), (vec!["one.test"], vec![]));
}

#[test]
fn a_class_that_is_deleted_is_missed_and_one_that_comes_is_not() {
    let mut plane = Plane::new(alone());
    plane.apply(&ingress("one.test", &[]));
    assert_eq!(plane.reasons(), []);
    plane.remove(Kind::IngressClass, "", "nginx");
    assert_eq!(plane.reasons(), [(Effect::Ignored, "IngressClassNotOurs")]);
    assert!(plane.last.verdicts[0].message.contains("has: none"), "{:?}", plane.last.verdicts);
    plane.apply(&class("nginx", "example.com/other"));
    assert!(plane.last.verdicts[0].message.contains("example.com/other"));
    plane.apply(&class("nginx", "k8s.io/ingress-nginx"));
    assert_eq!((plane.hosts(), plane.reasons()), (vec!["one.test"], vec![]));
}

/// Routing §1.2: others may serve it.
#[test]
fn in_a_cluster_only_a_class_that_does_not_exist_is_remarked_upon() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&class("other", "example.com/other"));
    plane.apply(&ingress_of("other", "one.test", &[], json!({})));
    plane.apply(&ingress_named("b", "", "b.test", &[], json!({ "ingressClassName": null })));
    assert!(plane.translator.remarks().is_empty());
    plane.apply(&ingress_named("c", "ngnix", "c.test", &[], json!({})));
    let remarks: Vec<_> =
        plane.translator.remarks().iter().map(|remark| remark.object.name.as_str()).collect();
    assert_eq!(remarks, ["c"]);
    plane.remove(Kind::IngressClass, "", "other");
    assert_eq!(plane.translator.remarks().len(), 2, "a class that goes is missed");
    assert_eq!((plane.hosts(), plane.reasons()), (vec![], vec![]));
}

/// Whatever opens a parenthesis more than it closes cannot be served.
fn with_pattern_check() -> Options {
    fn check(text: &str) -> Result<(), String> {
        let is_closed = text.matches('(').count() <= text.matches(')').count();
        is_closed.then_some(()).ok_or_else(|| "unclosed".into())
    }
    let rewrite = |rewrite: &headgate_config::Rewrite| {
        if rewrite.target.ends_with("bad") { Err("unnamed".into()) } else { Ok(()) }
    };
    let check = crate::PatternCheck { path: check, rewrite, alias: check };
    Options { pattern_check: Some(check), ..Options::default() }
}

#[test]
fn a_regular_expression_that_cannot_be_served_gets_a_verdict() {
    let mut plane = Plane::new(with_pattern_check());
    let path = |path: &str| {
        let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
        let path =
            json!({ "path": path, "pathType": "ImplementationSpecific", "backend": backend });
        json!({ "rules": [{ "host": "one.test", "http": { "paths": [path] } }] })
    };
    let regex = ("use-regex", "true");
    plane.apply(&ingress_of("nginx", "", &[regex], path("/a(b")));
    assert_eq!(plane.reasons(), [(Effect::Denied, "InvalidPath")]);
    assert_eq!(
        plane.last.verdicts[0].message,
        "path \"/a(b\" of host \"one.test\" is no usable regular expression: unclosed; requests that begin like it are answered with 503"
    );
    let target = ("rewrite-target", "/$1/bad");
    plane.apply(&ingress_of("nginx", "", &[regex, target], path("/a(b)")));
    // Of the path and of the host's `/`.
    assert_eq!(plane.reasons(), [(Effect::Denied, "InvalidRewrite"); 2]);
    let alias = ("server-alias", "~(x,b.test");
    plane.apply(&ingress_of("nginx", "", &[alias], path("/a")));
    assert_eq!(plane.reasons(), [(Effect::Warning, "InvalidAlias")]);
    assert_eq!(
        plane.last.verdicts[0].message,
        "alias \"(x\" of host one.test: unclosed; it matches nothing"
    );
    plane.apply(&ingress_of("nginx", "", &[regex], path("/a(b)")));
    assert_eq!(plane.reasons(), []);
    // Not an expression, because nothing of the host is.
    plane.apply(&ingress_of("nginx", "", &[], path("/a(b")));
    assert_eq!(plane.reasons(), []);
}

#[test]
fn an_ingress_is_told_that_its_service_or_port_does_not_exist() {
    let mut plane = Plane::new(Options::default());
    plane.apply(&ingress("one.test", &[("default-backend", "spare")]));
    let said = |plane: &Plane| {
        let said = plane.last.verdicts.iter();
        said.map(|verdict| format!("{}: {}", verdict.object, verdict.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        said(&plane),
        [
            "Ingress ns/app: annotation default-backend: the Service ns/spare is named as a backend and does not exist; create it or correct the name",
            "Ingress ns/app: host one.test, path /: the Service ns/web is named as a backend and does not exist; create it or correct the name",
        ]
    );
    plane.apply(&typed::<k8s_openapi::api::core::v1::Service>(json!({
        "metadata": { "name": "web", "namespace": "ns" }, "spec": { "ports": [{ "port": 81 }] },
    })));
    plane.apply(&ingress("one.test", &[]));
    assert_eq!(
        said(&plane),
        [
            "Ingress ns/app: host one.test, path /: the Service ns/web has no TCP port \"80\", which a backend names; correct one of them"
        ]
    );
    plane.remove(Kind::Ingress, "ns", "app");
    assert_eq!(said(&plane), [""; 0]);
}

#[test]
fn an_ingress_is_told_that_its_secret_does_not_exist() {
    let options = Options {
        default_ssl_certificate: Some("ns/default".parse().unwrap()),
        ..Options::default()
    };
    let mut plane = Plane::new(options);
    let tls = json!({ "tls": [{ "hosts": ["one.test"], "secretName": "tls" }] });
    plane.apply(&ingress_of("nginx", "one.test", &[], tls));
    let missing = plane.last.verdicts.iter().filter(|verdict| verdict.reason == "SecretNotFound");
    let missing: Vec<_> =
        missing.map(|verdict| format!("{}: {}", verdict.object, verdict.message)).collect();
    assert_eq!(
        missing,
        [
            "Ingress ns/app: host one.test: spec.tls names the Secret ns/tls, which does not exist; create it or correct the name; the default certificate is used instead",
            "Secret ns/default: --default-ssl-certificate names it, but it does not exist; a self-signed certificate is used instead",
        ]
    );
}

#[test]
fn where_nobody_reviews_an_ingress_is_told_that_another_has_its_path() {
    let mut plane = Plane::new(alone());
    // Of equally old objects the one whose name sorts last comes first.
    plane.apply(&ingress_named("zoe", "nginx", "one.test", &[], json!({})));
    plane.apply(&ingress_named("bob", "nginx", "one.test", &[], json!({})));
    plane.apply(&ingress_named("eve", "nginx", "two.test", &[], json!({})));
    let taken = |plane: &Plane| {
        let taken = plane.last.verdicts.iter().filter(|verdict| verdict.reason == "PathTaken");
        taken.map(|verdict| format!("{}: {}", verdict.object, verdict.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        taken(&plane),
        [
            "Ingress ns/bob: host \"one.test\" and path \"/\" is already defined in ingress ns/zoe, which keeps it; remove it from one of them"
        ]
    );
    plane.remove(Kind::Ingress, "ns", "zoe");
    assert_eq!(taken(&plane), [""; 0]);
}

#[test]
fn a_config_map_that_the_options_name_in_vain_is_missed() {
    let mut plane = Plane::new(Options { is_only_controller: true, ..with_config_map() });
    assert_eq!(plane.reasons(), [(Effect::Warning, "ConfigMapNotFound")]);
    assert_eq!(plane.last.verdicts[0].object.to_string(), "ConfigMap sys/conf");
    plane.apply(&config_map(json!({})));
    assert_eq!(plane.reasons(), []);
    plane.remove(Kind::ConfigMap, "sys", "conf");
    assert_eq!(plane.reasons(), [(Effect::Warning, "ConfigMapNotFound")]);
}
