//! Translating what a source has read, handing it on if it means something else than before, and saying so.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use headgate_config::{Effect, Endpoints, ObjectRef, Snapshot, Verdict, log_target::DECISIONS};

use super::{
    difference::Difference,
    ledger::Ledger,
    taken::{Fate, Taken},
};
use crate::{
    Options,
    events::about,
    objects::{Changes, Ingress, Key, Kind, Objects},
    translate::Translator,
};

/// A translator, and whoever is told what it makes.
pub struct Publisher<P> {
    translator: Translator,
    /// What was published last; `None` before the first time.
    last: Option<Snapshot>,
    /// What was said about Ingresses that others may serve.
    remarks: Arc<Vec<Verdict>>,
    ledger: Ledger,
    publish: P,
}

impl<P: FnMut(Snapshot)> Publisher<P> {
    /// A publisher that has published nothing yet.
    pub fn new(options: Options, publish: P) -> Self {
        let translator = Translator::new(options);
        let (remarks, ledger) = (Arc::default(), Ledger::default());
        Self { translator, last: None, remarks, ledger, publish }
    }

    /// Translates the `changes` of objects that were `heard` of at that time, and publishes if the result is another
    /// than before.
    pub fn publish(
        &mut self,
        objects: &Objects,
        changes: &Changes,
        source_verdicts: Vec<Verdict>,
        heard: Instant,
    ) -> Outcome {
        let served = |translator: &Translator, key: &&Key| translator.served(key).is_some();
        let before: BTreeSet<_> =
            changes.ingresses.iter().filter(|key| served(&self.translator, key)).collect();
        self.translator.report(source_verdicts);
        let snapshot = self.translator.translate(objects, changes);
        let mut outcome =
            Outcome { verdicts: Vec::new(), ingresses: self.translator.take_looked_at() };
        if !Arc::ptr_eq(&self.remarks, self.translator.remarks()) {
            let remarks = Arc::clone(self.translator.remarks());
            new_verdicts(&self.remarks, &remarks).iter().for_each(log_remark);
            self.remarks = remarks;
        }
        let mut taken = Taken::default();
        let is_first = self.last.is_none();
        if let Some(snapshot) = snapshot {
            let last = self.last.replace(snapshot.clone()).unwrap_or_default();
            let begun = Instant::now();
            (self.publish)(snapshot.clone());
            taken.compiling = begun.elapsed();
            taken.live_after = heard.elapsed();
            taken.differs = true;
            // Said afterwards: nobody waits for a slow reader of the log. A change of endpoints, the most frequent one,
            // changes no finding.
            if !Arc::ptr_eq(&last.verdicts, &snapshot.verdicts) {
                outcome.verdicts = new_verdicts(&last.verdicts, &snapshot.verdicts);
                outcome.verdicts.iter().for_each(log);
                taken.cleared = self.tell_cleared(&last.verdicts, &outcome.verdicts, objects);
            }
            let difference = Difference::between(&last, &snapshot);
            (taken.compiled, taken.gone) = (difference.hosts.len(), difference.gone.len());
            tell_difference(&difference);
            note_changes(&mut taken, changes, objects, &difference);
        }
        self.note_ingresses(&mut taken, changes, &before);
        tell_changes(changes, objects);
        self.tell_decisions(&outcome.ingresses);
        // What the first time takes over is everything, which has a line of its own.
        if !is_first && let Some(line) = self.ledger.note(taken, Instant::now()) {
            tracing::info!("{line}");
        }
        outcome
    }

    /// When [`Self::say_what_was_taken`] has something to say.
    pub fn deadline(&self) -> Option<Instant> {
        self.ledger.deadline()
    }

    /// Says what was taken and not said at once, because too much was.
    pub fn say_what_was_taken(&mut self) {
        if let Some(line) = self.ledger.due(Instant::now()) {
            tracing::info!("{line}");
        }
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
        self.last.as_ref().map_or(&[], |last| &last.verdicts)
    }

    /// Says which findings do not hold any more; returns how many it has not told for lack of room. What was found
    /// about an object that is gone went with it, and what is found in other words still holds.
    fn tell_cleared(&mut self, before: &[Verdict], new: &[Verdict], objects: &Objects) -> usize {
        let now = self.last.as_ref().map_or(&[][..], |last| &last.verdicts);
        let mut untold = 0;
        for verdict in before.iter().filter(|verdict| now.binary_search(verdict).is_err()) {
            let Verdict { object, reason, message, .. } = verdict;
            let is_reworded = about(new, object).iter().any(|new| new.reason == *reason);
            if is_reworded || is_gone(object, objects) {
                tracing::debug!(%object, reason, "no longer: {message}");
            } else if self.ledger.may_tell(Instant::now()) {
                tracing::info!(%object, reason, "cleared: {message}");
            } else {
                tracing::debug!(%object, reason, "cleared: {message}");
                untold += 1;
            }
        }
        untold
    }

    /// Notes the Ingresses whose new version is served, or that are not served any more. What is refused has a verdict.
    fn note_ingresses(&self, taken: &mut Taken, changes: &Changes, before: &BTreeSet<&Key>) {
        for key in &changes.ingresses {
            let fate = match (before.contains(key), self.translator.served(key).is_some()) {
                (false, true) => Fate::Added,
                (true, true) if self.is_refused(key) => continue,
                (true, true) => Fate::Changed,
                (true, false) => Fate::Removed,
                (false, false) => continue,
            };
            taken.objects.insert((Kind::Ingress, key.clone()), fate);
        }
    }

    fn is_refused(&self, ingress: &Key) -> bool {
        let object = Kind::Ingress.reference(ingress);
        about(self.verdicts(), &object).iter().any(|verdict| verdict.effect == Effect::Refused)
    }

    fn tell_decisions(&self, ingresses: &BTreeSet<Key>) {
        if !tracing::enabled!(target: DECISIONS, tracing::Level::DEBUG) {
            return;
        }
        for ingress in ingresses {
            let decision = match self.served(ingress) {
                Some(_) if self.is_refused(ingress) => "refused; the version before it is served",
                Some(_) => "served",
                None => "not served",
            };
            tracing::debug!(target: DECISIONS, %ingress, "{decision}");
        }
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

/// Notes the other objects that may have had a say: of Services only those that do have one.
fn note_changes(taken: &mut Taken, changes: &Changes, objects: &Objects, to: &Difference<'_>) {
    let fate = |kind, key: &Key| match objects.contains(kind, key) {
        true => Fate::Changed,
        false => Fate::Removed,
    };
    let upstreams = to.upstreams.iter().chain(&to.lost).map(|upstream| &upstream.id);
    let services: BTreeSet<_> = upstreams.map(|id| Key::new(&id.namespace, &id.service)).collect();
    let services = changes.services.iter().filter(|key| services.contains(*key));
    let services = services.map(|key| (Kind::Service, key));
    let secrets = changes.secrets.iter().map(|key| (Kind::Secret, key));
    let maps = changes.config_maps.iter().map(|key| (Kind::ConfigMap, key));
    for (kind, key) in services.chain(secrets).chain(maps) {
        taken.objects.insert((kind, key.clone()), fate(kind, key));
    }
    let kinds =
        [(Kind::IngressClass, changes.ingress_classes), (Kind::Namespace, changes.namespaces)];
    taken.kinds.extend(kinds.into_iter().filter_map(|(kind, changed)| changed.then_some(kind)));
}

/// Names every object that the source has read anew.
fn tell_changes(changes: &Changes, objects: &Objects) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for (kind, keys) in [
        (Kind::Ingress, &changes.ingresses),
        (Kind::Service, &changes.services),
        (Kind::Secret, &changes.secrets),
        (Kind::ConfigMap, &changes.config_maps),
    ] {
        for key in keys {
            let what = if objects.contains(kind, key) { "read" } else { "gone" };
            tracing::debug!(object = %kind.reference(key), "{what}");
        }
    }
}

/// Names every host and upstream that is served differently.
fn tell_difference(difference: &Difference<'_>) {
    if !tracing::enabled!(target: DECISIONS, tracing::Level::DEBUG) {
        return;
    }
    for host in &difference.hosts {
        let locations = host.locations.len();
        tracing::debug!(target: DECISIONS, host = host.name, locations, "host compiled");
    }
    for host in &difference.gone {
        tracing::debug!(target: DECISIONS, host, "host gone");
    }
    for upstream in &difference.upstreams {
        let id = &upstream.id;
        let endpoints = match &upstream.endpoints {
            Endpoints::Addresses(addresses) => addresses.len().to_string(),
            Endpoints::Name { name, .. } => format!("those of {name}"),
        };
        tracing::debug!(
            target: DECISIONS, service = %Key::new(&id.namespace, &id.service), port = id.port,
            endpoints, "upstream set"
        );
    }
    for upstream in &difference.lost {
        let id = &upstream.id;
        let service = Key::new(&id.namespace, &id.service);
        tracing::debug!(target: DECISIONS, %service, port = id.port, "upstream gone");
    }
}

/// Whether a finding is about an object that is not there any more.
fn is_gone(object: &ObjectRef, objects: &Objects) -> bool {
    let kind = Kind::ALL.into_iter().map(|(kind, _)| kind).find(|kind| kind.name() == object.kind);
    kind.is_some_and(|kind| !objects.contains(kind, &Key::new(&object.namespace, &object.name)))
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
