//! The objects of the cluster, as far as its watches have told.
//!
//! Nothing is published before every list is complete, and a list that is read again removes what it no longer names
//! only when it is complete: whoever translates never sees half of the cluster. An Ingress that names a Secret which
//! has not been read yet is held back until it has, so that no host is served with the wrong certificate in between; so
//! is one that has been there for long when its class becomes ours.

mod classes;
mod held_back;
mod held_config;
mod named;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use held_back::HeldBack;
use held_config::HeldConfig;

use super::{
    feed::{Feed, Meta, Seen, WatchId},
    maps::{self, Maps, Wish},
    secrets::{self, Interest},
};
use crate::{
    objects::{Body, Changes, Key, Kind, Objects},
    options::Options,
    status::Board,
    translate::class::Classes,
};

/// What the watches have told.
#[derive(Debug)]
pub struct Mirror {
    options: Options,
    board: Arc<Board>,
    objects: Objects,
    /// Lists that have not been complete yet.
    incomplete: HashSet<WatchId>,
    /// Lists that are being read again, with what they have named so far.
    relists: HashMap<WatchId, HashSet<Key>>,
    classes: Classes,
    interest: Interest,
    maps: Maps,
    /// ConfigMaps that are followed whether anybody names them or not.
    own_maps: Vec<Key>,
    /// Whether all Ingresses have been read, and are asked which Secrets and ConfigMaps they name.
    asks: bool,
    /// Ingresses that wait for a Secret or a ConfigMap.
    held_back: HeldBack,
    /// The main ConfigMap, if it waits for a Secret.
    held_config: HeldConfig,
    /// Secrets that are to be fetched.
    to_fetch: Vec<Key>,
    /// Of Ingresses, ConfigMaps and Secrets.
    metas: HashMap<(Kind, Key), Meta>,
}

impl Mirror {
    /// A mirror that waits for these lists, and keeps the board up to date about what is published.
    pub fn new(
        options: Options,
        watches: impl IntoIterator<Item = WatchId>,
        board: Arc<Board>,
    ) -> Self {
        let mut interest = Interest::default();
        if let Some(name) = &options.default_ssl_certificate {
            interest.pin(name.into());
        }
        let incomplete: HashSet<_> = watches.into_iter().collect();
        let own_maps = incomplete.iter().filter_map(|id| match id {
            WatchId::ConfigMap(key) => Some(key.clone()),
            WatchId::All(_) => None,
        });
        Self {
            own_maps: own_maps.collect(),
            options,
            interest,
            maps: Maps::default(),
            board,
            objects: Objects::default(),
            incomplete,
            relists: HashMap::new(),
            classes: Classes::default(),
            asks: false,
            held_back: HeldBack::default(),
            held_config: HeldConfig::default(),
            to_fetch: Vec::new(),
            metas: HashMap::new(),
        }
    }

    /// The objects.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What changed of them since this was asked last.
    pub fn take_changes(&mut self) -> Changes {
        self.objects.take_changes()
    }

    /// Whether every list has been complete.
    pub fn is_complete(&self) -> bool {
        self.incomplete.is_empty()
    }

    /// The lists that are still to be completed.
    pub fn incomplete(&self) -> impl Iterator<Item = &WatchId> {
        self.incomplete.iter()
    }

    /// Whether it is known which Secrets are asked for, so that they may be watched.
    pub fn knows_ingresses(&self) -> bool {
        !self.incomplete.iter().any(|id| match id {
            WatchId::All(kind) => {
                matches!(kind, Kind::IngressClass | Kind::Ingress | Kind::Namespace)
            }
            WatchId::ConfigMap(key) => self.is_main_map(key),
        })
    }

    /// What the metadata of an Ingress, ConfigMap or Secret say that was read.
    pub fn meta(&self, kind: Kind, key: &Key) -> Option<&Meta> {
        self.metas.get(&(kind, key.clone()))
    }

    /// Secrets that have to be fetched since this was asked last.
    pub fn take_fetches(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.to_fetch)
    }

    /// What is to be done about watches of ConfigMaps since this was asked last.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        self.maps.take_wishes()
    }

    /// Whether a watch is of a ConfigMap that only some Ingresses name.
    pub fn is_named_map(&self, watch: &WatchId) -> bool {
        matches!(watch, WatchId::ConfigMap(key) if self.maps.contains(key))
    }

    /// When the next Ingress has waited long enough.
    pub fn deadline(&self) -> Option<Instant> {
        self.held_back.deadline().into_iter().chain(self.held_config.deadline()).min()
    }

    /// Takes in what a watch has said.
    pub fn take(&mut self, feed: Feed, now: Instant) {
        match feed {
            Feed::Restarted(id) => {
                if id.kind() == Kind::Secret {
                    self.interest.list_begins();
                }
                self.relists.insert(id, HashSet::new());
            }
            Feed::Listed(id, seen) => {
                let key = seen.object.key();
                if (id.kind() != Kind::Secret || self.interest.contains(key))
                    && let Some(named) = self.relists.get_mut(&id)
                {
                    named.insert(key.clone());
                }
                self.apply(*seen, now);
            }
            Feed::Complete(id) => self.complete(&id, now),
            Feed::Applied(_, seen) => self.apply(*seen, now),
            Feed::Deleted(id, key) => self.remove(id.kind(), &key, now),
            Feed::Fetched(key, seen) => self.fetched(&key, seen),
            Feed::NotFetched(key) => {
                if self.interest.is_unknown(&key) {
                    self.to_fetch.push(key);
                }
            }
            Feed::Interrupted { watch: WatchId::ConfigMap(key), is_refusal: true, .. } => {
                self.refused(key);
            }
            Feed::Interrupted { .. } | Feed::Answering => {}
        }
    }

    /// Lets go of the Ingresses whose Secrets have been read, or that have waited long enough.
    pub fn release(&mut self, now: Instant) {
        let (options, interest, maps) = (&self.options, &self.interest, &self.maps);
        let ready = self.held_back.release(now, |key, ingress| {
            let named = secrets::named_by(options, key, ingress);
            named.iter().any(|secret| interest.is_unknown(secret))
                || maps::named_by(options, key, ingress).iter().any(|map| maps.is_unknown(map))
        });
        let config = self.held_config.release(now, |map| {
            let named = secrets::named_by_config(options, map);
            named.iter().any(|secret| interest.is_unknown(secret))
                || maps::named_by_config(options, map).iter().any(|map| maps.is_unknown(map))
        });
        for object in ready {
            self.objects.apply(&object);
        }
        if let Some(object) = config {
            self.apply_main_map(&object);
        }
    }

    fn apply(&mut self, mut seen: Seen, now: Instant) {
        let addresses = std::mem::take(&mut seen.addresses);
        let Seen { object, meta, .. } = &seen;
        let (kind, key) = (object.kind(), object.key());
        match object.body() {
            Body::Secret(_) if !self.interest.known(key) => return,
            Body::ConfigMap(_) if !self.wants_map(key) => return,
            Body::Ingress(_) | Body::Secret(_) | Body::ConfigMap(_) => {
                self.metas.insert((kind, key.clone()), meta.clone());
            }
            _ => {}
        }
        if kind == Kind::Ingress {
            self.board.set_published(key, addresses);
        }
        if let Body::Ingress(ingress) = object.body()
            && self.ask_for_secrets(key, ingress)
        {
            tracing::debug!(ingress = %key, "waits until the Secrets and ConfigMaps that it names are read");
            self.held_back.hold(seen.object, now);
            return;
        }
        if kind == Kind::ConfigMap && self.is_main_map(key) {
            self.take_main_map(seen.object, now);
            return;
        }
        self.held_back.remove(key);
        self.objects.apply(object);
        if kind == Kind::IngressClass {
            self.reconsider_classes(now);
        }
    }

    fn remove(&mut self, kind: Kind, key: &Key, now: Instant) {
        self.metas.remove(&(kind, key.clone()));
        match kind {
            Kind::Ingress => {
                self.held_back.remove(key);
                self.board.remove(key);
            }
            Kind::Secret => drop(self.interest.known(key)),
            Kind::ConfigMap if self.is_main_map(key) => self.forget_main_map(key),
            _ => {}
        }
        self.objects.remove(kind, key);
        match kind {
            Kind::IngressClass => self.reconsider_classes(now),
            // Afterwards it is settled when it is known what is served in its place.
            Kind::Ingress if !self.is_complete() => self.settle(key, None),
            _ => {}
        }
    }

    fn complete(&mut self, id: &WatchId, now: Instant) {
        let named = self.relists.remove(id).unwrap_or_default();
        let gone: Vec<_> = match id {
            WatchId::ConfigMap(key) => {
                let is_gone = !named.contains(key);
                is_gone.then(|| key.clone()).into_iter().collect()
            }
            WatchId::All(kind) => {
                let known = self
                    .objects
                    .keys(*kind)
                    .chain(self.held_back.keys().filter(|_| *kind == Kind::Ingress));
                let known = known.filter(|key| !named.contains(*key));
                let is_covered =
                    |key: &&Key| *kind != Kind::Secret || self.interest.is_covered(key);
                known.filter(is_covered).cloned().collect()
            }
        };
        for key in gone {
            self.remove(id.kind(), &key, now);
        }
        let was_ready = self.knows_ingresses();
        self.incomplete.remove(id);
        match id {
            WatchId::All(Kind::IngressClass) => self.heed_classes(now),
            WatchId::All(Kind::Secret) => self.interest.list_is_complete(),
            WatchId::ConfigMap(key) => self.maps.known(key),
            WatchId::All(_) => {}
        }
        if !was_ready && self.knows_ingresses() {
            self.asks = true;
            self.classes = Classes::of(&self.options, &self.objects);
            for (key, ingress) in self.ingresses() {
                self.ask_for_secrets(&key, &ingress);
            }
            // As with Secrets, nothing is published before these have been read.
            let wishes = self.maps.wishes().iter();
            self.incomplete.extend(wishes.filter_map(|wish| match wish {
                Wish::Follow(key) => Some(WatchId::ConfigMap(key.clone())),
                Wish::Forget(_) => None,
            }));
        }
    }

    fn fetched(&mut self, key: &Key, seen: Option<Box<Seen>>) {
        // The watch may have been quicker, and knows better.
        if !self.interest.is_unknown(key) {
            return;
        }
        self.interest.known(key);
        tracing::debug!(secret = %key, exists = seen.is_some(), "fetched");
        if let Some(seen) = seen {
            self.metas.insert((Kind::Secret, key.clone()), seen.meta);
            self.objects.apply(&seen.object);
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::cloned_ref_to_slice_refs,
    reason = "lists of one read like the longer ones beside them"
)]
mod tests;
