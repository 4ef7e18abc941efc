//! A stand-in for scheduler and kubelet: binds every pod to a node, runs its containers as processes with network and root of their
//! own, reports their status, ends them when the pod is deleted. The pods of all nodes run here. What it does not do: init containers,
//! resource limits, affinity, taints, `kubectl exec`.

mod blueprint;
mod container;
mod environment;
mod logs;
mod pod;
mod probe;
mod sandbox;
mod status;
mod volumes;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::Result;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::watcher::Event,
};
use serde_json::json;
use std::sync::Mutex;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{directory::follow, images::Image, network, settings::NodeSettings};

/// Whose container: namespace, pod, container.
pub(crate) type ContainerKey = (String, String, String);

/// What all pods share.
pub(crate) struct Kubelet {
    client: Client,
    nodes: Vec<NodeSettings>,
    images: BTreeMap<String, Image>,
    /// Where pods have their roots and volumes.
    folder: PathBuf,
    /// Where what containers write goes.
    logs: PathBuf,
    pods_so_far: AtomicU32,
    /// Node of each pod that has one, with who owns the pod, by the pod's uid.
    placed: Mutex<HashMap<String, (usize, String)>>,
    processes: Mutex<BTreeMap<ContainerKey, u32>>,
}

impl Kubelet {
    /// Makes the Node objects.
    pub(crate) async fn new(
        client: Client,
        nodes: Vec<NodeSettings>,
        images: BTreeMap<String, Image>,
        folder: PathBuf,
        logs: PathBuf,
    ) -> Result<Arc<Self>> {
        std::fs::create_dir_all(&folder)?;
        std::fs::create_dir_all(&logs)?;
        let api = Api::<Node>::all(client.clone());
        for (index, node) in nodes.iter().enumerate() {
            api.create(&PostParams::default(), &node.object()?).await?;
            let address = network::node(index);
            let conditions = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": status::now(),
                "lastTransitionTime": status::now()}]);
            let capacity = json!({"cpu": "8", "memory": "16Gi", "pods": "1000"});
            let patch = json!({"status": {
                "conditions": conditions,
                "daemonEndpoints": {"kubeletEndpoint": {"Port": logs::PORT}},
                "capacity": capacity,
                "allocatable": capacity,
                "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": node.name}],
                "nodeInfo": {"kubeletVersion": "v1.36.3-stand-in", "operatingSystem": "linux", "architecture": "amd64",
                    "osImage": "processes", "containerRuntimeVersion": "process://1", "kernelVersion": "", "bootID": "",
                    "machineID": "", "systemUUID": "", "kubeProxyVersion": ""},
            }});
            api.patch_status(&node.name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
            // New nodes are tainted until a controller that does not run here has seen them ready.
            api.patch(
                &node.name,
                &PatchParams::default(),
                &Patch::Merge(json!({"spec": {"taints": null}})),
            )
            .await?;
        }
        Ok(Arc::new(Self {
            client,
            nodes,
            images,
            folder,
            logs,
            pods_so_far: AtomicU32::new(0),
            placed: Mutex::default(),
            processes: Mutex::default(),
        }))
    }

    /// Runs pods until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        let (sender, mut events) = mpsc::unbounded_channel();
        let following = follow(Api::<Pod>::all(self.client.clone()), move |event| {
            let _ = sender.send(event);
        });
        let mut workers = Workers {
            kubelet: Arc::clone(&self),
            pods: HashMap::new(),
            tasks: JoinSet::new(),
            listed: HashSet::new(),
        };
        let mut servers = JoinSet::new();
        for index in 0..self.nodes.len() {
            let (kubelet, node) = (Arc::clone(&self), network::node(index));
            servers.spawn(async move {
                if let Err(error) = logs::run(kubelet, node).await {
                    eprintln!("the logs of {node} are not served: {error:#}");
                }
            });
        }
        let working = async move {
            while let Some(event) = events.recv().await {
                workers.handle(event);
            }
        };
        tokio::join!(following, working);
    }

    /// The processes that run now.
    pub(crate) fn processes(&self) -> BTreeMap<ContainerKey, u32> {
        self.lock(&self.processes).clone()
    }

    /// The file that a container's output goes to.
    pub(crate) fn log(&self, (namespace, pod, container): &ContainerKey) -> PathBuf {
        self.logs.join(format!("{namespace}_{pod}_{container}.log"))
    }

    fn next_pod(&self) -> u32 {
        self.pods_so_far.fetch_add(1, Ordering::Relaxed)
    }

    /// The node for a pod: of those that its node selector allows, where the fewest of its owner's pods are, then the fewest at all.
    fn place(&self, pod: &Pod) -> Option<usize> {
        let owner =
            pod.owner_references().first().map(|owner| owner.uid.clone()).unwrap_or_default();
        let selector =
            pod.spec.as_ref().and_then(|spec| spec.node_selector.clone()).unwrap_or_default();
        let mut placed = self.lock(&self.placed);
        let candidates = self.nodes.iter().enumerate().filter(|(_, node)| {
            let labels = node.labels();
            selector.iter().all(|(key, value)| labels.get(key.as_str()) == Some(value))
        });
        let crowd = |index: usize| {
            let here: Vec<_> = placed.values().filter(|(node, _)| *node == index).collect();
            (here.iter().filter(|(_, each)| *each == owner).count(), here.len())
        };
        let chosen = candidates.map(|(index, _)| index).min_by_key(|index| crowd(*index))?;
        placed.insert(pod.uid().unwrap_or_default(), (chosen, owner));
        Some(chosen)
    }

    fn lock<'a, T>(&self, value: &'a Mutex<T>) -> std::sync::MutexGuard<'a, T> {
        value.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One worker for each pod that the API knows.
struct Workers {
    kubelet: Arc<Kubelet>,
    pods: HashMap<String, watch::Sender<Option<Arc<Pod>>>>,
    tasks: JoinSet<()>,
    /// Pods named by a list that is under way.
    listed: HashSet<String>,
}

impl Workers {
    fn handle(&mut self, event: Event<Pod>) {
        match event {
            Event::Apply(pod) => self.apply(pod),
            Event::Delete(pod) => self.gone(&pod.uid().unwrap_or_default()),
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => {
                self.listed.insert(pod.uid().unwrap_or_default());
                self.apply(pod);
            }
            Event::InitDone => {
                let lost: Vec<String> =
                    self.pods.keys().filter(|uid| !self.listed.contains(*uid)).cloned().collect();
                for uid in lost {
                    self.gone(&uid);
                }
            }
        }
        while self.tasks.try_join_next().is_some() {}
    }

    fn apply(&mut self, pod: Pod) {
        let uid = pod.uid().unwrap_or_default();
        let pod = Some(Arc::new(pod));
        match self.pods.get(&uid) {
            Some(worker) => {
                worker.send_replace(pod);
            }
            None => {
                let (sender, receiver) = watch::channel(pod);
                self.pods.insert(uid, sender);
                self.tasks.spawn(pod::run(Arc::clone(&self.kubelet), receiver));
            }
        }
    }

    fn gone(&mut self, uid: &str) {
        if let Some(worker) = self.pods.remove(uid) {
            worker.send_replace(None);
        }
        self.kubelet.lock(&self.kubelet.placed).remove(uid);
    }
}
