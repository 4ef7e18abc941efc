//! A stand-in for a volume provisioner: a default storage class, and a volume for every claim of it. The data is in memory and outlives
//! pods, but not the cluster.

use anyhow::Result;
use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use kube::{Api, Client, ResourceExt, api::PostParams, runtime::watcher::Event};
use serde_json::json;
use tokio::sync::mpsc;

use crate::directory::follow;

const CLASS: &str = "memory";

/// Makes the storage class.
pub(crate) async fn create_class(client: &Client) -> Result<()> {
    let class = serde_json::from_value(json!({
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "headgate/memory",
        "reclaimPolicy": "Retain",
    }))?;
    Api::<StorageClass>::all(client.clone()).create(&PostParams::default(), &class).await?;
    Ok(())
}

/// Provides volumes until it is dropped.
pub(crate) async fn run(client: Client) {
    let (sender, mut claims) = mpsc::unbounded_channel();
    let following = follow(Api::<PersistentVolumeClaim>::all(client.clone()), move |event| {
        if let Event::Apply(claim) | Event::InitApply(claim) = event {
            let _ = sender.send(claim);
        }
    });
    let providing = async move {
        while let Some(claim) = claims.recv().await {
            let _ = provide(&client, &claim).await;
        }
    };
    tokio::join!(following, providing);
}

/// Makes the volume of a claim that has none. A second one is refused for its name.
async fn provide(client: &Client, claim: &PersistentVolumeClaim) -> Result<()> {
    let Some(spec) = &claim.spec else { return Ok(()) };
    if spec.storage_class_name.as_deref() != Some(CLASS) || spec.volume_name.is_some() {
        return Ok(());
    }
    let uid = claim.uid().unwrap_or_default();
    let volume: PersistentVolume = serde_json::from_value(json!({
        "metadata": {"name": format!("pvc-{uid}")},
        "spec": {
            "capacity": spec.resources.as_ref().and_then(|resources| resources.requests.clone()),
            "accessModes": spec.access_modes,
            "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/memory"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(),
                "name": claim.name_any(),
                "uid": uid,
            },
        },
    }))?;
    Api::<PersistentVolume>::all(client.clone()).create(&PostParams::default(), &volume).await?;
    Ok(())
}
