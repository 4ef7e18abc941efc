//! Which objects changed since the translation looked last.

use std::collections::BTreeSet;

use super::{Key, Kind, Objects};

/// Objects that were added, replaced or removed. Changed EndpointSlices count as changes of their Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Any IngressClass.
    pub ingress_classes: bool,
    /// Any Namespace.
    pub namespaces: bool,
    /// Ingresses.
    pub ingresses: BTreeSet<Key>,
    /// Services that changed themselves or by their slices.
    pub services: BTreeSet<Key>,
    /// Secrets.
    pub secrets: BTreeSet<Key>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<Key>,
}

impl Changes {
    /// As if everything that is there had just been added.
    pub fn everything(objects: &Objects) -> Self {
        Self {
            ingress_classes: true,
            namespaces: true,
            ingresses: objects.ingresses.keys().cloned().collect(),
            services: objects
                .services
                .keys()
                .chain(objects.slices_by_service.keys())
                .cloned()
                .collect(),
            secrets: objects.secrets.keys().cloned().collect(),
            config_maps: objects.config_maps.keys().cloned().collect(),
        }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn note(&mut self, kind: Kind, key: Key) {
        match kind {
            Kind::IngressClass => self.ingress_classes = true,
            Kind::Namespace => self.namespaces = true,
            Kind::Ingress => drop(self.ingresses.insert(key)),
            Kind::Service | Kind::EndpointSlice => drop(self.services.insert(key)),
            Kind::Secret => drop(self.secrets.insert(key)),
            Kind::ConfigMap => drop(self.config_maps.insert(key)),
        }
    }
}
