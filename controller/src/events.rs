//! Events on the objects: what became of them (operations §4).
//!
//! [`Reporter`] decides what is said when, on the controller's thread; [`post`] says it, on the thread that talks to
//! the API server. What is said depends only on what an object says itself and on what was found about it, and the name
//! of an event on nothing else: a restart and a second replica repeat nothing that the API server still keeps. When that
//! has forgotten a warning, the next start says it anew, as the reference does, to which every object that it finds when
//! it starts is added (operations §4): what is wrong still is. Good news of old objects are not repeated.

mod draft;
mod held;
mod poster;
mod queue;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use headgate_config::{Effect, ObjectRef, Verdict};

use crate::{
    objects::{Key, Kind, Objects},
    source::cluster::{Meta, Mirror},
};

pub use draft::Weight;
use draft::{Draft, fingerprint};
pub use poster::post;
pub use queue::Queue;

/// As long as events are kept. What was created before is not reported as new by a controller that starts.
const KEPT_SECONDS: i64 = 3600;

/// What a translation has to say about objects.
#[derive(Clone, Copy)]
pub struct News<'a> {
    /// The Ingresses that were looked at.
    pub ingresses: &'a BTreeSet<Key>,
    /// The findings that were not there before.
    pub new: &'a [Verdict],
    /// All findings, sorted.
    pub all: &'a [Verdict],
    /// Whether a version of an Ingress is served.
    pub is_served: &'a dyn Fn(&Key) -> bool,
}

/// What is known of the objects.
pub trait Known {
    /// What the metadata of an object say.
    fn meta(&self, kind: Kind, key: &Key) -> Option<&Meta>;
    /// The objects.
    fn objects(&self) -> &Objects;
}

impl Known for Mirror {
    fn meta(&self, kind: Kind, key: &Key) -> Option<&Meta> {
        Self::meta(self, kind, key)
    }

    fn objects(&self) -> &Objects {
        Self::objects(self)
    }
}

/// Says what became of objects, once for each version of them.
#[derive(Debug)]
pub struct Reporter {
    queue: Arc<Queue>,
    config_map: Option<Key>,
    /// The content of the Ingresses that are ours.
    contents: HashMap<Key, u64>,
    /// The content of the main ConfigMap.
    config: Option<u64>,
    /// What was wrong with what is served when that was told last, sorted.
    conditions: Vec<Verdict>,
    /// Whether what is there may have been reported by an earlier life.
    is_start: bool,
}

impl Reporter {
    /// A reporter of the Ingresses and of this ConfigMap.
    pub fn new(queue: Arc<Queue>, config_map: Option<Key>) -> Self {
        Self {
            queue,
            config_map,
            contents: HashMap::new(),
            config: None,
            conditions: Vec::new(),
            is_start: true,
        }
    }

    /// Reports a translation. `now` is in seconds since 1970.
    pub fn report(&mut self, news: News<'_>, known: &impl Known, now: i64) {
        let is_recent = |created: i64| !self.is_start || now.saturating_sub(created) < KEPT_SECONDS;
        let mut verdicts: BTreeSet<&Verdict> = news.new.iter().collect();
        for key in news.ingresses {
            let object = Kind::Ingress.reference(key);
            let about = about(news.all, &object);
            let is_served = (news.is_served)(key);
            let ingress = known.objects().ingresses().get(key);
            let Some(ingress) = ingress.filter(|_| is_served || !about.is_empty()) else {
                self.contents.remove(key);
                continue;
            };
            let content = fingerprint(ingress);
            if self.contents.insert(key.clone(), content) == Some(content) {
                continue;
            }
            verdicts.extend(about);
            let is_accepted =
                is_served && about.iter().all(|verdict| verdict.effect != Effect::Refused);
            if is_accepted && is_recent(ingress.created) {
                self.say(known, object, Weight::Normal, "Sync", "Scheduled for sync".into());
            }
        }
        for verdict in verdicts {
            let message = message(verdict);
            let object = verdict.object.clone();
            self.say(known, object, Weight::Warning, &verdict.reason, message);
        }
        self.report_config(known, now);
        self.is_start = false;
    }

    /// Reports what is wrong at the moment with what is served, sorted, once for each time that it begins.
    pub fn report_conditions(&mut self, conditions: Vec<Verdict>, known: &impl Known) {
        for verdict in &conditions {
            if self.conditions.binary_search(verdict).is_err() {
                let (object, message) = (verdict.object.clone(), message(verdict));
                self.say(known, object, Weight::Warning, &verdict.reason, message);
            }
        }
        self.conditions = conditions;
    }

    fn report_config(&mut self, known: &impl Known, now: i64) {
        let Some(key) = self.config_map.clone() else { return };
        let map = known.objects().config_map(&key);
        let content = map.map(|map| fingerprint(&map.data));
        let before = std::mem::replace(&mut self.config, content);
        let created = known.meta(Kind::ConfigMap, &key).map_or(0, |meta| meta.created);
        let is_old = self.is_start && now.saturating_sub(created) >= KEPT_SECONDS;
        let (object, message) = (Kind::ConfigMap.reference(&key), format!("ConfigMap {key}"));
        match (before, content) {
            (None, Some(_)) if !is_old => {
                // It is created once, whatever it says by now.
                let meta = known.meta(Kind::ConfigMap, &key).cloned().unwrap_or_default();
                let meta = Meta { edited: meta.created, ..meta };
                let (reason, weight) = ("CREATE".into(), Weight::Normal);
                self.queue.push(Draft { object, meta, content: 0, weight, reason, message });
            }
            (Some(before), Some(content)) if before != content => {
                self.say(known, object, Weight::Normal, "UPDATE", message);
            }
            _ => {}
        }
    }

    fn say(
        &self,
        known: &impl Known,
        object: ObjectRef,
        weight: Weight,
        reason: &str,
        message: String,
    ) {
        let key = Key::new(&object.namespace, &object.name);
        let objects = known.objects();
        let (kind, content) = match object.kind.as_str() {
            "Ingress" => (Kind::Ingress, objects.ingresses().get(&key).map(fingerprint)),
            "ConfigMap" => {
                let map = objects.config_map(&key);
                (Kind::ConfigMap, map.map(|map| fingerprint(&map.data)))
            }
            // Of these only the metadata are needed, and of some there are none.
            "Secret" => (Kind::Secret, None),
            _ => (Kind::Service, None),
        };
        let meta = known.meta(kind, &key).cloned().unwrap_or_default();
        let content = content.unwrap_or_default();
        self.queue.push(Draft { object, meta, content, weight, reason: reason.into(), message });
    }
}

/// Those of sorted findings that are about one object.
pub fn about<'a>(all: &'a [Verdict], object: &ObjectRef) -> &'a [Verdict] {
    let start = all.partition_point(|verdict| verdict.object < *object);
    let end = all.partition_point(|verdict| verdict.object <= *object);
    &all[start..end]
}

/// The reference's words where it has some.
fn message(verdict: &Verdict) -> String {
    match (verdict.effect, verdict.reason.as_str()) {
        (Effect::Denied, "AnnotationParsingFailed") => {
            format!("Error parsing annotations: {}", verdict.message)
        }
        _ => verdict.message.clone(),
    }
}

#[cfg(test)]
mod tests;
