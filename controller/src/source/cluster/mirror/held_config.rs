//! The main ConfigMap, while it waits for the Secret and the ConfigMaps that it names.

use std::time::Instant;

use k8s_openapi::api::core::v1::ConfigMap;

use super::{Mirror, held_back::HOLD_BACK, secrets};
use crate::{
    objects::{Body, Key, Object},
    source::cluster::{feed::WatchId, maps},
};

/// The newest version, if it waits, and until when it does.
#[derive(Debug, Default)]
pub struct HeldConfig(Option<(Instant, Object)>);

impl HeldConfig {
    /// Holds a version back, for no longer than the one that has been waiting before it.
    pub fn hold(&mut self, object: Object, now: Instant) {
        let until = self.deadline().unwrap_or(now + HOLD_BACK);
        self.0 = Some((until, object));
    }

    /// Forgets it.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Until when it waits.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().map(|(until, _)| *until)
    }

    /// Lets go of it if it has waited long enough, or if nothing is `awaited` any more.
    pub fn release(
        &mut self,
        now: Instant,
        awaited: impl Fn(&ConfigMap) -> bool,
    ) -> Option<Object> {
        let waits = |(until, object): &(Instant, Object)| match object.body() {
            Body::ConfigMap(map) => *until > now && awaited(map),
            _ => false,
        };
        if self.0.as_ref().is_some_and(waits) {
            return None;
        }
        self.0.take().map(|(_, object)| object)
    }
}

impl Mirror {
    /// Whether this is the main ConfigMap.
    pub(super) fn is_main_map(&self, key: &Key) -> bool {
        self.options.configmap.as_ref().is_some_and(|main| Key::from(main) == *key)
    }

    /// Takes in a version of the main ConfigMap; it waits if it names an object that has not been read.
    pub(super) fn take_main_map(&mut self, object: Object, now: Instant) {
        let Body::ConfigMap(map) = object.body() else { return };
        let named = secrets::named_by_config(&self.options, map);
        self.to_fetch.extend(self.interest.add(&secrets::config_asker(object.key()), &named));
        let maps = maps::named_by_config(&self.options, map);
        self.maps.add(&secrets::config_asker(object.key()), &maps);
        let unknown_maps = maps.into_iter().filter(|map| self.maps.is_unknown(map));
        let unknown_maps: Vec<_> = unknown_maps.map(WatchId::ConfigMap).collect();
        if !self.asks {
            // Nothing is published before they have been read.
            self.incomplete.extend(unknown_maps);
            self.apply_main_map(&object);
        } else if !unknown_maps.is_empty()
            || named.iter().any(|secret| self.interest.is_unknown(secret))
        {
            self.held_config.hold(object, now);
        } else {
            self.apply_main_map(&object);
        }
    }

    /// A version of the main ConfigMap counts from now on, and what others named does not.
    pub(super) fn apply_main_map(&mut self, object: &Object) {
        self.held_config.clear();
        if let Body::ConfigMap(map) = object.body() {
            let asker = secrets::config_asker(object.key());
            self.drop_secrets(&asker, &secrets::named_by_config(&self.options, map));
            self.drop_maps(&asker, &maps::named_by_config(&self.options, map));
        }
        self.objects.apply(object);
    }

    /// There is none any more.
    pub(super) fn forget_main_map(&mut self, key: &Key) {
        self.held_config.clear();
        self.drop_secrets(&secrets::config_asker(key), &[]);
        self.drop_maps(&secrets::config_asker(key), &[]);
    }
}
