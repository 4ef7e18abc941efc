//! An Ingress that is served: its accepted version and what its annotations mean.

use std::{cmp::Ordering, sync::Arc};

use headgate_config::{ObjectRef, UpstreamId};

use super::annotations::Annotations;
use crate::objects::{Backend, Ingress, Key, Kind, Rule};

/// Name of the default host.
pub const DEFAULT_HOST: &str = "_";

/// The order in which conflicts between Ingresses are decided, oldest first: by creation time in seconds, then the
/// *greater* `namespace/name` first (routing §1.5). Objects without a time, as in files, count as equally old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Age {
    seconds: i64,
    key: Key,
}

impl Age {
    /// The age of an Ingress.
    pub fn of(key: &Key, ingress: &Ingress) -> Self {
        Self { seconds: ingress.created, key: key.clone() }
    }
}

impl Ord for Age {
    fn cmp(&self, other: &Self) -> Ordering {
        self.seconds.cmp(&other.seconds).then_with(|| other.key.cmp(&self.key))
    }
}

impl PartialOrd for Age {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A version of an Ingress that is served.
#[derive(Debug)]
pub struct Accepted {
    /// Its place in the order of conflicts.
    pub age: Age,
    /// The object.
    pub ingress: Arc<Ingress>,
    /// What its annotations mean.
    pub annotations: Arc<Annotations>,
}

impl Accepted {
    /// Identity of the object.
    pub fn key(&self) -> &Key {
        &self.age.key
    }

    /// Name of the object in messages and origins.
    pub fn reference(&self) -> ObjectRef {
        Kind::Ingress.reference(self.key())
    }

    /// Whether any location of it may forward requests.
    pub fn is_serving(&self) -> bool {
        !self.annotations.canary && self.annotations.denied.is_none()
    }

    /// Whether both mean the same and come from the same version of the object.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ingress, &other.ingress) && self.annotations == other.annotations
    }

    /// Its rules in order.
    pub fn rules(&self) -> &[Rule] {
        &self.ingress.rules
    }

    /// The upstream of `spec.defaultBackend`; a resource backend is as none (routing §2.4).
    pub fn default_backend(&self) -> Option<UpstreamId> {
        self.upstream(self.ingress.default_backend.as_ref()?)
    }

    /// Whether it takes the requests that no host takes (routing §2.3).
    pub fn is_catch_all(&self) -> bool {
        let backend = self.ingress.default_backend.as_ref();
        self.rules().is_empty() && matches!(backend, Some(Backend::Service { .. }))
    }

    /// The upstream that a backend names; `None` if it names no Service.
    pub fn upstream(&self, backend: &Backend) -> Option<UpstreamId> {
        let Backend::Service { name, port } = backend else {
            return None;
        };
        Some(UpstreamId {
            namespace: self.key().namespace().into(),
            service: name.to_string(),
            port: port.to_string(),
        })
    }
}

/// The name of the host that a rule is about.
pub fn host_of(rule: &Rule) -> &str {
    if rule.host.is_empty() { DEFAULT_HOST } else { &rule.host }
}
