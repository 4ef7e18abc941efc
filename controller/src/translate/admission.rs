//! Which Ingresses are served, and in which version.
//!
//! The one part of the translation that remembers: an update that is refused leaves the version before it in service
//! (routing §1.4). Everything after it is a function of the accepted versions.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use headgate_config::{Effect, Verdict};

use super::{
    annotations::{
        self, Annotations, Finding, Reading,
        password::SharedUsers,
        subject::{References, Subject},
    },
    authorities::KnownAuthorities,
    class::{self, Classes},
    config::Defaults,
    ingress::{Accepted, Age},
    inspect,
    referrers::Referrers,
};
use crate::{
    objects::{Changes, Ingress, Key, Kind, Objects},
    options::Options,
};

/// The accepted version of each Ingress, and the findings about the newest.
#[derive(Debug, Default)]
pub struct Admission {
    classes: Classes,
    entries: BTreeMap<Key, Entry>,
    /// Annotations that were read last: those that many Ingresses have in common exist once.
    recent: VecDeque<Arc<Annotations>>,
    referrers: Referrers,
    users: SharedUsers,
    authorities: KnownAuthorities,
}

#[derive(Debug, Default)]
struct Entry {
    accepted: Option<Arc<Accepted>>,
    verdicts: Vec<Verdict>,
    /// The Secrets and ConfigMaps that the newest version depends on.
    references: References,
}

impl Entry {
    /// A version that was judged anew: the one that is served, where they are the same.
    fn unless_same(&self, judged: Accepted) -> Arc<Accepted> {
        let same = self.accepted.as_ref().filter(|served| served.is_same(&judged));
        same.cloned().unwrap_or_else(|| Arc::new(judged))
    }
}

/// What a new look at an Ingress changed.
#[derive(Debug, Default)]
pub struct Change {
    /// The version that was served.
    pub before: Option<Arc<Accepted>>,
    /// The version that is served now.
    pub after: Option<Arc<Accepted>>,
    /// Whether the findings differ.
    pub verdicts: bool,
}

impl Change {
    /// Whether the same version is served as before.
    pub fn is_none(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            (None, None) => true,
            _ => false,
        }
    }
}

/// What an Ingress is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Law<'a> {
    /// Start-up options.
    pub options: &'a Options,
    /// Defaults and restrictions of the main ConfigMap.
    pub defaults: &'a Defaults,
    /// Classes and Namespaces.
    pub objects: &'a Objects,
}

enum Judgement {
    /// Not for this controller.
    NotOurs(Vec<Verdict>),
    /// This version is not served.
    Refused(Finding),
    /// This version is served.
    Accepted(Accepted, Vec<Verdict>, References),
}

impl Admission {
    /// Takes note of the IngressClasses; says whether there are others than before.
    pub fn classes(&mut self, options: &Options, objects: &Objects) -> bool {
        let classes = Classes::of(options, objects);
        let changed = classes != self.classes;
        self.classes = classes;
        changed
    }

    /// Ingresses that were looked at and are still there.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.keys()
    }

    /// Findings about all Ingresses.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.entries.values().flat_map(|entry| &entry.verdicts)
    }

    /// The version of an Ingress that is served.
    pub fn accepted(&self, key: &Key) -> Option<&Arc<Accepted>> {
        self.entries.get(key)?.accepted.as_ref()
    }

    /// The versions that are served.
    pub fn all_accepted(&self) -> impl Iterator<Item = &Arc<Accepted>> {
        self.entries.values().filter_map(|entry| entry.accepted.as_ref())
    }

    /// The Ingresses whose annotations name a changed object.
    pub fn referrers<'a>(&'a self, changes: &'a Changes) -> impl Iterator<Item = &'a Key> {
        self.referrers.of(changes)
    }

    /// What Secrets say about authorities.
    pub fn authorities(&self) -> &KnownAuthorities {
        &self.authorities
    }

    /// Whether an Ingress has our class.
    pub fn has_own_class(&self, options: &Options, ingress: &Ingress) -> bool {
        class::is_own(options, &self.classes, ingress)
    }

    /// The version of an Ingress that is served.
    pub fn served(&self, key: &Key) -> Option<&Ingress> {
        self.entries.get(key)?.accepted.as_ref().map(|accepted| &*accepted.ingress)
    }

    /// Looks at an Ingress again.
    pub fn update(&mut self, law: Law<'_>, key: &Key) -> Change {
        let before = self.entries.remove(key).unwrap_or_default();
        let now = law
            .objects
            .ingresses()
            .get(key)
            .map(|ingress| self.entry(law, key, ingress, &before))
            .unwrap_or_default();
        self.referrers.replace(key, &before.references, &now.references);
        let change = Change {
            before: before.accepted,
            after: now.accepted.clone(),
            verdicts: now.verdicts != before.verdicts,
        };
        if now.accepted.is_some() || !now.verdicts.is_empty() {
            self.entries.insert(key.clone(), now);
        }
        change
    }

    fn entry(&mut self, law: Law<'_>, key: &Key, ingress: &Arc<Ingress>, before: &Entry) -> Entry {
        match self.judge(law, key, ingress) {
            Judgement::NotOurs(verdicts) => Entry { verdicts, ..Entry::default() },
            Judgement::Refused(finding) => self.entry_of_the_one_before(law, key, finding, before),
            Judgement::Accepted(accepted, verdicts, references) => {
                let accepted = Some(before.unless_same(accepted));
                Entry { accepted, verdicts, references }
            }
        }
    }

    /// What is served in place of a version that is refused: the one before, if there is one. It goes on to follow the
    /// Secrets and ConfigMaps that it names, or a user who was removed would still be let in; unless it would be refused
    /// itself by now, which leaves it as it was read last (routing §1.4).
    fn entry_of_the_one_before(
        &mut self,
        law: Law<'_>,
        key: &Key,
        finding: Finding,
        before: &Entry,
    ) -> Entry {
        let stays = match &before.accepted {
            Some(_) => "; the version before it stays in service",
            None => "; the Ingress is not served until that is corrected",
        };
        let refusal = Verdict {
            message: format!("{}{stays}", finding.message),
            ..finding.about(Kind::Ingress.reference(key))
        };
        let served = before.accepted.as_ref().map(|accepted| Arc::clone(&accepted.ingress));
        let judged = served.map(|ingress| self.judge(law, key, &ingress));
        let Some(Judgement::Accepted(accepted, mut verdicts, references)) = judged else {
            let (accepted, references) = (before.accepted.clone(), before.references.clone());
            return Entry { accepted, verdicts: vec![refusal], references };
        };
        for verdict in &mut verdicts {
            verdict.message.push_str(" (in the version that is served)");
        }
        verdicts.push(refusal);
        Entry { accepted: Some(before.unless_same(accepted)), verdicts, references }
    }

    fn judge(&mut self, law: Law<'_>, key: &Key, ingress: &Arc<Ingress>) -> Judgement {
        let Law { options, defaults, objects } = law;
        if !class::is_in_scope(options, objects, key) {
            return Judgement::NotOurs(Vec::new());
        }
        if !class::is_own(options, &self.classes, ingress) {
            let why = class::why_ignored(options, &self.classes, ingress);
            let object = Kind::Ingress.reference(key);
            return Judgement::NotOurs(why.map(|why| why.about(object)).into_iter().collect());
        }
        let refused = |reason, message| Finding { effect: Effect::Refused, reason, message };
        if options.disable_catch_all && ingress.default_backend.is_some() {
            let finding = refused(
                "CatchAllDisabled",
                "spec.defaultBackend is switched off by --disable-catch-all; remove it".into(),
            );
            return Judgement::NotOurs(vec![finding.about(Kind::Ingress.reference(key))]);
        }
        if options.deep_inspect
            && let Some((field, text)) = inspect::suspicious(ingress)
        {
            let field = field.name();
            let message = format!(
                "{field} {text:?} looks like injected configuration; write another, or switch --deep-inspect off"
            );
            return Judgement::Refused(refused("DeepInspection", message));
        }
        let authorities = &self.authorities;
        let subject = Subject { options, defaults, objects, authorities, key, ingress };
        match annotations::read(subject) {
            Err(refusal) => Judgement::Refused(refusal.into()),
            Ok(Reading { mut annotations, findings, references }) => {
                self.users.share(&mut annotations);
                let annotations = self.shared(annotations);
                let accepted =
                    Accepted { age: Age::of(key, ingress), ingress: ingress.clone(), annotations };
                let object = accepted.reference();
                Judgement::Accepted(
                    accepted,
                    findings.into_iter().map(|finding| finding.about(object.clone())).collect(),
                    references,
                )
            }
        }
    }

    fn shared(&mut self, annotations: Arc<Annotations>) -> Arc<Annotations> {
        const ENOUGH: usize = 16;
        if let Some(known) = self.recent.iter().find(|known| **known == annotations) {
            return known.clone();
        }
        self.recent.truncate(ENOUGH - 1);
        self.recent.push_front(annotations.clone());
        annotations
    }
}
