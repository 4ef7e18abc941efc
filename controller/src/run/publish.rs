//! Translating what a source has read, and handing it on if it means something else than before.

use std::{collections::BTreeSet, sync::Arc};

use headgate_config::{Effect, Snapshot, Verdict};

use crate::{
    Options,
    objects::{Changes, Ingress, Key, Objects},
    translate::Translator,
};

/// A translator, and whoever is told what it makes.
pub struct Publisher<P> {
    translator: Translator,
    /// Those of the last snapshot.
    verdicts: Arc<Vec<Verdict>>,
    /// What was said about Ingresses that others may serve.
    remarks: Arc<Vec<Verdict>>,
    publish: P,
}

impl<P: FnMut(Snapshot)> Publisher<P> {
    /// A publisher that has published nothing yet.
    pub fn new(options: Options, publish: P) -> Self {
        let translator = Translator::new(options);
        Self { translator, verdicts: Arc::default(), remarks: Arc::default(), publish }
    }

    /// Translates the `changes` of objects, and publishes if the result is another than before.
    pub fn publish(
        &mut self,
        objects: &Objects,
        changes: &Changes,
        source_verdicts: Vec<Verdict>,
    ) -> Outcome {
        self.translator.report(source_verdicts);
        let snapshot = self.translator.translate(objects, changes);
        let mut outcome =
            Outcome { verdicts: Vec::new(), ingresses: self.translator.take_looked_at() };
        if !Arc::ptr_eq(&self.remarks, self.translator.remarks()) {
            let remarks = Arc::clone(self.translator.remarks());
            new_verdicts(&self.remarks, &remarks).iter().for_each(log_remark);
            self.remarks = remarks;
        }
        if let Some(snapshot) = snapshot {
            // A change of endpoints, the most frequent one, changes no finding.
            if !Arc::ptr_eq(&self.verdicts, &snapshot.verdicts) {
                outcome.verdicts = new_verdicts(&self.verdicts, &snapshot.verdicts);
            }
            for verdict in &outcome.verdicts {
                log(verdict);
            }
            self.verdicts = snapshot.verdicts.clone();
            (self.publish)(snapshot);
        }
        outcome
    }

    /// Heeds `spec.ingressClassName` from now on.
    pub fn heed_classes(&mut self) {
        self.translator.heed_classes();
    }

    /// What has been published was made by it.
    pub fn translator(&self) -> &Translator {
        &self.translator
    }

    /// The version of an Ingress that is served.
    pub fn served(&self, ingress: &Key) -> Option<&Ingress> {
        self.translator.served(ingress)
    }

    /// Whether the ConfigMap wants us to stand by, if it says so.
    pub fn standby(&self) -> Option<bool> {
        self.translator.standby()
    }

    /// All findings, sorted.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }
}

/// What came of a translation.
#[derive(Debug)]
pub struct Outcome {
    /// The findings that are new.
    pub verdicts: Vec<Verdict>,
    /// The Ingresses that were looked at: new, changed, gone, or judged by another rule.
    pub ingresses: BTreeSet<Key>,
}

/// The findings that were not there before. Both lists are sorted.
fn new_verdicts(before: &[Verdict], now: &[Verdict]) -> Vec<Verdict> {
    now.iter().filter(|verdict| before.binary_search(verdict).is_err()).cloned().collect()
}

fn log(Verdict { object, effect, reason, message }: &Verdict) {
    match effect {
        Effect::Refused | Effect::Denied => tracing::error!(%object, ?effect, reason, "{message}"),
        Effect::Warning | Effect::Ignored => tracing::warn!(%object, reason, "{message}"),
    }
}

fn log_remark(Verdict { object, reason, message, .. }: &Verdict) {
    tracing::info!(%object, reason, "{message}");
}
