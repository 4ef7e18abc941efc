//! Random objects over few names, so that they meet.

use headgate_controller::objects::{Key, Kind, Object};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret, Service},
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressClass},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

/// An Ingress, as far as its table depends on it.
#[derive(Clone, Debug)]
pub struct Spec {
    pub name: &'static str,
    pub created: u8,
    pub use_regex: bool,
    pub target: &'static str,
    pub default: bool,
    /// Hosts with their paths.
    pub rules: Vec<(&'static str, Vec<Path>)>,
}

/// A path, whether it is Exact, and its Service.
pub type Path = (&'static str, bool, &'static str);

/// A change of one object.
#[derive(Clone, Debug)]
pub enum Step {
    Apply(Object),
    Remove(Kind, Key),
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const HOSTS: [&str; 5] = ["", "a.test", "b.test", "*.b.test", "x.b.test"];
const PATHS: [&str; 9] = ["", "/", "/foo", "/foo/", "/bar", "/foo/bar", "/f.o", "/b/", "/bar/foo/"];
const SERVICES: [&str; 3] = ["one", "two", "three"];

pub fn specs() -> impl Strategy<Value = Vec<Spec>> {
    vec(spec(), 0..6).prop_map(|specs| {
        let mut seen = Vec::new();
        specs
            .into_iter()
            .filter(|spec| {
                !seen.contains(&spec.name) && {
                    seen.push(spec.name);
                    true
                }
            })
            .collect()
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let path = (select(&PATHS[..]), any::<bool>(), select(&SERVICES[..]));
    let rule = (select(&HOSTS[..]), vec(path, 0..4));
    let target = prop_oneof![4 => Just(""), 1 => Just("/"), 1 => Just("/foo"), 1 => Just("/$1")];
    (
        select(&NAMES[..]),
        0..3_u8,
        prop::bool::weighted(0.2),
        target,
        prop::bool::weighted(0.3),
        vec(rule, 0..3),
    )
        .prop_map(|(name, created, use_regex, target, default, rules)| Spec {
            name,
            created,
            use_regex,
            target,
            default,
            rules,
        })
}

impl Spec {
    pub fn object(&self) -> Object {
        self.with(&mut json!({}), json!([]))
    }

    fn with(&self, annotations: &mut Value, tls: Value) -> Object {
        let mut set = |name: &str, value: &str| {
            annotations[format!("nginx.ingress.kubernetes.io/{name}")] = value.into()
        };
        set("use-regex", if self.use_regex { "true" } else { "false" });
        if !self.target.is_empty() {
            set("rewrite-target", self.target);
        }
        let service = |name: &str| json!({ "service": { "name": name, "port": { "number": 80 } } });
        let path = |(path, exact, name): &(&str, bool, &str)| json!({ "path": path, "pathType": if *exact { "Exact" } else { "Prefix" }, "backend": service(name) });
        let rules: Vec<_> = self.rules.iter().map(|(host, paths)| {
            json!({ "host": host, "http": { "paths": paths.iter().map(path).collect::<Vec<_>>() } })
        }).collect();
        let mut spec = json!({ "ingressClassName": "nginx", "rules": rules, "tls": tls });
        if self.default {
            spec["defaultBackend"] = service("default");
        }
        typed::<Ingress>(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {
                "name": self.name,
                "namespace": "ns",
                "creationTimestamp": format!("2024-01-0{}T00:00:00Z", self.created + 1),
                "annotations": annotations,
            },
            "spec": spec,
        }))
    }
}

pub fn class() -> Object {
    typed::<IngressClass>(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": { "name": "nginx" },
        "spec": { "controller": "k8s.io/ingress-nginx" },
    }))
}

/// Objects of all kinds; several may be versions of one.
pub fn objects() -> impl Strategy<Value = Vec<Object>> {
    vec(object(), 0..20).prop_map(|mut objects| {
        objects.insert(0, class());
        objects
    })
}

/// Changes; nothing that a refusal would make depend on the past.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let remove = object().prop_map(|object| Step::Remove(object.kind(), object.key().clone()));
    let step = prop_oneof![5 => object().prop_map(Step::Apply), 2 => remove];
    vec(step, 1..25).prop_map(|mut steps| {
        steps.insert(steps.len() / 4, Step::Apply(class()));
        steps
    })
}

fn object() -> impl Strategy<Value = Object> {
    prop_oneof![
        6 => ingress(),
        2 => service(),
        2 => slice(),
        2 => secret(),
        1 => config_map(),
        1 => Just(class()),
    ]
}

fn ingress() -> impl Strategy<Value = Object> {
    let aliases =
        option::weighted(0.3, select(&["x.test", "a.test,y.test", "*.b.test,x.test", "~^z"][..]));
    let secret = option::weighted(
        0.4,
        (option::of(select(&["a.test", "x.b.test"][..])), select(&["rsa", "ed25519"][..])),
    );
    let flags = (
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    );
    (spec(), aliases, secret, flags).prop_map(|(spec, aliases, secret, (canary, denied, by_ip, spare, bound, timed))| {
        let mut annotations = json!({});
        let mut set = |name: &str, value: &str| annotations[format!("nginx.ingress.kubernetes.io/{name}")] = value.into();
        if let Some(aliases) = aliases {
            set("server-alias", aliases);
        }
        for (name, value, wanted) in [
            ("canary", "true", canary),
            ("auth-url", "https://auth.test/", denied),
            ("service-upstream", "true", by_ip),
            ("default-backend", "three", spare),
            ("affinity", "cookie", bound),
            ("affinity-canary-behavior", "legacy", canary && timed),
            ("load-balance", "ewma", timed),
            ("session-cookie-name", &*spec.name.to_uppercase(), bound),
        ] {
            if wanted {
                set(name, value);
            }
        }
        let tls = secret.map(|(host, secret)| json!({ "hosts": host.into_iter().collect::<Vec<_>>(), "secretName": secret }));
        spec.with(&mut annotations, tls.into_iter().collect())
    })
}

fn service() -> impl Strategy<Value = Object> {
    (select(&SERVICES[..]), 0..3_u8, any::<bool>()).prop_map(|(name, kind, named)| {
        let spec = match kind {
            0 => json!({ "type": "ExternalName", "externalName": "ext.test" }),
            _ => json!({ "clusterIP": format!("10.96.0.{kind}"), "ports": [{ "name": if named { "http" } else { "" }, "port": 80, "targetPort": 8080 }] }),
        };
        typed::<Service>(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "ns" }, "spec": spec }))
    })
}

fn slice() -> impl Strategy<Value = Object> {
    (select(&NAMES[..]), select(&SERVICES[..]), vec(0..4_u8, 0..3)).prop_map(|(name, service, addresses)| {
        let endpoints: Vec<_> = addresses.iter().map(|last| json!({ "addresses": [format!("10.0.0.{last}")] })).collect();
        typed::<EndpointSlice>(json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": { "name": name, "namespace": "ns", "labels": { "kubernetes.io/service-name": service } },
            "addressType": "IPv4",
            "ports": [{ "name": "http", "port": 8080 }],
            "endpoints": endpoints,
        }))
    })
}

fn secret() -> impl Strategy<Value = Object> {
    select(&["rsa", "ed25519"][..]).prop_map(|name| {
        let (certificate, key) = match name {
            "rsa" => {
                (include_str!("../certificates/rsa.crt"), include_str!("../certificates/rsa.key"))
            }
            _ => (
                include_str!("../certificates/ed25519.crt"),
                include_str!("../certificates/ed25519.key"),
            ),
        };
        typed::<Secret>(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name, "namespace": "ns" },
            "stringData": { "tls.crt": certificate, "tls.key": key },
        }))
    })
}

fn config_map() -> impl Strategy<Value = Object> {
    (select(&["true", "false", "perhaps"][..]), select(&["1m", "8m"][..])).prop_map(|(switch, size)| {
        typed::<ConfigMap>(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "conf", "namespace": "ns" },
            "data": { "ssl-redirect": switch, "service-upstream": switch, "proxy-body-size": size, "use-http2": switch },
        }))
    })
}

fn typed<T: serde::de::DeserializeOwned + Into<Object>>(value: Value) -> Object {
    serde_json::from_value::<T>(value).unwrap().into()
}
