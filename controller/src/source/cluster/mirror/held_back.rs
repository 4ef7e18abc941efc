//! Ingresses that wait for a Secret.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::objects::{Body, Ingress, Key, Object};

/// How long an Ingress waits at most.
pub const HOLD_BACK: Duration = Duration::from_secs(1);

/// The newest versions of the Ingresses that wait, and until when they do.
#[derive(Debug, Default)]
pub struct HeldBack(BTreeMap<Key, (Instant, Object)>);

impl HeldBack {
    /// Holds a version of an Ingress back, for no longer than the version that has been waiting before it.
    pub fn hold(&mut self, object: Object, now: Instant) {
        let key = object.key().clone();
        let until = self.0.get(&key).map_or(now + HOLD_BACK, |(until, _)| *until);
        self.0.insert(key, (until, object));
    }

    /// Forgets an Ingress.
    pub fn remove(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// The version of an Ingress that waits.
    pub fn ingress(&self, key: &Key) -> Option<&Arc<Ingress>> {
        self.0.get(key).and_then(|(_, object)| ingress(object))
    }

    /// The Ingresses that wait.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.keys()
    }

    /// When the next Ingress has waited long enough.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.values().map(|(until, _)| *until).min()
    }

    /// Lets go of those that have waited long enough, or for which nothing is `awaited` any more.
    pub fn release(
        &mut self,
        now: Instant,
        awaited: impl Fn(&Key, &Ingress) -> bool,
    ) -> Vec<Object> {
        let waits = |(key, (until, object)): &(Key, (Instant, Object))| {
            *until > now && ingress(object).is_some_and(|ingress| awaited(key, ingress))
        };
        let all = std::mem::take(&mut self.0).into_iter();
        let (waiting, ready): (_, BTreeMap<_, _>) = all.partition(waits);
        self.0 = waiting;
        ready.into_values().map(|(_, object)| object).collect()
    }
}

fn ingress(object: &Object) -> Option<&Arc<Ingress>> {
    match object.body() {
        Body::Ingress(ingress) => Some(ingress),
        _ => None,
    }
}
