//! Whose annotations are read, and the objects that they may name.

use std::{cell::RefCell, sync::Arc};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use smallvec::SmallVec;

use crate::{
    objects::{Ingress, Key, Objects},
    options::Options,
    translate::{authorities::KnownAuthorities, config::Defaults},
};

/// An Ingress, and what its annotations are read by.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Start-up options.
    pub options: &'a Options,
    /// What applies where nothing is said.
    pub defaults: &'a Defaults,
    /// Secrets and ConfigMaps.
    pub objects: &'a Objects,
    /// Those of the Secrets that hold authorities, as far as they were read.
    pub authorities: &'a KnownAuthorities,
    /// The Ingress's name.
    pub key: &'a Key,
    /// The Ingress.
    pub ingress: &'a Ingress,
}

/// Objects that annotations name, whether they exist or not: when one changes, the annotations may mean something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Secrets.
    pub secrets: SmallVec<[Key; 1]>,
    /// ConfigMaps.
    pub config_maps: SmallVec<[Key; 1]>,
}

/// Looks objects up, and remembers which.
#[derive(Debug)]
pub struct Lookup<'a> {
    subject: Subject<'a>,
    references: RefCell<References>,
}

impl<'a> Lookup<'a> {
    /// For a new reading.
    pub fn new(subject: Subject<'a>) -> Self {
        Self { subject, references: RefCell::default() }
    }

    /// The name of an object in a value: `name` or `namespace/name`, where the namespace may only be another one if the
    /// administrator allows that (annotations §1.8).
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn key(&self, text: &str) -> Result<Key, String> {
        let own = self.subject.key.namespace();
        let (namespace, name) = text.split_once('/').unwrap_or((own, text));
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            return Err(format!("{text:?} is neither NAME nor NAMESPACE/NAME; write it so"));
        }
        if namespace != own && !self.subject.defaults.restrictions.cross_namespace {
            return Err(format!(
                "{text:?} is in another namespace than the Ingress; allow-cross-namespace-resources is false: name one of its own, or set that to true in the ConfigMap"
            ));
        }
        Ok(Key::new(namespace, name))
    }

    /// A Secret.
    pub fn secret(&self, key: &Key) -> Option<&'a Arc<Secret>> {
        note(&mut self.references.borrow_mut().secrets, key);
        self.subject.objects.secret(key)
    }

    /// A ConfigMap.
    pub fn config_map(&self, key: &Key) -> Option<&'a ConfigMap> {
        note(&mut self.references.borrow_mut().config_maps, key);
        self.subject.objects.config_map(key).map(|map| &**map)
    }

    /// Everything that was looked up.
    pub fn into_references(self) -> References {
        self.references.into_inner()
    }
}

fn note(keys: &mut SmallVec<[Key; 1]>, key: &Key) {
    if !keys.contains(key) {
        keys.push(key.clone());
    }
}
