//! Following the objects of one kind, for ever: list, watch, take up again after any failure.

use std::{
    fmt::{self, Debug},
    time::Duration,
};

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
        utils::{Backoff, StreamBackoff},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use super::{Connection, connect::READ_WITHIN};
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

/// One of the watches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WatchId {
    /// All objects of a kind that are in scope.
    All(Kind),
    /// One ConfigMap.
    ConfigMap(Key),
}

impl WatchId {
    /// The kind of its objects.
    pub fn kind(&self) -> Kind {
        match self {
            Self::All(kind) => *kind,
            Self::ConfigMap(_) => Kind::ConfigMap,
        }
    }
}

impl Feed {
    /// The watch that goes on, as this shows.
    pub fn going_on(&self) -> Option<&WatchId> {
        match self {
            Self::Listed(watch, _)
            | Self::Complete(watch)
            | Self::Applied(watch, _)
            | Self::Deleted(watch, _) => Some(watch),
            Self::Restarted(_)
            | Self::Fetched(..)
            | Self::NotFetched(_)
            | Self::Interrupted { .. }
            | Self::Answering => None,
        }
    }
}

impl fmt::Display for WatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(Kind::IngressClass) => f.write_str("IngressClasses"),
            Self::All(Kind::Ingress) => f.write_str("Ingresses"),
            Self::All(kind) => write!(f, "{}s", kind.name()),
            Self::ConfigMap(key) => write!(f, "ConfigMap {key}"),
        }
    }
}

/// An object as it came, with what only the cluster needs to know about it.
#[derive(Debug)]
pub struct Seen {
    /// The object.
    pub object: Object,
    /// What else its metadata say.
    pub meta: Meta,
    /// What its status publishes, if it is an Ingress.
    pub addresses: Vec<Address>,
}

/// What an event about an object needs to know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`.
    pub resource_version: Box<str>,
    /// When it was created, in seconds since 1970.
    pub created: i64,
    /// When anything but its status was changed last, likewise. All replicas read the same, at any time.
    pub edited: i64,
}

impl Meta {
    fn of(object: &impl ResourceExt) -> Self {
        let created =
            object.meta().creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
        let edits = object.managed_fields().iter().filter(|edit| edit.subresource.is_none());
        let edits = edits.filter_map(|edit| Some(edit.time.as_ref()?.0.as_second()));
        Self {
            uid: object.uid().unwrap_or_default().into(),
            resource_version: object.resource_version().unwrap_or_default().into(),
            created,
            edited: edits.max().unwrap_or(created),
        }
    }
}

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

/// What a watch has to say.
#[derive(Debug)]
pub enum Feed {
    /// A list begins. What it does not name is gone when it is complete.
    Restarted(WatchId),
    /// An object of the list.
    Listed(WatchId, Box<Seen>),
    /// The list is complete.
    Complete(WatchId),
    /// An object is new or changed.
    Applied(WatchId, Box<Seen>),
    /// An object is gone.
    Deleted(WatchId, Key),
    /// A Secret that was asked for: as it is, or that there is none.
    Fetched(Key, Option<Box<Seen>>),
    /// A Secret that was asked for could not be read. It may be asked for again at once.
    NotFetched(Key),
    /// A watch cannot go on. It tries again by itself.
    Interrupted {
        /// Which.
        watch: WatchId,
        /// Why.
        reason: String,
        /// Whether the API server has answered, and refuses.
        is_refusal: bool,
    },
    /// The API server answers again.
    Answering,
}

/// Starts watches. Cheap to clone.
#[derive(Clone)]
pub struct Watches<S> {
    connection: Connection,
    namespaces: NamespaceScope,
    sink: S,
}

impl<S: Fn(Feed) + Clone + Send + Sync + 'static> Watches<S> {
    /// Watches of the namespaces in scope that tell `sink` what they see.
    pub fn new(connection: Connection, namespaces: NamespaceScope, sink: S) -> Self {
        Self { connection, namespaces, sink }
    }

    /// Follows all objects of a kind. Must be called on a runtime.
    pub fn follow(&self, kind: Kind) {
        let id = WatchId::All(kind);
        // Neither is ever read, and both may be large and many.
        let not_helm = watcher::Config::default().labels("OWNER!=TILLER");
        match kind {
            Kind::IngressClass => {
                self.spawn(id, Api::<IngressClass>::all(self.client()), watcher::Config::default())
            }
            Kind::Ingress => self.spawn(id, self.scoped::<Ingress>(), watcher::Config::default()),
            Kind::Service => self.spawn(id, self.scoped::<Service>(), watcher::Config::default()),
            Kind::EndpointSlice => {
                self.spawn(id, self.scoped::<EndpointSlice>(), watcher::Config::default())
            }
            Kind::Secret => {
                self.spawn(
                    id,
                    self.scoped::<Secret>(),
                    not_helm.fields("type!=helm.sh/release.v1"),
                );
            }
            Kind::ConfigMap => self.spawn(id, self.scoped::<ConfigMap>(), not_helm),
            Kind::Namespace => self.spawn(id, Api::<Namespace>::all(self.client()), not_helm),
        }
    }

    /// Follows one ConfigMap. Must be called on a runtime.
    pub fn follow_config_map(&self, name: &NamespacedName) {
        let id = WatchId::ConfigMap(name.into());
        let only = watcher::Config::default().fields(&format!("metadata.name={}", name.name));
        self.spawn(id, Api::<ConfigMap>::namespaced(self.client(), &name.namespace), only);
    }

    /// Reads one Secret, and tells the sink whether it could. Must be called on a runtime.
    ///
    /// As a list of one, because accounts that may list Secrets need not have the right to get one.
    pub fn fetch_secret(&self, key: Key) {
        let api: Api<Secret> = Api::namespaced(self.client(), key.namespace());
        let sink = self.sink.clone();
        tokio::spawn(async move {
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
    pub fn probe(&self) {
        let (client, sink) = (self.client(), self.sink.clone());
        tokio::spawn(async move {
            let mut pauses = Pauses::default();
            loop {
                tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
                if answer(READ_WITHIN, client.apiserver_version()).await.is_ok() {
                    return sink(Feed::Answering);
                }
            }
        });
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

    fn spawn<K>(&self, id: WatchId, api: Api<K>, config: watcher::Config)
    where
        K: Watched,
        Object: From<K>,
    {
        let sink = self.sink.clone();
        let mut streams_lists = self.connection.streams_lists;
        tokio::spawn(async move {
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
        });
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

/// Pauses between tries: quick at first, never long, so that a server that is back is noticed soon; spread out, so that
/// many clients do not come at once.
#[derive(Debug, Default)]
pub struct Pauses {
    tries: u32,
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = SHORTEST_PAUSE.saturating_mul(1 << self.tries.min(8)).min(LONGEST_PAUSE);
        self.tries += 1;
        Some(pause.mul_f32(0.75 + fastrand::f32() / 2.0))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.tries = 0;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_status_is_no_edit() {
        let time = |second| format!("2026-01-01T00:00:{second:02}Z");
        let ingress: Ingress = serde_json::from_value(serde_json::json!({"metadata": {
        "name": "i", "uid": "u", "resourceVersion": "7", "creationTimestamp": time(0),
        "managedFields": [
            {"manager": "kubectl", "operation": "Update", "time": time(20)},
            {"manager": "kubectl", "operation": "Apply", "time": time(10)},
            {"manager": "c", "operation": "Update", "subresource": "status", "time": time(40)},
        ]}}))
        .unwrap();
        let meta = Meta::of(&ingress);
        assert_eq!((&*meta.uid, &*meta.resource_version), ("u", "7"));
        assert_eq!(meta.edited, meta.created + 20);
    }

    #[test]
    fn pauses_grow_to_a_bound_and_start_over() {
        let mut pauses = Pauses::default();
        let first = pauses.next().unwrap();
        assert!((SHORTEST_PAUSE / 2..=SHORTEST_PAUSE * 3 / 2).contains(&first), "{first:?}");
        let late = pauses.nth(40).unwrap();
        assert!((LONGEST_PAUSE * 3 / 4..=LONGEST_PAUSE * 5 / 4).contains(&late), "{late:?}");
        pauses.reset();
        assert!(pauses.next().unwrap() <= SHORTEST_PAUSE * 3 / 2);
    }
}
