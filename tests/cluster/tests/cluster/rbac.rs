//! The rights that `manifests/install` gives: enough for a whole life of headgate, and which of them that life does not use.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use headgate_cluster::{Cluster, Gateway, Installation, Settings, Used, with_cluster};
use headgate_tests::tls::{Client, SelfSigned};
use serde_json::{Value, json};

use crate::support::{SOON, apply_blog, pods, wait_status};

/// What is granted and not used within a life of minutes: group, resource, verb, and why it is granted all the same.
const UNUSED: &[[&str; 4]] = &[
    ["", "configmaps", "list", NO_STREAM],
    ["discovery.k8s.io", "endpointslices", "list", NO_STREAM],
    ["networking.k8s.io", "ingresses", "list", NO_STREAM],
    ["", "secrets", "update", "the webhook's certificate is renewed after months"],
];
/// Watches that begin with all objects count as watches; API servers before 1.34 cannot do that.
const NO_STREAM: &str = "how an API server is read that cannot stream lists";

#[test]
fn a_whole_life_needs_no_right_that_is_not_granted_and_few_are_granted_in_vain() {
    with_cluster(Settings::default(), async |cluster| {
        // Otherwise every end of a replica would take half a minute.
        let arguments = [
            "--shutdown-grace-period=1",
            // They need not exist, and have to be watched.
            "--tcp-services-configmap=headgate/tcp-services",
            "--udp-services-configmap=headgate/udp-services",
        ];
        let arguments = arguments.map(str::to_owned).to_vec();
        let installation = Installation { arguments, ..Installation::default() };
        let gateway = cluster.install_headgate(&installation).await?;
        apply_blog(cluster).await?;
        wait_status(cluster, gateway.http, "posts.com", "/", 200).await?;
        wait_address(cluster, "ingress-srv", Some(gateway)).await?;
        secrets_and_settings(cluster, gateway).await?;
        a_refusal_and_an_event(cluster, gateway).await?;
        a_roll_out_and_the_end(cluster, gateway).await?;

        let audit = cluster.audit().await?.service_account("headgate", "headgate");
        let refused: Vec<_> = audit.events.iter().filter(|event| event.status == 403).collect();
        assert!(refused.is_empty() && audit.forbidden().is_empty(), "{refused:#?}");
        let (granted, used) = (granted(cluster).await?, audit.used());
        eprintln!("{} requests, none refused; {} rights", audit.events.len(), granted.len());
        let unused: BTreeSet<_> = granted.difference(&used).cloned().collect();
        for (group, resource, verb) in &unused {
            eprintln!("granted and not used: {verb} {resource} ({group:?})");
        }
        let expected = UNUSED.iter().map(|[group, resource, verb, _]| {
            (group.to_string(), resource.to_string(), verb.to_string())
        });
        assert_eq!(unused, expected.collect());
        Ok(())
    });
}

/// Everything that the roles of the installation grant.
async fn granted(cluster: &Cluster) -> Result<BTreeSet<Used>> {
    let label = "app.kubernetes.io/name=headgate";
    let roles =
        cluster.kubectl(["get", "clusterroles,roles", "-A", "-l", label, "-o", "json"]).await?;
    let roles: Value = serde_json::from_str(&roles)?;
    let mut granted = BTreeSet::new();
    for rule in array(&roles["items"]).flat_map(|role| array(&role["rules"])) {
        for group in array(&rule["apiGroups"]) {
            for resource in array(&rule["resources"]) {
                for verb in array(&rule["verbs"]) {
                    granted.insert((text(group)?, text(resource)?, text(verb)?));
                }
            }
        }
    }
    ensure!(!granted.is_empty(), "no roles of the installation were found");
    Ok(granted)
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("not a text")?.to_owned())
}

/// An Ingress of one host with `/` to the page of the blog.
fn ingress(name: &str, host: &str, annotations: &Value, more: &Value) -> String {
    let service = json!({"name": "client-srv", "port": {"number": 3000}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": service}});
    let rules = json!([{"host": host, "http": {"paths": [path]}}]);
    let mut spec = json!({"ingressClassName": "nginx", "rules": rules});
    if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "annotations": annotations}, "spec": spec})
    .to_string()
}

/// Waits until the status of an Ingress is the address of the load balancer, or empty.
async fn wait_address(cluster: &Cluster, ingress: &str, gateway: Option<Gateway>) -> Result<()> {
    let expected = gateway.map(|gateway| gateway.http.ip().to_string()).unwrap_or_default();
    cluster
        .wait(&format!("{ingress} with the address {expected:?}"), SOON, async || {
            let path = "jsonpath={.status.loadBalancer.ingress[*].ip}";
            let found = cluster.kubectl(["get", "ingress", ingress, "-o", path]).await?;
            ensure!(found == expected, "it is {found:?}");
            Ok(true)
        })
        .await
}

/// A certificate that comes later and changes, and a setting for all hosts.
async fn secrets_and_settings(cluster: &Cluster, gateway: Gateway) -> Result<()> {
    let tls = json!({"tls": [{"hosts": ["tls.example"], "secretName": "tls-example"}]});
    let apply = ["apply", "-f", "-"];
    cluster.kubectl_with(apply, &ingress("tls", "tls.example", &json!({}), &tls)).await?;
    let client = Client::new()?;
    for _ in 0..2 {
        let made = SelfSigned::new(&["tls.example"])?;
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": "tls-example"},
            "stringData": {"tls.crt": made.certificate_pem, "tls.key": made.key_pem}});
        cluster.kubectl_with(apply, &secret.to_string()).await?;
        cluster
            .wait("the certificate of the Secret", SOON, async || {
                Ok(client.connect(gateway.https, "tls.example").await?.1 == made.der)
            })
            .await?;
    }
    wait_status(cluster, gateway.http, "tls.example", "/", 308).await?;
    let setting = r#"{"data":{"ssl-redirect":"false"}}"#;
    cluster
        .kubectl([
            "patch",
            "configmap",
            "headgate",
            "-n",
            "headgate",
            "--type=merge",
            "-p",
            setting,
        ])
        .await?;
    wait_status(cluster, gateway.http, "tls.example", "/", 200).await?;
    Ok(())
}

/// The webhook refuses an Ingress; another one is admitted and gets an event.
async fn a_refusal_and_an_event(cluster: &Cluster, gateway: Gateway) -> Result<()> {
    let apply = ["apply", "-f", "-"];
    let snippet = json!({"nginx.ingress.kubernetes.io/server-snippet": "return 200;"});
    let snippet = ingress("snippet", "snippet.example", &snippet, &json!({}));
    let refused = cluster.kubectl_with(apply, &snippet).await;
    let refused = refused.err().context("a snippet was admitted")?.to_string();
    ensure!(refused.contains("Snippet directives are disabled"), "{refused}");

    let protected = json!({"nginx.ingress.kubernetes.io/auth-type": "basic",
        "nginx.ingress.kubernetes.io/auth-secret": "passwords"});
    cluster
        .kubectl_with(apply, &ingress("secret", "secret.example", &protected, &json!({})))
        .await?;
    wait_status(cluster, gateway.http, "secret.example", "/", 503).await?;
    cluster
        .wait("an event about the missing Secret", SOON, async || {
            let only = "involvedObject.name=secret,type=Warning";
            let events =
                cluster.kubectl(["get", "events", "--field-selector", only, "-o", "json"]).await?;
            Ok(events.contains("AnnotationParsingFailed"))
        })
        .await
}

/// New replicas take over from the old ones; then one remains, and then none, which leaves no address behind.
async fn a_roll_out_and_the_end(cluster: &Cluster, gateway: Gateway) -> Result<()> {
    let ours = ["-n", "headgate"];
    let kubectl =
        async |arguments: &[&str]| cluster.kubectl(arguments.iter().chain(&ours).copied()).await;
    kubectl(&["rollout", "restart", "deployment/headgate"]).await?;
    cluster.wait_deployments("headgate", SOON).await?;
    let count = async |count: usize| {
        cluster
            .wait(&format!("{count} pods of headgate"), SOON, async || {
                let found = pods(cluster, "headgate", "headgate-");
                ensure!(found.len() == count, "{found:?}");
                Ok(true)
            })
            .await
    };
    count(2).await?;
    cluster
        .kubectl_with(["apply", "-f", "-"], &ingress("new", "new.example", &json!({}), &json!({})))
        .await?;
    wait_address(cluster, "new", Some(gateway)).await?;
    // The autoscaler would bring the second one back.
    kubectl(&["delete", "hpa", "headgate"]).await?;
    for left in [1, 0] {
        kubectl(&["scale", "deployment/headgate", &format!("--replicas={left}")]).await?;
        count(left).await?;
    }
    wait_address(cluster, "ingress-srv", None).await
}
