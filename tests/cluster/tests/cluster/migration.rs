//! From an old controller to headgate and back, by the very commands of the overlay's README, while requests come in: none fails, no
//! status is ever emptied, and who writes is who should.
//!
//! The old controller is headgate again, under the names of the reference's manifests and with the reference's flags. What is shown is
//! that the steps are right for a controller that keeps to the reference's behaviour.

mod guide;

use anyhow::{Result, ensure};
use headgate_cluster::{Cluster, Settings, with_cluster};
use headgate_tests::tls::SelfSigned;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::{
    history::{History, published},
    load::Load,
    migration::guide::Guide,
    support::{SOON, apply_blog, pods, wait_status},
};

/// The namespace of both.
const NAMESPACE: &str = "ingress-nginx";
/// The old controller's Deployment, Service and ConfigMap.
const OLD: &str = "ingress-nginx-controller";
const OLD_LABELS: [(&str, &str); 4] = [
    ("app.kubernetes.io/name", "ingress-nginx"),
    ("app.kubernetes.io/instance", "ingress-nginx"),
    ("app.kubernetes.io/part-of", "ingress-nginx"),
    ("app.kubernetes.io/component", "controller"),
];
const CLIENTS: usize = 4;

#[test]
fn the_guide_leads_from_the_old_controller_to_headgate_and_back() {
    with_cluster(Settings::default(), async |cluster| {
        let guide = Guide::read(cluster)?;
        let mut history = History::follow(cluster);
        install_old(cluster).await?;
        apply_blog(cluster).await?;
        let gateway = cluster.load_balancer(NAMESPACE, OLD).await?;
        wait_status(cluster, gateway, "posts.com", "/", 200).await?;
        published(cluster, &history, "before").await?;
        let mut load =
            Load::start(gateway, &[("posts.com", "/"), ("posts.com", "/app.js")], CLIENTS);

        guide.follow("1. Install").await?;
        cluster.wait_endpoints(NAMESPACE, "headgate", 4, SOON).await?;
        published(cluster, &history, "beside").await?;
        let written = writes(cluster, "headgate").await?;
        ensure!(written.is_empty(), "headgate stands by, and wrote {written:?}");
        load.check("headgate stands by")?;

        guide.follow("3. Move the traffic").await?;
        refused(cluster).await?;
        guide.follow("4. Promote").await?;
        published(cluster, &history, "promoted").await?;
        cluster
            .wait("headgate's own write", SOON, async || {
                Ok(writes(cluster, "headgate").await?.contains(&"promoted".into()))
            })
            .await?;
        guide.follow("5. Stop the old controller").await?;
        gone(cluster).await?;
        load.check("headgate has taken over")?;
        published(cluster, &history, "alone").await?;

        guide.undo("5. Stop the old controller").await?;
        guide.undo("4. Promote").await?;
        guide.undo("3. Move the traffic").await?;
        published(cluster, &history, "back").await?;
        let written = writes(cluster, "headgate").await?;
        ensure!(!written.contains(&"back".into()), "headgate stands by again, and writes");
        refused(cluster).await?;
        guide.undo("1. Install").await?;
        cluster
            .wait("the end of headgate", SOON, async || {
                Ok(pods(cluster, NAMESPACE, "headgate-").is_empty())
            })
            .await?;
        published(cluster, &history, "as-before").await?;
        load.check("the old controller serves again")?;
        load.stop().await?;
        // The blog's Ingress, and those made here.
        history.check(cluster, &gateway.ip().to_string(), 7).await
    });
}

/// The Ingresses whose status this ServiceAccount has written.
async fn writes(cluster: &Cluster, account: &str) -> Result<Vec<String>> {
    let audit = cluster.audit().await?.service_account(NAMESPACE, account);
    let statuses = audit.events.into_iter().filter(|event| event.resource == "ingresses/status");
    Ok(statuses.filter(|event| event.status == 200).map(|event| event.name).collect())
}

/// Waits until no pod of the old controller is left.
async fn gone(cluster: &Cluster) -> Result<()> {
    cluster
        .wait("the end of the old controller", SOON, async || {
            Ok(pods(cluster, NAMESPACE, OLD).is_empty())
        })
        .await
}

/// The webhook, whoever answers for it, refuses a snippet. If nobody answered, the refusal would have other words.
async fn refused(cluster: &Cluster) -> Result<()> {
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "bad", "annotations": {
            "nginx.ingress.kubernetes.io/server-snippet": "return 200;"}},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "bad.example"}]}});
    let output = cluster.kubectl_output(["apply", "-f", "-"], &ingress.to_string()).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("Snippet directives are disabled"), "it says {said:?}");
    Ok(())
}

/// The old controller, with all that the reference's manifests have: class, Service, ConfigMap, webhook, and rights.
async fn install_old(cluster: &Cluster) -> Result<()> {
    let admission = format!("{OLD}-admission");
    let certificate = SelfSigned::new(&[&format!("{admission}.{NAMESPACE}.svc")])?;
    let labels = Value::from_iter(OLD_LABELS);
    let named = |api: &str, kind: &str, name: &str| {
        json!({"apiVersion": api, "kind": kind, "metadata":
            {"name": name, "namespace": NAMESPACE, "labels": labels}})
    };
    let service = |name: &str, ports: Value, kind: &str| {
        let selector = Value::from_iter(
            OLD_LABELS.into_iter().filter(|(label, _)| !label.ends_with("part-of")),
        );
        let spec = json!({"type": kind, "ports": ports, "selector": selector});
        with(named("v1", "Service", name), "spec", spec)
    };
    let web = json!([{"name": "http", "port": 80, "targetPort": "http"},
        {"name": "https", "port": 443, "targetPort": "https"}]);
    let webhook = json!([{"name": "https-webhook", "port": 443, "targetPort": "webhook"}]);
    let everything = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
        "name": "cluster-admin"});
    let account = json!([{"kind": "ServiceAccount", "name": NAMESPACE, "namespace": NAMESPACE}]);
    let binding = named("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", NAMESPACE);
    let items = json!([
        named("v1", "Namespace", NAMESPACE),
        named("v1", "ServiceAccount", NAMESPACE),
        with(with(binding, "roleRef", everything), "subjects", account),
        with(named("v1", "ConfigMap", OLD), "data", json!({})),
        with(
            named("networking.k8s.io/v1", "IngressClass", "nginx"),
            "spec",
            json!({"controller": "k8s.io/ingress-nginx"})
        ),
        with(
            named("v1", "Secret", "ingress-nginx-admission"),
            "stringData",
            json!({"cert": certificate.certificate_pem, "key": certificate.key_pem})
        ),
        service(OLD, web, "LoadBalancer"),
        service(&admission, webhook, "ClusterIP"),
        with(named("apps/v1", "Deployment", OLD), "spec", deployment(&labels)),
    ]);
    apply(cluster, items).await?;
    cluster.wait_deployments(NAMESPACE, SOON).await?;
    cluster.wait_endpoints(NAMESPACE, &admission, 2, SOON).await?;
    let configuration = "admissionregistration.k8s.io/v1";
    let configuration =
        named(configuration, "ValidatingWebhookConfiguration", "ingress-nginx-admission");
    apply(cluster, json!([with(configuration, "webhooks", webhooks(&admission, &certificate))]))
        .await
}

/// What the API server asks, as strict as in the reference's manifests.
fn webhooks(service: &str, certificate: &SelfSigned) -> Value {
    let path = "/networking/v1/ingresses";
    let trusted = ByteString(certificate.certificate_pem.clone().into_bytes());
    json!([{"name": "validate.nginx.ingress.kubernetes.io", "matchPolicy": "Equivalent",
        "rules": [{"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"], "resources": ["ingresses"]}],
        "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"caBundle": trusted,
            "service": {"namespace": NAMESPACE, "name": service, "path": path}}}])
}

/// The spec of the old controller's Deployment.
fn deployment(labels: &Value) -> Value {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let port = |name: &str, port: u16| json!({"name": name, "containerPort": port});
    let mount =
        json!({"name": "certificate", "mountPath": "/usr/local/certificates", "readOnly": true});
    let container = json!({
        "name": "controller",
        "image": "headgate/headgate:0.1.0",
        "args": [
            "--election-id=ingress-nginx-leader",
            "--controller-class=k8s.io/ingress-nginx",
            "--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller",
            "--validating-webhook=:8443",
            "--validating-webhook-certificate=/usr/local/certificates/cert",
            "--validating-webhook-key=/usr/local/certificates/key",
            "--shutdown-grace-period=3",
        ],
        "env": [field("POD_NAME", "metadata.name"), field("POD_NAMESPACE", "metadata.namespace")],
        "ports": [port("http", 80), port("https", 443), port("webhook", 8443)],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 10254}, "periodSeconds": 1},
        "volumeMounts": [mount],
    });
    let volume =
        json!({"name": "certificate", "secret": {"secretName": "ingress-nginx-admission"}});
    let ports = json!([{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]);
    json!({"replicas": 2, "selector": {"matchLabels": labels}, "template": {
        "metadata": {"labels": labels},
        "spec": {"serviceAccountName": NAMESPACE, "terminationGracePeriodSeconds": 60,
            "securityContext": {"sysctls": ports}, "containers": [container], "volumes": [volume]}}})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

async fn apply(cluster: &Cluster, items: Value) -> Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    cluster.kubectl_with(["apply", "-f", "-"], &list.to_string()).await?;
    Ok(())
}
