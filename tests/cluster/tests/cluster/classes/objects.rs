//! The objects that the table is about.

use std::collections::BTreeMap;

use anyhow::Result;
use headgate_cluster::{Cluster, test_upstream};
use headgate_tests::echo::Echo;
use serde_json::{Value, json};

use super::table::{CLASSES, NAMESPACES, ROWS, Row, Shape};

/// Namespaces, classes, Services with the endpoints that it returns, and the Ingresses of all rows.
pub async fn set_up(cluster: &Cluster) -> Result<[Echo; 2]> {
    let upstreams = [
        Echo::start("web", (test_upstream(1), 0).into()).await?,
        Echo::start("fallback", (test_upstream(2), 0).into()).await?,
    ];
    let mut objects = Vec::new();
    for (name, labels) in NAMESPACES {
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}));
        for echo in &upstreams {
            objects.extend(service(name, echo));
        }
    }
    objects.extend(CLASSES.iter().map(|(name, controller)| class(name, controller)));
    let is_both = |row: &&Row| row.class.is_some() && row.annotation.is_some();
    // With class and annotation an Ingress can be changed, but not be created.
    objects.extend(ROWS.iter().map(|row| {
        let annotation = row.annotation.filter(|_| row.class.is_none());
        ingress(&Row { annotation, ..*row })
    }));
    apply(cluster, objects).await?;
    apply(cluster, ROWS.iter().filter(is_both).map(ingress).collect()).await?;
    Ok(upstreams)
}

/// Creates or changes objects, all at once.
pub async fn apply(cluster: &Cluster, objects: Vec<Value>) -> Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    cluster.kubectl_with(["apply", "-f", "-"], &list.to_string()).await?;
    Ok(())
}

/// An IngressClass.
pub fn class(name: &str, controller: &str) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": name}, "spec": {"controller": controller}})
}

fn service(namespace: &str, echo: &Echo) -> [Value; 2] {
    let (name, address) = (echo.name(), echo.address());
    [
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"ports": [{"name": "http", "port": 80}]},
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "http", "port": address.port()}],
            "endpoints": [{"addresses": [address.ip()]}],
        }),
    ]
}

/// The Ingress of a row.
pub fn ingress(row: &Row) -> Value {
    let (namespace, name) = row.name.split_once('/').unwrap_or(("", row.name));
    let (host, path) = place(row.name, row.shape);
    let host = Some(host.as_str()).filter(|_| row.shape != Shape::NoHost);
    let mut spec = json!({});
    if row.shape != Shape::Default {
        spec["rules"] = json!([rule(host, &path)]);
    }
    if matches!(row.shape, Shape::Default | Shape::HostAndDefault) {
        spec["defaultBackend"] = json!({"service": {"name": "fallback", "port": {"number": 80}}});
    }
    object(namespace, name, row.class, row.annotation, spec)
}

/// A rule with one path to the Service `web`.
pub fn rule(host: Option<&str>, path: &str) -> Value {
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let path = json!({"path": path, "pathType": "Prefix", "backend": backend});
    let mut rule = json!({"http": {"paths": [path]}});
    if let Some(host) = host {
        rule["host"] = json!(host);
    }
    rule
}

/// An Ingress.
pub fn object(
    namespace: &str,
    name: &str,
    class: Option<&str>,
    annotation: Option<&str>,
    mut spec: Value,
) -> Value {
    let mut metadata = json!({"name": name, "namespace": namespace});
    if let Some(class) = class {
        spec["ingressClassName"] = json!(class);
    }
    if let Some(value) = annotation {
        metadata["annotations"] = json!({"kubernetes.io/ingress.class": value});
    }
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec})
}

/// Host and path of a request that only this Ingress answers.
pub fn place(name: &str, shape: Shape) -> (String, String) {
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    let own = format!("{name}.{namespace}.example");
    match shape {
        Shape::Host | Shape::HostAndDefault => (own, "/".into()),
        Shape::Injected => (own, "/etc/passwd".into()),
        Shape::NoHost => ("nobody.example".into(), format!("/{namespace}-{name}")),
        Shape::Default => ("nobody.example".into(), "/".into()),
    }
}
