//! What a container gets and how it is kept running.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use headgate_cluster::{ApiServer, Cluster, Image, Settings, with_cluster};
use k8s_openapi::api::{authentication::v1::SelfSubjectReview, core::v1::Pod};
use kube::{Api, api::PostParams};
use rustix::process::Signal;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(120);

/// A cluster with an image in which there is a shell, and little more.
fn settings() -> Settings {
    let files =
        ["sh", "cat", "sleep"].map(|name| (format!("/{name}"), PathBuf::from("/bin").join(name)));
    let shell =
        Image { files: files.into(), entrypoint: vec!["/sh".into(), "-c".into()], user: 65532 };
    Settings { images: BTreeMap::from([("test/shell".into(), shell)]), ..Settings::default() }
}

/// Creates a pod that runs a script; `more` goes into its container, `around` into its spec.
async fn run(
    cluster: &Cluster,
    name: &str,
    script: &str,
    more: Value,
    around: Value,
) -> Result<()> {
    let mut container = json!({"name": "main", "image": "test/shell:1", "args": [script]});
    merge(&mut container, more);
    let mut spec = json!({"containers": [container]});
    merge(&mut spec, around);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
    cluster.kubectl_with(["apply", "-f", "-"], &pod.to_string()).await?;
    Ok(())
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

/// Waits until a pod has written this many lines, and returns what it has written.
async fn lines(cluster: &Cluster, pod: &str, count: usize) -> Result<Vec<String>> {
    let mut found = Vec::new();
    cluster
        .wait(&format!("{count} lines of {pod}"), SOON, async || {
            let log = cluster.pod_log("default", pod, "main")?;
            found = log.lines().map(String::from).collect();
            ensure!(found.len() >= count, "{log}");
            Ok(true)
        })
        .await?;
    Ok(found)
}

#[test]
fn a_pod_has_the_token_of_its_service_account() {
    with_cluster(settings(), async |cluster| {
        let script = "cd /var/run/secrets/kubernetes.io/serviceaccount
            /cat namespace; echo; /cat token; echo; echo $KUBERNETES_SERVICE_HOST; exec /sleep 1000";
        run(cluster, "account", script, json!({}), json!({})).await?;
        let found = lines(cluster, "account", 3).await?;
        assert_eq!((found[0].as_str(), found[2].as_str()), ("default", "10.96.0.1"));
        let client = cluster.client_with_token(ApiServer::First, &found[1]).await?;
        let review = Api::<SelfSubjectReview>::all(client);
        let review = review.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
        let user = review.status.and_then(|status| status.user_info).context("nobody")?;
        assert_eq!(user.username.as_deref(), Some("system:serviceaccount:default:default"));
        assert_eq!(cluster.kubectl(["logs", "account", "--tail=1"]).await?.trim(), found[2]);
        Ok(())
    });
}

#[test]
fn a_container_that_ends_is_started_again() {
    with_cluster(settings(), async |cluster| {
        run(cluster, "crash", "exit 3", json!({}), json!({})).await?;
        run(cluster, "killed", "exec /sleep 1000", json!({}), json!({})).await?;
        run(cluster, "once", "exit 0", json!({}), json!({"restartPolicy": "Never"})).await?;
        let pods = Api::<Pod>::namespaced(cluster.client(), "default");
        let container = async |name: &str| -> Result<_> {
            let status = pods.get(name).await?.status.context("no status")?;
            status.container_statuses.into_iter().flatten().next().context("no container")
        };
        let restarted = async |name: &str, count: i32, code: i32| {
            cluster
                .wait(&format!("restart of {name}"), SOON, async || {
                    let status = container(name).await?;
                    let last =
                        status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
                    let ended = last.is_some_and(|last| last.exit_code == code);
                    ensure!(status.restart_count >= count && ended, "{status:?}");
                    Ok(true)
                })
                .await
        };
        restarted("crash", 2, 3).await?;
        cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=120s", "pod/killed"]).await?;
        cluster.signal_pod("default", "killed", Signal::KILL)?;
        restarted("killed", 1, 137).await?;
        cluster
            .kubectl([
                "wait",
                "--for=jsonpath={.status.phase}=Succeeded",
                "--timeout=120s",
                "pod/once",
            ])
            .await?;
        assert_eq!(container("once").await?.restart_count, 0);
        Ok(())
    });
}

#[test]
fn a_container_is_confined_to_what_its_pod_says() {
    with_cluster(settings(), async |cluster| {
        cluster.kubectl(["create", "configmap", "words", "--from-literal=word=first"]).await?;
        let script = "while read -r key value rest; do [ \"$key\" != Uid: ] || echo $value; done </proc/self/status
            (echo x >/root-file) 2>/dev/null || echo read-only
            echo x >/scratch/file && echo writable
            echo $WORD
            echo $OWN_ADDRESS
            while [ \"$(/cat /words/word)\" = first ]; do /sleep 0.1; done; /cat /words/word; echo; exec /sleep 1000";
        let more = json!({
            "securityContext": {"readOnlyRootFilesystem": true, "runAsUser": 1234},
            "env": [
                {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "word"}}},
                {"name": "OWN_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}, {"name": "words", "mountPath": "/words"}],
        });
        let volumes = json!({"volumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "words", "configMap": {"name": "words"}},
        ]});
        run(cluster, "confined", script, more, volumes).await?;
        let found = lines(cluster, "confined", 5).await?;
        let address =
            cluster.kubectl(["get", "pod", "confined", "-o", "jsonpath={.status.podIP}"]).await?;
        assert_eq!(found, ["1234", "read-only", "writable", "first", address.as_str()]);
        cluster
            .kubectl(["patch", "configmap", "words", "-p", r#"{"data":{"word":"second"}}"#])
            .await?;
        assert_eq!(lines(cluster, "confined", 6).await?[5], "second");
        Ok(())
    });
}
