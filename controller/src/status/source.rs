//! Reading the objects that say where the gateway is reached, and noticing that they change.

use std::fmt::Debug;

use futures_util::{
    StreamExt,
    stream::{self, BoxStream, FuturesUnordered},
};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Node, Pod, Service},
};
use kube::{
    Api, Client, Resource,
    api::ListParams,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        watcher::{self, DefaultBackoff, Event, watcher},
    },
};

use super::address::{self, Address};
use crate::{
    options::NamespacedName,
    request::{ANSWER_WITHIN, Failure, answer},
};

/// Nodes that are asked about at once, at most.
const AT_ONCE: usize = 10;
/// How long a watch lasts before it is taken up again.
const WATCH_SECONDS: u32 = 60;

/// Where the addresses come from that are published (operations §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressSource {
    /// `--publish-status-address`, sorted.
    Fixed(Vec<Address>),
    /// `--publish-service`.
    Service(NamespacedName),
    /// The nodes of the pods that are labelled as ours is.
    Nodes {
        /// `--report-node-internal-ip-address`.
        only_internal: bool,
    },
}

/// Reads the addresses.
pub struct Reader {
    client: Client,
    source: AddressSource,
    /// Our own pod.
    pod: NamespacedName,
}

impl Reader {
    /// A reader for this pod.
    pub fn new(client: Client, source: AddressSource, pod: NamespacedName) -> Self {
        Self { client, source, pod }
    }

    /// Whether no address at all may be the truth. We run on a node, so that finding none only means that no pod is
    /// ready yet.
    pub fn may_be_empty(&self) -> bool {
        !matches!(self.source, AddressSource::Nodes { .. })
    }

    /// The addresses, sorted, each once.
    ///
    /// # Errors
    ///
    /// If an object cannot be read. Nothing is known about the addresses then.
    pub async fn read(&self) -> Result<Vec<Address>, String> {
        match &self.source {
            AddressSource::Fixed(addresses) => Ok(addresses.clone()),
            AddressSource::Service(name) => {
                let services: Api<Service> = Api::namespaced(self.client.clone(), &name.namespace);
                let service = answer(ANSWER_WITHIN, services.get(&name.name)).await;
                let service = service
                    .map_err(|failure| format!("the Service {name} cannot be read: {failure}"))?;
                Ok(Address::of_service(&service))
            }
            AddressSource::Nodes { only_internal } => self.nodes(*only_internal).await,
        }
    }

    /// Whether another pod that is labelled as ours is may serve in our place, now or soon. One that is being deleted
    /// as well does not: replicas of a deleted Deployment stop together, and the last one could not know that it is.
    ///
    /// # Errors
    ///
    /// If the pods cannot be read.
    pub async fn has_peers(&self) -> Result<bool, String> {
        let pods = self.peers().await?;
        let is_other =
            |pod: &Pod| pod.metadata.name.as_deref().is_some_and(|name| name != self.pod.name);
        let stays =
            |pod: &Pod| pod.metadata.deletion_timestamp.is_none() && !address::is_finished(pod);
        Ok(pods.iter().any(|pod| is_other(pod) && stays(pod)))
    }

    /// Whether this pod is there, however it is labelled. One that is being deleted is: what it has to do when it
    /// stops, it does itself.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub async fn is_there(&self, pod: &str) -> Result<bool, String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.pod.namespace);
        let found = answer(ANSWER_WITHIN, pods.get_opt(pod)).await;
        let found = found.map_err(|failure| format!("the pod {pod} cannot be read: {failure}"))?;
        Ok(found.as_ref().is_some_and(|pod| !address::is_finished(pod)))
    }

    /// Says each time that the addresses may have changed, as soon as the account may watch what they come from.
    pub fn changes(&self) -> BoxStream<'static, ()> {
        match &self.source {
            AddressSource::Fixed(_) => stream::pending().boxed(),
            AddressSource::Service(name) => {
                let only =
                    watcher::Config::default().fields(&format!("metadata.name={}", name.name));
                changes::<Service>(self.client.clone(), &name.namespace, only)
            }
            AddressSource::Nodes { .. } => {
                let (client, pod) = (self.client.clone(), self.pod.clone());
                // Which pods they are is known when our own has been read.
                let watch = async move {
                    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
                    let own = answer(ANSWER_WITHIN, pods.get(&pod.name)).await.ok();
                    let Some(labels) = own.as_ref().and_then(address::selector_of_peers) else {
                        return stream::pending().boxed();
                    };
                    let labelled = watcher::Config::default().labels(&labels);
                    changes::<Pod>(client, &pod.namespace, labelled)
                };
                stream::once(watch).flatten().boxed()
            }
        }
    }

    async fn nodes(&self, only_internal: bool) -> Result<Vec<Address>, String> {
        let pods = self.peers().await?;
        let mut names: Vec<_> = pods.iter().filter_map(address::node_of).collect();
        names.sort_unstable();
        names.dedup();
        let nodes: Api<Node> = Api::all(self.client.clone());
        let mut names = names.into_iter();
        let (mut open, mut addresses) = (FuturesUnordered::new(), Vec::new());
        loop {
            while open.len() < AT_ONCE
                && let Some(name) = names.next()
            {
                open.push(answer(ANSWER_WITHIN, nodes.get(name)));
            }
            match open.next().await {
                Some(Ok(node)) => addresses.extend(Address::of_node(&node, only_internal)),
                Some(Err(failure)) if failure.is_not_found() => {}
                Some(Err(failure)) => return Err(format!("a Node cannot be read: {failure}")),
                None => break,
            }
        }
        Ok(address::sorted(addresses))
    }

    /// The pods that are labelled as ours is, with ours.
    async fn peers(&self) -> Result<Vec<Pod>, String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.pod.namespace);
        let unreadable = |failure: Failure| {
            let NamespacedName { namespace, name } = &self.pod;
            format!("the pods of {namespace}/{name} cannot be read: {failure}")
        };
        let own = answer(ANSWER_WITHIN, pods.get(&self.pod.name)).await.map_err(unreadable)?;
        let Some(labels) = address::selector_of_peers(&own) else { return Ok(vec![own]) };
        let labelled = ListParams::default().labels(&labels);
        let list = answer(ANSWER_WITHIN, pods.list(&labelled)).await.map_err(unreadable)?;
        Ok(list.items)
    }
}

/// Watches only the metadata, whose version changes with everything else.
fn changes<K>(client: Client, namespace: &str, config: watcher::Config) -> BoxStream<'static, ()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + 'static,
{
    let api = Api::<PartialObjectMeta<K>>::namespaced(client, namespace);
    let events = watcher(api, config.timeout(WATCH_SECONDS)).backoff(DefaultBackoff::default());
    events
        .filter_map(|event| async move {
            match event {
                Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) => Some(()),
                Ok(Event::Init | Event::InitApply(_)) => None,
                Err(error) => {
                    tracing::debug!(%error, "what the addresses come from cannot be watched");
                    None
                }
            }
        })
        .boxed()
}
