//! What a translator can be asked between two translations.

use std::{collections::BTreeSet, sync::Arc};

use headgate_config::{ObjectRef, PathMode, Verdict};

use super::{Translator, authorities::KnownAuthorities, config::Defaults, ingress::Accepted};
use crate::{
    objects::{Ingress, Key},
    options::Options,
};

impl Translator {
    /// The Ingresses that were looked at since this was asked last: new, changed, gone, or judged by another rule.
    pub fn take_looked_at(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.looked_at)
    }

    /// Findings for the log only, sorted: about Ingresses that are nothing to us, as far as is known.
    pub fn remarks(&self) -> &Arc<Vec<Verdict>> {
        &self.remarks
    }

    /// Whether the paths of a host are regular expressions.
    pub(crate) fn has_patterns(&self, host: &str) -> bool {
        self.hosts.get(host).is_some_and(|(host, _)| host.mode == PathMode::Pattern)
    }

    /// Whether a Secret is known not to exist. One that nobody names is not known.
    pub(crate) fn misses_secret(&self, secret: &Key) -> bool {
        self.tls.misses(secret)
    }

    /// How many Ingresses are served.
    pub fn served_count(&self) -> usize {
        self.admission.all_accepted().count()
    }

    /// The version of an Ingress that is served.
    pub(crate) fn accepted(&self, ingress: &Key) -> Option<&Arc<Accepted>> {
        self.admission.accepted(ingress)
    }

    /// The versions of all Ingresses that are served.
    pub(crate) fn all_accepted(&self) -> impl Iterator<Item = &Arc<Accepted>> {
        self.admission.all_accepted()
    }

    /// Whether an Ingress, served or not, has our class.
    pub(crate) fn has_own_class(&self, ingress: &Ingress) -> bool {
        self.admission.has_own_class(&self.options, ingress)
    }

    /// The findings about an object, as of the last translation.
    pub(crate) fn findings_about<'a>(
        &'a self,
        object: &ObjectRef,
    ) -> impl Iterator<Item = &'a Verdict> + use<'a> {
        let first = self.verdicts.partition_point(|verdict| verdict.object < *object);
        let end = self.verdicts.partition_point(|verdict| verdict.object <= *object);
        self.verdicts.get(first..end).into_iter().flatten()
    }

    /// Start-up options.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// What Secrets say about authorities.
    pub(crate) fn authorities(&self) -> &KnownAuthorities {
        self.admission.authorities()
    }

    /// What the main ConfigMap says about Ingresses.
    pub(crate) fn defaults(&self) -> &Defaults {
        &self.config.defaults
    }

    /// The version of an Ingress that is served.
    pub fn served(&self, ingress: &Key) -> Option<&Ingress> {
        self.admission.served(ingress)
    }

    /// Whether the ConfigMap wants us to stand by, if it says so.
    pub fn standby(&self) -> Option<bool> {
        self.config.standby
    }
}
