//! How objects are named.

use std::{fmt, sync::Arc};

use headgate_config::ObjectRef;

use crate::options::NamespacedName;

/// Identity of an object among those of its kind: `namespace/name`, with nothing before the `/` for kinds that have
/// no namespace. Keys are ordered as these texts are, which is the order that breaks ties of age (routing §1.5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of a namespace and a name.
    pub fn new(namespace: &str, name: &str) -> Self {
        let mut text = String::with_capacity(namespace.len() + 1 + name.len());
        text.push_str(namespace);
        text.push('/');
        text.push_str(name);
        Self(text.into())
    }

    /// The key that [`Display`](fmt::Display) has written.
    pub fn parse(text: &str) -> Self {
        let (namespace, name) = text.split_once('/').unwrap_or(("", text));
        Self::new(namespace, name)
    }

    /// The namespace; empty for kinds that have none.
    pub fn namespace(&self) -> &str {
        self.0.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl From<&NamespacedName> for Key {
    fn from(NamespacedName { namespace, name }: &NamespacedName) -> Self {
        Self::new(namespace, name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_start_matches('/'))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kinds of objects that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `networking.k8s.io/v1` IngressClass.
    IngressClass,
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Secret.
    Secret,
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Namespace.
    Namespace,
}

impl Kind {
    /// All of them, with their `apiVersion`.
    pub const ALL: [(Self, &str); 7] = [
        (Self::IngressClass, "networking.k8s.io/v1"),
        (Self::Ingress, "networking.k8s.io/v1"),
        (Self::Service, "v1"),
        (Self::EndpointSlice, "discovery.k8s.io/v1"),
        (Self::Secret, "v1"),
        (Self::ConfigMap, "v1"),
        (Self::Namespace, "v1"),
    ];

    /// The kind that a manifest's `apiVersion` and `kind` name, if it is one of these.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(known, version)| *version == api_version && known.name() == kind)
            .map(|(known, _)| known)
    }

    /// The kind as manifests spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IngressClass => "IngressClass",
            Self::Ingress => "Ingress",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::Namespace => "Namespace",
        }
    }

    /// Whether objects of this kind live in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::IngressClass | Self::Namespace)
    }

    /// The name of an object of this kind in messages.
    pub fn reference(self, key: &Key) -> ObjectRef {
        ObjectRef {
            kind: self.name().into(),
            namespace: key.namespace().into(),
            name: key.name().into(),
        }
    }
}
