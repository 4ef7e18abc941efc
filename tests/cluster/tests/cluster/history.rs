//! The history of all Ingresses' statuses: what anybody who watches them has seen, flaps included.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, bail, ensure};
use futures_util::TryStreamExt;
use headgate_cluster::Cluster;
use k8s_openapi::api::networking::v1::Ingress;
use kube::{
    Api, ResourceExt,
    api::{WatchEvent, WatchParams},
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::SOON;

/// Creates an Ingress and waits for its address.
pub async fn published(cluster: &Cluster, history: &History, name: &str) -> Result<()> {
    let service = json!({"name": "nobody", "port": {"number": 80}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": service}});
    let rule = json!({"host": format!("{name}.example"), "http": {"paths": [path]}});
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name}, "spec": {"ingressClassName": "nginx", "rules": [rule]}});
    cluster.kubectl_with(["apply", "-f", "-"], &ingress.to_string()).await?;
    cluster
        .wait(&format!("the status of {name}"), SOON, async || {
            Ok(history.of(name).last().is_some_and(|(_, addresses)| !addresses.is_empty()))
        })
        .await
}

/// A version of an Ingress, and the addresses in its status.
pub type Version = (String, Vec<String>);

/// Every version that any Ingress has ever had, by name.
pub struct History {
    versions: Arc<Mutex<BTreeMap<String, Vec<Version>>>>,
    /// What reads them. It never ends by itself.
    reading: JoinSet<Result<()>>,
}

impl History {
    /// Follows all Ingresses; nothing may exist yet.
    pub fn follow(cluster: &Cluster) -> Self {
        let versions = Arc::<Mutex<BTreeMap<_, Vec<Version>>>>::default();
        let (api, seen) = (Api::<Ingress>::all(cluster.client()), Arc::clone(&versions));
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            let mut last = "0".to_owned();
            loop {
                let mut events = Box::pin(api.watch(&WatchParams::default(), &last).await?);
                while let Some(event) = events.try_next().await? {
                    let (WatchEvent::Added(ingress) | WatchEvent::Modified(ingress)) = event else {
                        continue;
                    };
                    last = ingress.resource_version().unwrap_or_default();
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.entry(ingress.name_any())
                        .or_default()
                        .push((last.clone(), addresses(&ingress)));
                }
            }
        });
        Self { versions, reading }
    }

    pub fn of(&self, ingress: &str) -> Vec<Version> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.get(ingress).cloned().unwrap_or_default()
    }

    /// Each of so many statuses, and one more that is made now, was empty at first, and has held this address and no
    /// other since.
    pub async fn check(&mut self, cluster: &Cluster, address: &str, count: usize) -> Result<()> {
        // What comes after this change has been seen when it has.
        published(cluster, self, "the-last").await?;
        if let Some(ended) = self.reading.try_join_next() {
            bail!("the statuses are not followed any more: {ended:?}");
        }
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = versions.values().map(Vec::len).sum();
        eprintln!("{} Ingresses in {total} versions", versions.len());
        ensure!(versions.len() == count + 1, "{versions:?}");
        for (ingress, versions) in versions.iter() {
            let mut held: Vec<_> = versions.iter().map(|(_, addresses)| addresses).collect();
            held.dedup();
            let expected = [&vec![], &vec![address.to_owned()]];
            ensure!(held == expected, "{ingress}: {versions:?}");
        }
        Ok(())
    }
}

fn addresses(ingress: &Ingress) -> Vec<String> {
    let status = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let all = status.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
    all.filter_map(|each| each.ip.clone().or_else(|| each.hostname.clone())).collect()
}
