//! API server and etcd: identities, audit log, outages, lost history.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures_util::StreamExt;
use headgate_cluster::{ApiServer, Cluster, Settings, with_cluster};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, WatchEvent, WatchParams},
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(120);

#[test]
fn the_audit_log_tells_what_an_account_used_and_what_it_was_refused() {
    with_cluster(Settings::default(), async |cluster| {
        for command in [
            "create serviceaccount reader",
            "create role pods --verb=get,list --resource=pods",
            "create rolebinding reader --role=pods --serviceaccount=default:reader",
        ] {
            cluster.kubectl(command.split(' ')).await?;
        }
        let token = cluster.token("default", "reader").await?;
        let client = cluster.client_with_token(ApiServer::First, &token).await?;
        let pods = Api::<Pod>::namespaced(client.clone(), "default");
        cluster
            .wait("the role", SOON, async || {
                pods.list(&ListParams::default()).await?;
                Ok(true)
            })
            .await?;
        let refused = Api::<Secret>::namespaced(client, "default").get("any").await;
        ensure!(
            matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403),
            "{refused:?}"
        );

        let audit = cluster.audit().await?.service_account("default", "reader");
        assert!(audit.used().contains(&("".into(), "pods".into(), "list".into())), "{audit:?}");
        assert!(audit.events.iter().all(|event| !event.credential.is_empty()), "{audit:?}");
        let forbidden: Vec<_> =
            audit.forbidden().iter().map(|event| event.resource.clone()).collect();
        assert!(forbidden.contains(&"secrets".to_owned()), "{audit:?}");
        Ok(())
    });
}

#[test]
fn pods_outlive_the_api_server_and_changes_go_on_after_it() {
    with_cluster(Settings::default(), async |cluster| {
        cluster.kubectl(["apply", "-f", "manifests/app/client.yaml"]).await?;
        cluster.wait_deployments("default", SOON).await?;
        let before = cluster.containers();
        cluster.kill_api_server(ApiServer::First).await;
        ensure!(cluster.kubectl(["get", "pods"]).await.is_err(), "the API server still answers");
        cluster.start_api_server(ApiServer::First).await?;
        cluster.kubectl(["scale", "deployment/client-depl", "--replicas=2"]).await?;
        cluster.wait_endpoints("default", "client-srv", 2, SOON).await?;
        let after = cluster.containers();
        assert!(before.iter().all(|(key, id)| after.get(key) == Some(id)), "{before:?} {after:?}");
        Ok(())
    });
}

#[test]
fn a_watch_from_before_a_compaction_is_told_that_its_history_is_gone() {
    with_cluster(Settings::default(), async |cluster| {
        let old = change(cluster.client(), "1").await?;
        cluster.kill_api_server(ApiServer::First).await;
        cluster.start_api_server(ApiServer::Second).await?;
        let second = cluster.client_of(ApiServer::Second).await?;
        for value in ["2", "3"] {
            change(second.clone(), value).await?;
        }
        cluster.compact().await?;
        cluster.kill_api_server(ApiServer::Second).await;
        cluster.start_api_server(ApiServer::First).await?;
        ensure!(first_event(cluster, &old).await? == 410, "history is still there");
        Ok(())
    });
}

/// Changes a ConfigMap and returns its version.
async fn change(client: Client, value: &str) -> Result<String> {
    let patch = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "history"}, "data": {"value": value}});
    let api = Api::<ConfigMap>::namespaced(client, "default");
    let map =
        api.patch("history", &PatchParams::apply("test").force(), &Patch::Apply(patch)).await?;
    Ok(map.metadata.resource_version.unwrap_or_default())
}

/// The code of the error with which a watch from this version begins.
async fn first_event(cluster: &Cluster, version: &str) -> Result<u16> {
    let api = Api::<ConfigMap>::namespaced(cluster.client(), "default");
    let mut events = Box::pin(api.watch(&WatchParams::default(), version).await?);
    match events.next().await.transpose()? {
        Some(WatchEvent::Error(status)) => Ok(status.code),
        other => bail!("no error: {other:?}"),
    }
}
