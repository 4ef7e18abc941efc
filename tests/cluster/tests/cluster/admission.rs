//! What `kubectl apply` says of Ingresses: the reference's refusals in its words, and warnings (operations §9.2).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headgate_cluster::{Cluster, Installation, Settings, with_cluster};
use serde_json::{Map, Value, json};

use crate::support::{SOON, pods};

/// What the API server puts before the message of a refusal.
const PREFIX: &str =
    "admission webhook \"validate.nginx.ingress.kubernetes.io\" denied the request: ";
/// Within this time changed settings count.
const SETTLED: Duration = Duration::from_secs(20);

/// How often a right answer has to come again.
const AGAIN: usize = 3;

const SNIPPET: &str = "nginx.ingress.kubernetes.io/server-snippet annotation cannot be used. Snippet directives are disabled by the Ingress administrator";
const CATCH_ALL: &str = "this deployment is trying to create a catch-all ingress while DisableCatchAll flag is set to true. Remove '.spec.defaultBackend' or set DisableCatchAll flag to false";
const CUSTOM_PREFIX: &str = "this deployment has a custom annotation prefix defined. Use 'example.com' instead of 'nginx.ingress.kubernetes.io'";
const INSPECTED: &str = "invalid object: invalid rule in ingress default/app: invalid http path: invalid value found: /x alias /etc/;";

/// What kubectl says.
enum Says {
    /// Done, with this warning.
    Warns(&'static str),
    /// Done, with whatever warnings.
    Done,
    /// Refused with exactly this message.
    Refuses(&'static str),
}
use Says::{Done, Refuses, Warns};

/// What is applied, and what is said.
type Row = (&'static str, Value, Says);

#[test]
fn kubectl_apply_is_refused_and_warned_as_by_the_reference() {
    with_cluster(Settings::default(), async |cluster| {
        let arguments = vec!["--shutdown-grace-period=1".into()];
        let installation = Installation { arguments, ..Installation::default() };
        cluster.install_headgate(&installation).await?;
        cluster.kubectl(["apply", "-f", "manifests/app/client.yaml"]).await?;
        must_answer(cluster).await?;
        check(cluster, by_default()).await?;
        check_updates(cluster).await?;
        check_overlaps(cluster).await?;

        settings(
            cluster,
            json!({"strict-validate-path-type": "false",
            "annotation-value-word-blocklist": "lua, root", "annotations-risk-level": "Medium"}),
        )
        .await?;
        check(cluster, with_settings()).await?;

        settings(cluster, Value::Null).await?;
        flags(cluster, &["--disable-catch-all", "--annotations-prefix=example.com"]).await?;
        check(cluster, with_flags()).await
    });
}

/// An Ingress `default/app` with one path, which the webhook would accept.
fn plain() -> Value {
    with_path("/", "Prefix")
}

fn with_path(path: &str, path_type: &str) -> Value {
    let service = json!({"name": "client-srv", "port": {"number": 3000}});
    let path = json!({"path": path, "pathType": path_type, "backend": {"service": service}});
    let rules = json!([{"host": "app.example", "http": {"paths": [path]}}]);
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "app", "annotations": {}},
        "spec": {"ingressClassName": "nginx", "rules": rules}})
}

/// The same with a value set, by JSON pointer; its parent must exist.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.into(), value);
    object
}

/// The plain one with an annotation.
fn annotated(name: &str, value: &str) -> Value {
    with(plain(), "/metadata/annotations", Map::from_iter([(name.into(), value.into())]).into())
}

fn own(name: &str, value: &str) -> Value {
    annotated(&format!("nginx.ingress.kubernetes.io/{name}"), value)
}

fn foreign(ingress: Value) -> Value {
    with(ingress, "/spec/ingressClassName", "other".into())
}

fn catch_all() -> Value {
    let service = json!({"name": "client-srv", "port": {"number": 3000}});
    with(plain(), "/spec/defaultBackend", json!({"service": service}))
}

fn by_default() -> Vec<Row> {
    let elsewhere = json!({"name": "nobody", "port": {"number": 80}});
    let elsewhere = with(plain(), "/spec/rules/0/http/paths/0/backend/service", elsewhere);
    let tls = with(plain(), "/spec/tls", json!([{"hosts": ["app.example"], "secretName": "none"}]));
    let injected = || with_path("/x alias /etc/;", "ImplementationSpecific");
    vec![
        ("an ordinary one", plain(), Done),
        ("2: deep inspection", injected(), Refuses(INSPECTED)),
        ("2: of another class", foreign(injected()), Refuses(INSPECTED)),
        ("3: of another class", foreign(own("server-snippet", "x")), Done),
        ("5: a catch-all", catch_all(), Done),
        (
            "7: a path that is not one",
            with_path("/a(b)", "Prefix"),
            Refuses(
                "ingress contains invalid paths: path /a(b) cannot be used with pathType Prefix",
            ),
        ),
        ("7: a pattern", with_path("/a(/|$)(.*)", "ImplementationSpecific"), Done),
        ("8: any other prefix", annotated("example.com/use-regex", "true"), Done),
        ("9: no word is blocked", own("app-root", "/root"), Done),
        ("10: a snippet", own("server-snippet", "return 200;"), Refuses(SNIPPET)),
        (
            "11: a value",
            own("limit-rps", "10r/s"),
            Refuses("annotation nginx.ingress.kubernetes.io/limit-rps contains invalid value"),
        ),
        ("11: a value that falls back", own("ssl-redirect", "yes"), Done),
        (
            "an older name",
            own("secure-verify-ca-secret", "x"),
            Warns("annotation nginx.ingress.kubernetes.io/secure-verify-ca-secret is deprecated"),
        ),
        ("a Service that does not exist", elsewhere, Warns("does not exist")),
        ("a Secret that does not exist", tls, Done),
    ]
}

fn with_settings() -> Vec<Row> {
    vec![
        (
            "7: switched off",
            with_path("/a(b)", "Prefix"),
            Warns("path /a(b) cannot be used with pathType Prefix"),
        ),
        (
            "9: a blocked word",
            own("app-root", "/xroot"),
            Refuses("nginx.ingress.kubernetes.io/app-root annotation contains invalid word root"),
        ),
        (
            "11: a risk",
            own("server-alias", "x.example"),
            Refuses(
                "annotation group Aliases contains risky annotation based on ingress configuration",
            ),
        ),
        ("11: a risk that is taken", own("force-ssl-redirect", "false"), Done),
    ]
}

fn with_flags() -> Vec<Row> {
    vec![
        ("5: switched off", catch_all(), Refuses(CATCH_ALL)),
        ("8: the default prefix", own("use-regex", "true"), Refuses(CUSTOM_PREFIX)),
        ("8: the custom prefix", annotated("example.com/use-regex", "true"), Done),
        (
            "11: under the custom prefix",
            annotated("example.com/limit-rps", "x"),
            Refuses("annotation example.com/limit-rps contains invalid value"),
        ),
    ]
}

/// Without an answer of the webhook nothing may be written: else what should be admitted would be without it, too.
async fn must_answer(cluster: &Cluster) -> Result<()> {
    let patch = r#"[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Fail"}]"#;
    let webhook = ["patch", "validatingwebhookconfiguration", "headgate-admission"];
    cluster.kubectl(webhook.into_iter().chain(["--type=json", "-p", patch])).await?;
    Ok(())
}

/// Applies each row to a cluster without it.
async fn check(cluster: &Cluster, rows: Vec<Row>) -> Result<()> {
    for (what, ingress, says) in rows {
        // Both replicas have to know of changed settings, or of the deletion; until then it is created again.
        cluster
            .wait(what, SETTLED, async || {
                cluster.kubectl(["delete", "ingress", "app", "--ignore-not-found"]).await?;
                apply(cluster, &ingress, &says).await
            })
            .await?;
        // By now each replica has to know. Connections of the API server are not shared evenly, so it is asked often.
        for _ in 0..AGAIN {
            cluster.kubectl(["delete", "ingress", "app", "--ignore-not-found"]).await?;
            apply(cluster, &ingress, &says).await.with_context(|| format!("{what}, again"))?;
        }
    }
    Ok(())
}

async fn apply(cluster: &Cluster, ingress: &Value, says: &Says) -> Result<bool> {
    let output = cluster.kubectl_output(["apply", "-f", "-"], &ingress.to_string()).await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let refused = errors.split_once(PREFIX).map(|(_, message)| message.trim_end());
    match says {
        Done => ensure!(output.status.success(), "{errors}"),
        Warns(warning) => {
            ensure!(output.status.success(), "{errors}");
            let mut lines = errors.lines().filter(|line| line.starts_with("Warning: "));
            ensure!(lines.any(|line| line.contains(warning)), "{errors}");
        }
        Refuses(message) => {
            ensure!(refused == Some(message), "{errors}");
            ensure!(errors.contains("Error from server (BadRequest): "), "{errors}");
        }
    }
    Ok(true)
}

/// An Ingress that is there can be made neither bad, nor, once it is being deleted, kept from being changed.
async fn check_updates(cluster: &Cluster) -> Result<()> {
    let kept = with(plain(), "/metadata/finalizers", json!(["example.com/kept"]));
    apply(cluster, &kept, &Done).await?;
    let bad = own("server-snippet", "x");
    let bad = with(bad, "/metadata/finalizers", json!(["example.com/kept"]));
    ensure!(apply(cluster, &bad, &Refuses(SNIPPET)).await.is_ok(), "an update was not refused");
    cluster.kubectl(["delete", "ingress", "app", "--wait=false"]).await?;
    apply(cluster, &bad, &Done).await?;
    let free = r#"{"metadata":{"finalizers":null}}"#;
    cluster.kubectl(["patch", "ingress", "app", "--type=merge", "-p", free]).await?;
    Ok(())
}

/// A path of a host can be given once, but for canaries.
async fn check_overlaps(cluster: &Cluster) -> Result<()> {
    let first = with(plain(), "/metadata/name", "first".into());
    apply(cluster, &first, &Done).await?;
    let taken = "host \"app.example\" and path \"/\" is already defined in ingress default/first";
    check(
        cluster,
        vec![
            ("12: a path that is taken", plain(), Refuses(taken)),
            ("12: a canary", own("canary", "true"), Done),
            ("12: another path", with_path("/other", "Prefix"), Done),
        ],
    )
    .await?;
    apply(cluster, &with(first, "/metadata/labels", json!({"a": "b"})), &Done).await?;
    cluster.kubectl(["delete", "ingress", "first"]).await?;
    Ok(())
}

/// Changes headgate's ConfigMap.
async fn settings(cluster: &Cluster, data: Value) -> Result<()> {
    let patch = json!({"data": data}).to_string();
    let map = ["patch", "configmap", "headgate", "-n", "headgate", "--type=merge", "-p", &patch];
    cluster.kubectl(map).await?;
    Ok(())
}

/// Adds arguments to headgate's, and waits until no replica without them is left.
async fn flags(cluster: &Cluster, flags: &[&str]) -> Result<()> {
    let add = |flag: &&str| json!({"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": flag});
    let patch = Value::from(flags.iter().map(add).collect::<Vec<_>>()).to_string();
    let old = pods(cluster, "headgate", "headgate-");
    let deployment = ["patch", "deployment", "headgate", "-n", "headgate", "--type=json"];
    cluster.kubectl(deployment.into_iter().chain(["-p", &patch])).await?;
    cluster.wait_deployments("headgate", SOON).await?;
    cluster
        .wait("the end of the old replicas", SOON, async || {
            let left = pods(cluster, "headgate", "headgate-");
            Ok(left.iter().all(|pod| !old.contains(pod)))
        })
        .await
}
