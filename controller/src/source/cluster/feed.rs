//! What watches have to say.

use std::fmt;

use kube::ResourceExt;

use crate::{
    objects::{Key, Kind, Object},
    status::Address,
};

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
    /// Those of an object.
    pub fn of(object: &impl ResourceExt) -> Self {
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

#[cfg(test)]
mod tests {
    use k8s_openapi::api::networking::v1::Ingress;

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
}
