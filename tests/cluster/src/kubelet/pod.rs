//! The life of one pod: bound, given network and volumes, its containers run, its status told, ended and removed.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
    core::response::Status,
};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{interval, sleep},
};

use super::{
    Kubelet,
    blueprint::Blueprint,
    container::{Stop, Supervised, waiting},
    environment::Resolver,
    status::StatusWriter,
    volumes::Volumes,
};
use crate::network::{self, PodNetwork};

const RETRY: Duration = Duration::from_millis(500);
/// How often files from ConfigMaps and Secrets are brought up to date.
const REFRESH: Duration = Duration::from_secs(5);

/// What the API says of the pod; nothing once it is gone.
type Known = watch::Receiver<Option<Arc<Pod>>>;

/// Takes care of a pod from its first to its last moment.
pub(super) async fn run(kubelet: Arc<Kubelet>, mut known: Known) {
    let Some(pod) = known.borrow_and_update().clone() else { return };
    let Some(node) = bind(&kubelet, &mut known).await else { return };
    let mut worker = Worker {
        api: Api::namespaced(kubelet.client.clone(), &pod.namespace().unwrap_or_default()),
        folder: kubelet.folder.join(pod.uid().unwrap_or_default()),
        host: network::node(node),
        writer: StatusWriter::new(network::node(node)),
        sent: Value::Null,
        pod,
        network: None,
        kubelet,
    };
    worker.live(&mut known).await;
    let _ = std::fs::remove_dir_all(&worker.folder);
}

/// Waits until the pod is bound, and does that itself where nobody else did. Returns the node's index; nothing if it never will be.
async fn bind(kubelet: &Kubelet, known: &mut Known) -> Option<usize> {
    loop {
        let pod = known.borrow_and_update().clone()?;
        let spec = pod.spec.as_ref()?;
        if let Some(name) = &spec.node_name {
            return kubelet.nodes.iter().position(|node| node.name == *name);
        }
        let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
        let node = if gated || pod.metadata.deletion_timestamp.is_some() {
            None
        } else {
            kubelet.place(&pod)
        };
        if let Some(node) = node {
            let target = &kubelet.nodes[node].name;
            let binding = json!({
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": pod.name_any(), "uid": pod.uid()},
                "target": {"apiVersion": "v1", "kind": "Node", "name": target},
            });
            let api = Api::<Pod>::namespaced(
                kubelet.client.clone(),
                &pod.namespace().unwrap_or_default(),
            );
            let _: Result<Status, _> = api
                .create_subresource("binding", &pod.name_any(), &PostParams::default(), &binding)
                .await;
        }
        // Bound now, or the API server is away, or nowhere to go.
        tokio::select! {
            changed = known.changed() => changed.ok()?,
            () = sleep(RETRY) => {}
        }
    }
}

struct Worker {
    kubelet: Arc<Kubelet>,
    api: Api<Pod>,
    pod: Arc<Pod>,
    folder: PathBuf,
    /// Address of its node.
    host: Ipv4Addr,
    network: Option<PodNetwork>,
    writer: StatusWriter,
    /// The last status that the API server took.
    sent: Value,
}

impl Worker {
    async fn live(&mut self, known: &mut Known) {
        let ended = self
            .pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .is_some_and(|phase| phase != "Pending");
        let mut volumes = Volumes::new(self.folder.join("volumes"), &self.pod);
        let mut containers = Vec::new();
        let (stop, stopping) = watch::channel(None);
        let mut running = JoinSet::new();
        // A pod with a phase was run before this program knew it, which nobody can go on with.
        while !ended && self.pod.metadata.deletion_timestamp.is_none() {
            let problem = match self.prepare(&mut volumes, &stopping).await {
                Ok(ready) => {
                    for supervised in ready {
                        containers.push(supervised.status.subscribe());
                        running.spawn(supervised.run());
                    }
                    break;
                }
                Err(problem) => format!("{problem:#}"),
            };
            let specs = self.pod.spec.iter().flat_map(|spec| &spec.containers);
            let statuses: Vec<_> =
                specs.map(|container| waiting(container, "ContainerCreating", &problem)).collect();
            self.report(&statuses, &problem).await;
            tokio::select! {
                _ = known.changed() => {}
                () = sleep(RETRY) => {}
            }
            let Some(pod) = known.borrow_and_update().clone() else { return };
            self.pod = pod;
        }
        self.run(known, &mut containers, &mut volumes).await;
        stop.send_replace(Some(self.grace(known)));
        let mut left = !running.is_empty();
        while left {
            self.report(&snapshot(&mut containers), "").await;
            tokio::select! {
                next = running.join_next() => left = next.is_some() && !running.is_empty(),
                () = any_changed(&mut containers) => {}
                Ok(()) = known.changed() => {
                    let grace = self.grace(known);
                    stop.send_if_modified(|former| {
                        let sooner = former.is_none_or(|former| grace < former);
                        if sooner {
                            *former = Some(grace);
                        }
                        sooner
                    });
                }
            }
        }
        self.report(&snapshot(&mut containers), "").await;
        self.network = None;
        self.remove(known).await;
    }

    /// Keeps status and files up to date until the pod is to end.
    async fn run(
        &mut self,
        known: &mut Known,
        containers: &mut [watch::Receiver<ContainerStatus>],
        volumes: &mut Volumes,
    ) {
        let mut refresh = interval(REFRESH);
        let mut retry = false;
        loop {
            match known.borrow_and_update().clone() {
                Some(pod) if pod.metadata.deletion_timestamp.is_none() => self.pod = pod,
                Some(pod) => {
                    self.pod = pod;
                    return;
                }
                None => return,
            }
            if !containers.is_empty() {
                retry = !self.report(&snapshot(containers), "").await;
            }
            tokio::select! {
                changed = known.changed() => if changed.is_err() { return },
                () = any_changed(containers) => {}
                () = sleep(RETRY), if retry => {}
                _ = refresh.tick() => {
                    // What cannot be read now stays as it is.
                    let _ = volumes.update(&self.resolver()).await;
                }
            }
        }
    }

    /// Network, volumes and everything else that the containers need; they can be started then.
    async fn prepare(&mut self, volumes: &mut Volumes, stop: &Stop) -> Result<Vec<Supervised>> {
        let pod = Arc::clone(&self.pod);
        let spec = pod.spec.as_ref().context("a pod without spec")?;
        if spec.init_containers.as_ref().is_some_and(|containers| !containers.is_empty()) {
            bail!("init containers are not supported here");
        }
        if self.network.is_none() {
            let number = self.kubelet.next_pod();
            let network = tokio::task::spawn_blocking(move || PodNetwork::new(number)).await??;
            let sysctls: Vec<_> = spec
                .security_context
                .iter()
                .flat_map(|context| context.sysctls.iter().flatten())
                .collect();
            for sysctl in sysctls {
                network.set(&sysctl.name, &sysctl.value)?;
            }
            self.network = Some(network);
        }
        let volumes = volumes.update(&self.resolver()).await?;
        let blueprint = Blueprint {
            kubelet: &self.kubelet,
            pod: &pod,
            network: self.network.as_ref().context("no network")?,
            resolver: self.resolver(),
            folder: self.folder.clone(),
            volumes,
        };
        blueprint.containers(stop).await
    }

    fn resolver(&self) -> Resolver<'_> {
        Resolver {
            client: &self.kubelet.client,
            pod: &self.pod,
            pod_ip: self
                .network
                .as_ref()
                .map(|network| network.address.to_string())
                .unwrap_or_default(),
            host_ip: self.host.to_string(),
        }
    }

    /// The time that the pod has to end in: what the API says, or hardly any once it is gone there.
    fn grace(&mut self, known: &mut Known) -> Duration {
        let Some(pod) = known.borrow_and_update().clone() else { return Duration::from_secs(1) };
        self.pod = pod;
        Duration::from_secs(
            self.pod.metadata.deletion_grace_period_seconds.unwrap_or(30).max(1).unsigned_abs(),
        )
    }

    /// Tells the status if it has changed. False if the API server did not take it.
    async fn report(&mut self, containers: &[ContainerStatus], problem: &str) -> bool {
        let address = self.network.as_ref().map(|network| network.address);
        let patch = self.writer.patch(&self.pod, address, containers, problem);
        if patch == self.sent {
            return true;
        }
        let done = self
            .api
            .patch_status(&self.pod.name_any(), &PatchParams::default(), &Patch::Strategic(&patch))
            .await
            .is_ok();
        if done {
            self.sent = patch;
        }
        done
    }

    /// Takes the pod out of the API, for good. An API server that is away is waited for.
    async fn remove(&self, known: &mut Known) {
        let uid = self.pod.uid();
        let params = DeleteParams::default()
            .grace_period(0)
            .preconditions(Preconditions { uid, resource_version: None });
        while known.borrow_and_update().is_some() {
            match self.api.delete(&self.pod.name_any(), &params).await {
                Ok(_) => return,
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return,
                Err(_) => sleep(RETRY).await,
            }
        }
    }
}

fn snapshot(containers: &mut [watch::Receiver<ContainerStatus>]) -> Vec<ContainerStatus> {
    containers.iter_mut().map(|container| container.borrow_and_update().clone()).collect()
}

/// Waits until one of the containers has something new to tell.
async fn any_changed(containers: &mut [watch::Receiver<ContainerStatus>]) {
    let changes = containers.iter_mut().map(|container| {
        Box::pin(async {
            // One that has ended for good has nothing more to tell.
            if container.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    });
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        std::future::pending::<()>().await;
    }
    futures_util::future::select_all(changes).await;
}
