//! What becomes of Ingresses when the classes change that decide which are ours.

use std::{sync::Arc, time::Instant};

use super::Mirror;
use crate::{
    objects::{Ingress, Key, Kind, Object},
    translate::class::{self, Classes},
};

impl Mirror {
    /// What could not be read at the start, and meant nothing, does now.
    pub(super) fn heed_classes(&mut self, now: Instant) {
        if self.options.ignore_ingress_class_name {
            let foreign = self.foreign();
            self.options.ignore_ingress_class_name = false;
            self.classes = Classes::of(&self.options, &self.objects);
            self.ask_for_secrets_of_new(foreign, now);
            tracing::info!("the IngressClasses are read: spec.ingressClassName counts from now on");
        }
    }

    pub(super) fn reconsider_classes(&mut self, now: Instant) {
        let classes = Classes::of(&self.options, &self.objects);
        if self.asks && classes != self.classes {
            let foreign = self.foreign();
            self.classes = classes;
            self.ask_for_secrets_of_new(foreign, now);
        }
    }

    /// Asks for the Secrets of those Ingresses that have become ours, and holds those back that name an unknown one. They
    /// were not served, so that nothing is taken away.
    fn ask_for_secrets_of_new(&mut self, foreign: Vec<(Key, Arc<Ingress>)>, now: Instant) {
        for (key, ingress) in foreign {
            if self.ask_for_secrets(&key, &ingress) {
                self.objects.remove(Kind::Ingress, &key);
                // If there is a newer version that waits already, it is that which counts.
                if self.held_back.ingress(&key).is_none() {
                    self.held_back.hold(Object::of_ingress(key, ingress), now);
                }
            }
        }
    }

    /// The Ingresses that are not ours.
    fn foreign(&self) -> Vec<(Key, Arc<Ingress>)> {
        let mut ingresses = self.ingresses();
        ingresses.retain(|(_, ingress)| !class::is_own(&self.options, &self.classes, ingress));
        ingresses
    }

    pub(super) fn ingresses(&self) -> Vec<(Key, Arc<Ingress>)> {
        let ingresses = self.objects.ingresses().iter();
        ingresses.map(|(key, ingress)| (key.clone(), Arc::clone(ingress))).collect()
    }
}
