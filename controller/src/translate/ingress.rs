//! An Ingress that is served: its accepted version and what its annotations mean.

use std::{borrow::Cow, cmp::Ordering, sync::Arc};

use headgate_config::{ObjectRef, UpstreamId};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressTLS,
};

use super::annotations::Annotations;
use crate::objects::{Key, Kind};

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
        let created = ingress.metadata.creation_timestamp.as_ref();
        Self { seconds: created.map_or(0, |time| time.0.as_second()), key: key.clone() }
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
    pub fn rules(&self) -> &[IngressRule] {
        let rules = self.ingress.spec.as_ref().and_then(|spec| spec.rules.as_ref());
        rules.map_or(&[], Vec::as_slice)
    }

    /// Its TLS entries in order.
    pub fn tls(&self) -> &[IngressTLS] {
        let tls = self.ingress.spec.as_ref().and_then(|spec| spec.tls.as_ref());
        tls.map_or(&[], Vec::as_slice)
    }

    /// The upstream of `spec.defaultBackend`; a resource backend is as none (routing §2.4).
    pub fn default_backend(&self) -> Option<UpstreamId> {
        let backend = self.ingress.spec.as_ref()?.default_backend.as_ref()?;
        self.upstream(backend)
    }

    /// Whether it takes the requests that no host takes (routing §2.3).
    pub fn is_catch_all(&self) -> bool {
        self.rules().is_empty() && self.default_backend().is_some()
    }

    /// The upstream that a backend names; `None` if it names no Service.
    pub fn upstream(&self, backend: &IngressBackend) -> Option<UpstreamId> {
        let service = backend.service.as_ref()?;
        let port = service.port.as_ref();
        let number = port.and_then(|port| port.number).filter(|number| *number > 0);
        let name = port.and_then(|port| port.name.clone()).filter(|name| !name.is_empty());
        Some(UpstreamId {
            namespace: self.key().namespace().into(),
            service: service.name.clone(),
            // Without a port nothing matches: no Service has port 0.
            port: number.map(|number| number.to_string()).or(name).unwrap_or_else(|| "0".into()),
        })
    }
}

/// The name of the host that a rule is about.
pub fn host_of(rule: &IngressRule) -> Cow<'_, str> {
    match rule.host.as_deref() {
        None | Some("") => Cow::Borrowed(DEFAULT_HOST),
        Some(host) if host.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Cow::Owned(host.to_ascii_lowercase())
        }
        Some(host) => Cow::Borrowed(host),
    }
}

/// The paths of a rule.
pub fn paths_of(rule: &IngressRule) -> &[HTTPIngressPath] {
    rule.http.as_ref().map_or(&[], |http| &http.paths)
}

/// The path as it is compared and served; an empty one is `/`.
pub fn path_text(path: &HTTPIngressPath) -> &str {
    path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/")
}
