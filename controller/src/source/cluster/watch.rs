//! Following the objects of one kind, for ever: list, watch, take up again after any failure.

mod pauses;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt::Debug, time::Duration};

use futures_util::StreamExt;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
};
use kube::{
    Api, Client, Error, Resource, ResourceExt,
    api::ListParams,
    runtime::{
        utils::StreamBackoff,
        watcher::{self, Event, watcher},
    },
};
use pauses::{LONGEST_PAUSE, Pauses, SHORTEST_PAUSE};
use serde::de::DeserializeOwned;
use tokio::task::{AbortHandle, JoinSet};

use super::{
    Connection, Feed, Meta, Seen, WatchId,
    connect::{READ_WITHIN, classes_allowed},
};
use crate::{
    objects::{Key, Kind, Object},
    options::{NamespaceScope, NamespacedName},
    request::{answer, chain},
    status::Address,
};

/// How long a watch lasts before it is taken up again. A connection that died without a word is noticed a little
/// later.
const WATCH_SECONDS: u32 = 60;

/// How long nobody asks for a Secret again that could not be read.
const FETCH_AGAIN: Duration = Duration::from_secs(1);

/// A kind of objects that can be watched.
trait Watched: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static {
    /// The addresses in its status.
    fn addresses(&self) -> Vec<Address> {
        Vec::new()
    }
}

impl Watched for Ingress {
    fn addresses(&self) -> Vec<Address> {
        Address::published(self)
    }
}
impl Watched for IngressClass {}
impl Watched for Service {}
impl Watched for EndpointSlice {}
impl Watched for Secret {}
impl Watched for ConfigMap {}
impl Watched for Namespace {}

/// Starts watches, which end with it.
pub struct Watches<S> {
    connection: Connection,
    namespaces: NamespaceScope,
    sink: S,
    tasks: JoinSet<()>,
    /// Watches of single ConfigMaps.
    maps: HashMap<Key, AbortHandle>,
}

impl<S: Fn(Feed) + Clone + Send + Sync + 'static> Watches<S> {
    /// Watches of the namespaces in scope that tell `sink` what they see.
    pub fn new(connection: Connection, namespaces: NamespaceScope, sink: S) -> Self {
        Self { connection, namespaces, sink, tasks: JoinSet::new(), maps: HashMap::new() }
    }

    /// Follows all objects of a kind. Must be called on a runtime.
    pub fn follow(&mut self, kind: Kind) {
        let id = WatchId::All(kind);
        // Neither is ever read, and both may be large and many.
        let not_helm = watcher::Config::default().labels("OWNER!=TILLER");
        let _: AbortHandle = match kind {
            Kind::IngressClass => {
                self.spawn(id, Api::<IngressClass>::all(self.client()), watcher::Config::default())
            }
            Kind::Ingress => self.spawn(id, self.scoped::<Ingress>(), watcher::Config::default()),
            Kind::Service => self.spawn(id, self.scoped::<Service>(), watcher::Config::default()),
            Kind::EndpointSlice => {
                self.spawn(id, self.scoped::<EndpointSlice>(), watcher::Config::default())
            }
            Kind::Secret => {
                self.spawn(id, self.scoped::<Secret>(), not_helm.fields("type!=helm.sh/release.v1"))
            }
            Kind::ConfigMap => self.spawn(id, self.scoped::<ConfigMap>(), not_helm),
            Kind::Namespace => self.spawn(id, Api::<Namespace>::all(self.client()), not_helm),
        };
    }

    /// Follows all IngressClasses as soon as they may be listed. Must be called on a runtime.
    pub fn follow_classes_when_allowed(&mut self) {
        let client = self.client();
        let classes = Api::<IngressClass>::all(client.clone());
        let id = WatchId::All(Kind::IngressClass);
        let watch = self.watch(id, classes, watcher::Config::default());
        self.tasks.spawn(async move {
            classes_allowed(&client).await;
            tracing::info!(
                "IngressClasses may be listed now: spec.ingressClassName counts as soon as they are"
            );
            watch.await;
        });
    }

    /// Follows one ConfigMap. Must be called on a runtime.
    pub fn follow_config_map(&mut self, name: &NamespacedName) {
        let id = WatchId::ConfigMap(name.into());
        let only = watcher::Config::default().fields(&format!("metadata.name={}", name.name));
        let api = Api::<ConfigMap>::namespaced(self.client(), &name.namespace);
        let watch = self.spawn(id, api, only);
        if let Some(before) = self.maps.insert(name.into(), watch) {
            before.abort();
        }
    }

    /// Ends the watch of one ConfigMap.
    pub fn forget_config_map(&mut self, key: &Key) {
        if let Some(watch) = self.maps.remove(key) {
            watch.abort();
        }
    }

    /// Reads one Secret, and tells the sink whether it could. Must be called on a runtime.
    ///
    /// As a list of one, because accounts that may list Secrets need not have the right to get one.
    pub fn fetch_secret(&mut self, key: Key) {
        let api: Api<Secret> = Api::namespaced(self.client(), key.namespace());
        let sink = self.sink.clone();
        self.tasks.spawn(async move {
            let only = ListParams::default().fields(&format!("metadata.name={}", key.name()));
            match answer(READ_WITHIN, api.list(&only)).await {
                Ok(list) => {
                    let found = list.items.into_iter().next().map(seen).map(Box::new);
                    sink(Feed::Fetched(key, found));
                }
                Err(failure) => {
                    tracing::debug!(secret = %key, %failure, "cannot be read yet");
                    tokio::time::sleep(FETCH_AGAIN).await;
                    sink(Feed::NotFetched(key));
                }
            }
        });
    }

    /// Asks the API server until it answers, and tells the sink so. Must be called on a runtime.
    pub fn probe(&mut self) {
        let (client, sink) = (self.client(), self.sink.clone());
        self.tasks.spawn(async move {
            let mut pauses = Pauses::default();
            loop {
                tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
                if answer(READ_WITHIN, client.apiserver_version()).await.is_ok() {
                    return sink(Feed::Answering);
                }
            }
        });
    }

    /// Waits for the end of something that was started; for ever if nothing was. What panicked panics here: a watch
    /// that has silently ended would look like a cluster that does not change.
    pub async fn next_end(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
            None => std::future::pending().await,
        }
    }

    fn client(&self) -> Client {
        self.connection.client.clone()
    }

    fn scoped<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match &self.namespaces {
            NamespaceScope::One(namespace) => Api::namespaced(self.client(), namespace),
            NamespaceScope::All | NamespaceScope::Labelled(_) => Api::all(self.client()),
        }
    }

    fn spawn<K>(&mut self, id: WatchId, api: Api<K>, config: watcher::Config) -> AbortHandle
    where
        K: Watched,
        Object: From<K>,
    {
        let watch = self.watch(id, api, config);
        self.tasks.spawn(watch)
    }

    /// A watch that never ends.
    fn watch<K>(
        &self,
        id: WatchId,
        api: Api<K>,
        config: watcher::Config,
    ) -> impl Future<Output = ()> + Send + use<K, S>
    where
        K: Watched,
        Object: From<K>,
    {
        let sink = self.sink.clone();
        let mut streams_lists = self.connection.streams_lists;
        async move {
            loop {
                let config = config.clone().timeout(WATCH_SECONDS);
                let config = if streams_lists { config.streaming_lists() } else { config };
                match follow(&id, api.clone(), config, &sink).await {
                    Ended::ListNotStreamed => {
                        tracing::info!(
                            ?id,
                            "the API server does not stream lists; they are read in pages"
                        );
                        streams_lists = false;
                    }
                    Ended::Expired => {}
                }
                tokio::time::sleep(SHORTEST_PAUSE).await;
            }
        }
    }
}

/// Why a watch has to begin anew.
enum Ended {
    /// The server refuses to send the list as a watch.
    ListNotStreamed,
    /// The server has forgotten where the watch was.
    Expired,
}

async fn follow<K>(
    id: &WatchId,
    api: Api<K>,
    config: watcher::Config,
    sink: &impl Fn(Feed),
) -> Ended
where
    K: Watched,
    Object: From<K>,
{
    let mut events = Box::pin(StreamBackoff::new(watcher(api, config), Pauses::default()));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => sink(Feed::Restarted(id.clone())),
            Ok(Event::InitApply(object)) => sink(Feed::Listed(id.clone(), Box::new(seen(object)))),
            Ok(Event::InitDone) => sink(Feed::Complete(id.clone())),
            Ok(Event::Apply(object)) => sink(Feed::Applied(id.clone(), Box::new(seen(object)))),
            Ok(Event::Delete(object)) => sink(Feed::Deleted(id.clone(), key_of(&object))),
            Err(watcher::Error::WatchStartFailed(Error::Api(status)))
                if matches!(status.code, 400 | 422)
                    && status.message.contains("sendInitialEvents") =>
            {
                return Ended::ListNotStreamed;
            }
            Err(watcher::Error::WatchStartFailed(Error::Api(status))) if status.code == 410 => {
                return Ended::Expired;
            }
            Err(watcher::Error::WatchError(status)) if status.code == 410 => {
                tracing::info!(watch = %id, "the API server has forgotten where this watch was; its list is read again");
            }
            Err(error) => sink(Feed::Interrupted {
                watch: id.clone(),
                reason: chain(&error),
                is_refusal: is_refusal(&error),
            }),
        }
    }
    // Watches do not end by themselves; if one did, this is what would be right.
    Ended::Expired
}

/// Whether the API server has answered, and refuses.
fn is_refusal(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => matches!(error, Error::Api(_)),
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => true,
    }
}

fn key_of(object: &impl ResourceExt) -> Key {
    Key::new(object.namespace().as_deref().unwrap_or(""), &object.name_any())
}

fn seen<K>(object: K) -> Seen
where
    K: Watched,
    Object: From<K>,
{
    Seen { meta: Meta::of(&object), addresses: object.addresses(), object: object.into() }
}
