//! The main ConfigMap, while it waits for the Secret that it names.

use std::time::Instant;

use k8s_openapi::api::core::v1::ConfigMap;

use super::held_back::HOLD_BACK;
use crate::objects::{Body, Object};

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
