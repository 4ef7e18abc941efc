//! What was read: Kubernetes objects as sorted maps, whichever source they came from.
//!
//! The only input of the translation. Objects are kept without what nobody reads ([`lean`]), and every change is
//! noted, so that the translation can look at what changed only. Meaning, classes and validity are left to
//! [`translate`](crate::translate).

mod change;
mod ingress;
mod key;
mod lean;
mod service;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use headgate_config::ObjectRef;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Secret},
    networking::v1::IngressClass,
};
use smallvec::SmallVec;

pub use change::Changes;
pub use ingress::{Backend, Ingress, Path, Rule, Tls};
pub use key::{Key, Kind};
pub use service::{EndpointSlice, Proximity, Service, ServicePort, SlicePort, TargetPort, Zones};

/// One object of a kind that the controller reads, trimmed. Made from the typed object by `into`.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    key: Key,
    body: Body,
}

/// The object itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// An IngressClass.
    IngressClass(Arc<IngressClass>),
    /// An Ingress.
    Ingress(Arc<Ingress>),
    /// A Service.
    Service(Arc<Service>),
    /// An EndpointSlice.
    EndpointSlice(Arc<EndpointSlice>),
    /// A Secret.
    Secret(Arc<Secret>),
    /// A ConfigMap.
    ConfigMap(Arc<ConfigMap>),
    /// A Namespace.
    Namespace(Arc<Namespace>),
}

impl Object {
    /// An Ingress.
    pub fn of_ingress(key: Key, ingress: Arc<Ingress>) -> Self {
        Self::new(key, Body::Ingress(ingress))
    }

    /// The object's kind.
    pub fn kind(&self) -> Kind {
        match self.body {
            Body::IngressClass(_) => Kind::IngressClass,
            Body::Ingress(_) => Kind::Ingress,
            Body::Service(_) => Kind::Service,
            Body::EndpointSlice(_) => Kind::EndpointSlice,
            Body::Secret(_) => Kind::Secret,
            Body::ConfigMap(_) => Kind::ConfigMap,
            Body::Namespace(_) => Kind::Namespace,
        }
    }

    /// The object's identity among those of its kind.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The object itself.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The object's name in messages.
    pub fn reference(&self) -> ObjectRef {
        self.kind().reference(&self.key)
    }

    fn new(key: Key, body: Body) -> Self {
        Self { key, body }
    }
}

/// Everything that was read and not removed since.
#[derive(Debug, Default)]
pub struct Objects {
    ingress_classes: BTreeMap<Key, Arc<IngressClass>>,
    ingresses: BTreeMap<Key, Arc<Ingress>>,
    services: BTreeMap<Key, Arc<Service>>,
    endpoint_slices: BTreeMap<Key, Arc<EndpointSlice>>,
    /// Slices by the Service that their label names, each list sorted.
    slices_by_service: BTreeMap<Key, SmallVec<[Key; 1]>>,
    secrets: BTreeMap<Key, Arc<Secret>>,
    config_maps: BTreeMap<Key, Arc<ConfigMap>>,
    namespaces: BTreeMap<Key, Arc<Namespace>>,
    changes: Changes,
}

impl Objects {
    /// Adds or replaces an object; says whether that changed anything.
    pub fn apply(&mut self, object: &Object) -> bool {
        let key = object.key();
        let changed = match object.body() {
            Body::IngressClass(object) => put(&mut self.ingress_classes, key, object),
            Body::Ingress(object) => put(&mut self.ingresses, key, object),
            Body::Service(object) => put(&mut self.services, key, object),
            Body::EndpointSlice(object) => self.put_slice(key, object),
            Body::Secret(object) => put(&mut self.secrets, key, object),
            Body::ConfigMap(object) => put(&mut self.config_maps, key, object),
            Body::Namespace(object) => put(&mut self.namespaces, key, object),
        };
        if changed && object.kind() != Kind::EndpointSlice {
            self.changes.note(object.kind(), key.clone());
        }
        changed
    }

    /// Removes an object; says whether it was there.
    pub fn remove(&mut self, kind: Kind, key: &Key) -> bool {
        let removed = match kind {
            Kind::IngressClass => self.ingress_classes.remove(key).is_some(),
            Kind::Ingress => self.ingresses.remove(key).is_some(),
            Kind::Service => self.services.remove(key).is_some(),
            Kind::EndpointSlice => return self.remove_slice(key),
            Kind::Secret => self.secrets.remove(key).is_some(),
            Kind::ConfigMap => self.config_maps.remove(key).is_some(),
            Kind::Namespace => self.namespaces.remove(key).is_some(),
        };
        if removed {
            self.changes.note(kind, key.clone());
        }
        removed
    }

    /// Whether an object is there.
    pub fn contains(&self, kind: Kind, key: &Key) -> bool {
        match kind {
            Kind::IngressClass => self.ingress_classes.contains_key(key),
            Kind::Ingress => self.ingresses.contains_key(key),
            Kind::Service => self.services.contains_key(key),
            Kind::EndpointSlice => self.endpoint_slices.contains_key(key),
            Kind::Secret => self.secrets.contains_key(key),
            Kind::ConfigMap => self.config_maps.contains_key(key),
            Kind::Namespace => self.namespaces.contains_key(key),
        }
    }

    /// All objects of a kind that are there.
    pub fn keys(&self, kind: Kind) -> Box<dyn Iterator<Item = &Key> + '_> {
        match kind {
            Kind::IngressClass => Box::new(self.ingress_classes.keys()),
            Kind::Ingress => Box::new(self.ingresses.keys()),
            Kind::Service => Box::new(self.services.keys()),
            Kind::EndpointSlice => Box::new(self.endpoint_slices.keys()),
            Kind::Secret => Box::new(self.secrets.keys()),
            Kind::ConfigMap => Box::new(self.config_maps.keys()),
            Kind::Namespace => Box::new(self.namespaces.keys()),
        }
    }

    /// What changed since this was asked last.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// IngressClasses by name.
    pub fn ingress_classes(&self) -> &BTreeMap<Key, Arc<IngressClass>> {
        &self.ingress_classes
    }

    /// Ingresses.
    pub fn ingresses(&self) -> &BTreeMap<Key, Arc<Ingress>> {
        &self.ingresses
    }

    /// One Service.
    pub fn service(&self, key: &Key) -> Option<&Arc<Service>> {
        self.services.get(key)
    }

    /// The EndpointSlices that carry the label of a Service, in the order of their names (routing §11.4).
    pub fn slices_of(&self, service: &Key) -> impl Iterator<Item = &Arc<EndpointSlice>> + use<'_> {
        let names = self.slices_by_service.get(service);
        names.into_iter().flatten().filter_map(|key| self.endpoint_slices.get(key))
    }

    /// One Secret.
    pub fn secret(&self, key: &Key) -> Option<&Arc<Secret>> {
        self.secrets.get(key)
    }

    /// One ConfigMap.
    pub fn config_map(&self, key: &Key) -> Option<&Arc<ConfigMap>> {
        self.config_maps.get(key)
    }

    /// One Namespace.
    pub fn namespace(&self, name: &str) -> Option<&Arc<Namespace>> {
        self.namespaces.get(&Key::new("", name))
    }

    fn put_slice(&mut self, key: &Key, slice: &Arc<EndpointSlice>) -> bool {
        let before = self.endpoint_slices.get(key).and_then(|slice| slice.service.clone());
        if !put(&mut self.endpoint_slices, key, slice) {
            return false;
        }
        let now = slice.service.clone();
        if before != now {
            self.unlink_slice(before.as_ref(), key);
            if let Some(service) = &now {
                let slices = self.slices_by_service.entry(service.clone()).or_default();
                if let Err(at) = slices.binary_search(key) {
                    slices.insert(at, key.clone());
                }
            }
        }
        for service in before.into_iter().chain(now) {
            self.changes.note(Kind::Service, service);
        }
        true
    }

    fn remove_slice(&mut self, key: &Key) -> bool {
        let Some(slice) = self.endpoint_slices.remove(key) else {
            return false;
        };
        if let Some(service) = &slice.service {
            self.unlink_slice(Some(service), key);
            self.changes.note(Kind::Service, service.clone());
        }
        true
    }

    fn unlink_slice(&mut self, service: Option<&Key>, slice: &Key) {
        if let Some(service) = service
            && let Entry::Occupied(mut slices) = self.slices_by_service.entry(service.clone())
        {
            slices.get_mut().retain(|key| key != slice);
            if slices.get().is_empty() {
                slices.remove();
            }
        }
    }
}

fn put<T: PartialEq>(map: &mut BTreeMap<Key, Arc<T>>, key: &Key, object: &Arc<T>) -> bool {
    match map.entry(key.clone()) {
        Entry::Vacant(entry) => {
            entry.insert(object.clone());
            true
        }
        Entry::Occupied(entry) if **entry.get() == **object => false,
        Entry::Occupied(mut entry) => {
            entry.insert(object.clone());
            true
        }
    }
}

#[cfg(test)]
mod tests;
