//! How long the validating webhook takes: as people feel it, by dry-run creates through the API server with and without it, and asked
//! directly. Half of the reviews are of Ingresses that are fine, half of ones whose host and path another Ingress has already.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use headgate_cluster::{Cluster, wait};
use headgate_tests::{stats::Sample, tls::SelfSigned};
use kube::{Client, Config, Error};
use serde_json::{Value, json};

use crate::{Cli, set::Set, start, table::Table};

const CONFIGURATION: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
/// Where the webhook listens: nobody else does, and no client gets it.
const PORT: u16 = 19_443;
const SOON: Duration = Duration::from_secs(30);

/// Measures with the set that is there.
pub(crate) async fn measure(
    cli: &Cli,
    cluster: &Cluster,
    set: &Set,
    table: &mut Table,
) -> Result<()> {
    let folder = tempfile::tempdir_in("/run")?;
    let pair = SelfSigned::new(&["localhost"])?;
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    fs::write(&certificate, &pair.certificate_pem)?;
    fs::write(&key, &pair.key_pem)?;
    let flags = [
        format!("--validating-webhook=127.0.0.1:{PORT}"),
        format!("--validating-webhook-certificate={}", certificate.display()),
        format!("--validating-webhook-key={}", key.display()),
    ];
    let (gateway, _) = start(cli, cluster, &flags.each_ref().map(String::as_str)).await?;
    let client = cluster.client();

    let without = dry_runs(cli, &client, set, false).await?;
    table.sample("dry-run create without the webhook", &without, None);
    let url = format!("https://localhost:{PORT}/networking/v1/ingresses");
    register(&client, &url, &pair.certificate_pem).await?;
    wait("the API server to ask the webhook", SOON, async || {
        Ok(refusal(dry_run(&client, &subject(set, 1)?).await)?.is_some())
    })
    .await?;
    let with = dry_runs(cli, &client, set, true).await?;
    table.sample("dry-run create with it", &with, Some(cli.max_review_ms));

    let mut config = Config::new(format!("https://localhost:{PORT}").parse()?);
    config.root_cert = Some(vec![pair.der.clone()]);
    let direct = direct(cli, &Client::try_from(config)?, set).await?;
    table.sample("AdmissionReview, asked directly", &direct, Some(cli.max_review_ms));
    let path = format!("{CONFIGURATION}/measured");
    client.request_text(http::Request::delete(path).body(Vec::new())?).await?;
    gateway.stop().await
}

/// An Ingress to be reviewed; odd ones are to be refused.
fn subject(set: &Set, number: usize) -> Result<Value> {
    let taken =
        set.applications.get(number * 7 % set.applications.len()).context("an empty set")?;
    let name = format!("reviewed-{number}");
    let (host, path) = match number % 2 {
        0 => (format!("{name}.example"), "/"),
        _ => (taken.host.clone(), taken.path.as_str()),
    };
    let backend = json!({"service": {"name": "none", "port": {"number": 80}}});
    Ok(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": taken.namespace},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": host, "http": {"paths": [{"path": path, "pathType": "ImplementationSpecific", "backend": backend}]}}],
        },
    }))
}

async fn register(client: &Client, url: &str, certificate: &str) -> Result<()> {
    let bundle = k8s_openapi::ByteString(certificate.as_bytes().to_vec());
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "measured"},
        "webhooks": [{
            "name": "validate.nginx.ingress.kubernetes.io", "sideEffects": "None", "failurePolicy": "Fail", "matchPolicy": "Equivalent",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": url, "caBundle": bundle},
            "rules": [{"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["ingresses"]}],
        }],
    });
    crate::set::send(client, "POST", CONFIGURATION, &configuration).await
}

async fn dry_run(client: &Client, ingress: &Value) -> Result<String, Error> {
    let namespace = ingress["metadata"]["namespace"].as_str().unwrap_or_default();
    let path = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses?dryRun=All");
    let request = http::Request::post(path).header("content-type", "application/json");
    let body = serde_json::to_vec(ingress).map_err(Error::SerdeError)?;
    client.request_text(request.body(body).map_err(Error::HttpError)?).await
}

/// What the webhook says if it refused; nothing if the object was taken.
fn refusal(answer: Result<String, Error>) -> Result<Option<String>> {
    match answer {
        Ok(_) => Ok(None),
        Err(Error::Api(status)) if status.message.contains("denied the request") => {
            Ok(Some(status.message.clone()))
        }
        Err(error) => Err(error.into()),
    }
}

async fn dry_runs(cli: &Cli, client: &Client, set: &Set, is_reviewed: bool) -> Result<Sample> {
    let mut took = Vec::new();
    for number in 0..cli.reviews {
        let subject = subject(set, number)?;
        let begin = Instant::now();
        let answer = dry_run(client, &subject).await;
        took.push(begin.elapsed());
        let refused = refusal(answer)?;
        let expected = is_reviewed && number % 2 == 1;
        ensure!(refused.is_some() == expected, "{subject}: refused: {refused:?}");
    }
    Ok(Sample::new(took))
}

async fn direct(cli: &Cli, client: &Client, set: &Set) -> Result<Sample> {
    let mut took = Vec::new();
    for number in 0..cli.reviews {
        let mut subject = subject(set, number)?;
        subject["metadata"]["uid"] = json!(format!("{number:08x}-0000-4000-8000-000000000000"));
        let name = subject["metadata"]["name"].clone();
        let namespace = subject["metadata"]["namespace"].clone();
        let group = json!({"group": "networking.k8s.io", "version": "v1", "kind": "Ingress"});
        let resource =
            json!({"group": "networking.k8s.io", "version": "v1", "resource": "ingresses"});
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "11111111-0000-4000-8000-000000000000", "kind": group, "resource": resource, "operation": "CREATE",
                "name": name, "namespace": namespace, "object": subject, "userInfo": {},
            },
        });
        let request = http::Request::post("/networking/v1/ingresses")
            .header("content-type", "application/json");
        let request = request.body(serde_json::to_vec(&review)?)?;
        let begin = Instant::now();
        let answer = client.request_text(request).await?;
        took.push(begin.elapsed());
        let answer: Value = serde_json::from_str(&answer)?;
        match answer.pointer("/response/allowed").and_then(Value::as_bool) {
            Some(allowed) if allowed == (number % 2 == 0) => {}
            _ => bail!("{review}: {answer}"),
        }
    }
    Ok(Sample::new(took))
}
