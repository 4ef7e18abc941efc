//! The Secrets and ConfigMaps that Ingresses name: which are asked for, waited for, and let go of again.

use super::Mirror;
use crate::{
    objects::{Ingress, Key, Kind},
    source::cluster::{feed::WatchId, maps, secrets},
    translate::class,
};

impl Mirror {
    /// Notes the Secrets and ConfigMaps that an Ingress names; says whether one of them has not been read yet. Those that it named
    /// before stay until it is settled: the version that names them may still be served.
    pub(super) fn ask_for_secrets(&mut self, key: &Key, ingress: &Ingress) -> bool {
        if !self.asks || !class::is_own(&self.options, &self.classes, ingress) {
            return false;
        }
        let named = secrets::named_by(&self.options, key, ingress);
        self.to_fetch.extend(self.interest.add(key, &named));
        let maps = maps::named_by(&self.options, key, ingress);
        self.maps.add(key, &maps);
        named.iter().any(|secret| self.interest.is_unknown(secret))
            || maps.iter().any(|map| self.maps.is_unknown(map))
    }

    /// Whether anybody wants to know what a ConfigMap holds.
    pub(super) fn wants_map(&self, key: &Key) -> bool {
        self.maps.contains(key) || self.own_maps.contains(key)
    }

    /// A ConfigMap may not be read: nobody waits for it, and it is as if it did not exist.
    pub(super) fn refused(&mut self, key: Key) {
        if self.maps.contains(&key) {
            self.maps.known(&key);
            self.incomplete.remove(&WatchId::ConfigMap(key));
        }
    }

    /// Lets go of the Secrets that neither the newest version of an Ingress names nor the one that is `served`.
    pub fn settle(&mut self, key: &Key, served: Option<&Ingress>) {
        let newest = self.objects.ingresses().get(key);
        let newest = newest.filter(|ingress| class::is_own(&self.options, &self.classes, ingress));
        let waiting = self.held_back.ingress(key);
        let versions = newest.into_iter().chain(waiting).map(|ingress| &**ingress).chain(served);
        let (mut named, mut maps) = (Vec::new(), Vec::new());
        for ingress in versions {
            named.extend(secrets::named_by(&self.options, key, ingress));
            maps.extend(maps::named_by(&self.options, key, ingress));
        }
        self.drop_maps(key, &maps);
        self.drop_secrets(key, &named);
    }

    /// Lets go of the ConfigMaps that somebody named, but for these.
    pub(super) fn drop_maps(&mut self, asker: &Key, named: &[Key]) {
        for dropped in self.maps.settle(asker, named) {
            self.objects.remove(Kind::ConfigMap, &dropped);
            self.metas.remove(&(Kind::ConfigMap, dropped.clone()));
            self.incomplete.remove(&WatchId::ConfigMap(dropped));
        }
    }

    /// Lets go of the Secrets that somebody named, but for these.
    pub(super) fn drop_secrets(&mut self, asker: &Key, named: &[Key]) {
        for dropped in self.interest.settle(asker, named) {
            self.objects.remove(Kind::Secret, &dropped);
            self.metas.remove(&(Kind::Secret, dropped));
        }
    }
}
