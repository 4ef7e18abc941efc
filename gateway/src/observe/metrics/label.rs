//! Interned label values. A key stands for the labels of a location, or for one host name, by a small number that is
//! never used twice, so that workers find a series without looking at text.
//!
//! Keys are owned by the compiled table. When its last owner lets go, the key is retired, and the series that carry
//! it disappear: that is how series of deleted objects are removed.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use headgate_config::Origin;
use parking_lot::Mutex;

/// The labels `namespace`, `ingress`, `service` and `path` of a location. Cheap to clone; two locations with equal
/// labels share one key.
#[derive(Clone, Debug)]
pub struct LocationKey(pub(super) Arc<Entry<Labels>>);

/// A host name, or the name of an alternative upstream. Cheap to clone; equal names share one key.
#[derive(Clone, Debug)]
pub struct NameKey(pub(super) Arc<Entry<Box<str>>>);

/// One interned value. Dropping the last key to it retires it.
#[derive(Debug)]
pub(super) struct Entry<V> {
    /// Never zero, never used again.
    pub(super) id: u32,
    pub(super) value: V,
    retired: Arc<AtomicU64>,
}

impl<V> Drop for Entry<V> {
    fn drop(&mut self) {
        self.retired.fetch_add(1, Relaxed);
    }
}

/// A location's origin, compared by nothing but the four labels.
#[derive(Clone, Debug)]
pub(super) struct Labels(Arc<Origin>);

impl Labels {
    /// `namespace`, `ingress`, `service`, `path`; empty where there is no object.
    pub(super) fn texts(&self) -> [&str; 4] {
        let Origin { object, path, service, .. } = &*self.0;
        let (namespace, name) =
            object.as_ref().map_or(("", ""), |object| (&object.namespace, &object.name));
        let path = match path.as_str() {
            "" => "/",
            path => path,
        };
        [namespace, name, service, path]
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.texts() == other.texts()
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.texts().hash(state);
    }
}

/// All keys that are in use.
#[derive(Debug, Default)]
pub(super) struct Registry {
    locations: Mutex<Interner<Labels>>,
    names: Mutex<Interner<Box<str>>>,
    last_id: AtomicU32,
    retired: Arc<AtomicU64>,
}

impl Registry {
    pub(super) fn location(&self, origin: &Arc<Origin>) -> LocationKey {
        let labels = Labels(Arc::clone(origin));
        LocationKey(self.locations.lock().intern(labels, self))
    }

    pub(super) fn name(&self, name: &str) -> NameKey {
        NameKey(self.names.lock().intern(name.into(), self))
    }

    /// Grows whenever a key is retired.
    pub(super) fn retired(&self) -> u64 {
        self.retired.load(Relaxed)
    }
}

#[derive(Debug)]
struct Interner<V> {
    entries: HashMap<V, Weak<Entry<V>>, foldhash::fast::RandomState>,
    /// Size at which dead entries are looked for.
    sweep_at: usize,
}

impl<V> Default for Interner<V> {
    fn default() -> Self {
        Self { entries: HashMap::default(), sweep_at: 64 }
    }
}

impl<V: Clone + Eq + Hash> Interner<V> {
    fn intern(&mut self, value: V, registry: &Registry) -> Arc<Entry<V>> {
        if let Some(entry) = self.entries.get(&value).and_then(Weak::upgrade) {
            return entry;
        }
        // Doubling keeps the sweeps' total cost proportional to the number of insertions.
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, entry| entry.strong_count() > 0);
            self.sweep_at = (2 * self.entries.len()).max(64);
        }
        let entry = Arc::new(Entry {
            id: registry.last_id.fetch_add(1, Relaxed) + 1,
            value: value.clone(),
            retired: Arc::clone(&registry.retired),
        });
        // The old map key, if any, would keep its value alive.
        self.entries.remove(&value);
        self.entries.insert(value, Arc::downgrade(&entry));
        entry
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::ObjectRef;

    use super::*;

    fn origin(name: &str, path: &str, port: &str) -> Arc<Origin> {
        Arc::new(Origin {
            object: Some(ObjectRef {
                kind: "Ingress".into(),
                namespace: "shop".into(),
                name: name.into(),
            }),
            path: path.into(),
            service: "cart".into(),
            port: port.into(),
        })
    }

    #[test]
    fn locations_with_equal_labels_share_a_key_whatever_else_differs() {
        let registry = Registry::default();
        let first = registry.location(&origin("a", "/x", "80"));
        assert_eq!(registry.location(&origin("a", "/x", "http")).0.id, first.0.id);
        assert_ne!(registry.location(&origin("a", "/y", "80")).0.id, first.0.id);
        assert_ne!(registry.location(&origin("b", "/x", "80")).0.id, first.0.id);
    }

    #[test]
    fn a_retired_key_is_counted_and_its_number_is_not_used_again() {
        let registry = Registry::default();
        let first = registry.name("a.test");
        let id = first.0.id;
        let second = first.clone();
        drop(first);
        assert_eq!(registry.retired(), 0);
        drop(second);
        assert_eq!(registry.retired(), 1);
        assert_ne!(registry.name("a.test").0.id, id);
    }

    #[test]
    fn the_registry_does_not_grow_with_names_that_are_gone() {
        let registry = Registry::default();
        for number in 0..10_000 {
            registry.name(&format!("{number}.test"));
        }
        assert!(registry.names.lock().entries.len() < 200);
    }

    #[test]
    fn an_origin_without_object_has_empty_labels_and_the_root_path() {
        let labels = Labels(Arc::new(Origin::default()));
        assert_eq!(labels.texts(), ["", "", "", "/"]);
    }
}
