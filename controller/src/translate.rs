//! Objects -> Snapshot. Never fails and never waits: bad input becomes a verdict on its object, the rest is served.
//!
//! A [`Translator`] looks only at what changed and keeps everything else, `Arc` by `Arc`; what it makes is the same as
//! if it had looked at everything. Its steps, in order: `config` (ConfigMap), `admission` (which Ingresses, in which
//! version), `hosts` (path tables, aliases), `upstreams` (endpoints), `tls` (certificates), `streams` (what is forwarded below HTTP).

mod absent;
mod admission;
pub(crate) mod annotations;
mod authorities;
mod ciphers;
pub(crate) mod class;
pub(crate) mod config;
mod error_pages;
mod guard;
mod host;
mod hosts;
pub(crate) mod ingress;
pub(crate) mod inspect;
mod location;
pub(crate) mod path;
pub(crate) mod pattern;
mod questions;
mod referrers;
pub mod snippet;
mod streams;
mod taken;
mod tls;
pub(crate) mod upstream;
mod upstreams;
mod wording;
mod www;

use std::{collections::BTreeSet, sync::Arc};

use headgate_config::{Effect, Host, Snapshot, TlsTable, Verdict};

use crate::{
    objects::{Changes, Key, Objects},
    options::{NamespaceScope, Options},
};

use absent::AbsentConfig;
use admission::{Admission, Law};
pub use annotations::reference::tables as annotation_tables;
use config::Config;
pub use config::reference::tables as configmap_tables;
use hosts::HostTable;
use streams::StreamTable;
use tls::TlsState;
use upstreams::UpstreamTable;

/// Translates, and remembers what it has translated.
#[derive(Debug)]
pub struct Translator {
    options: Options,
    config: Config,
    admission: Admission,
    hosts: HostTable,
    /// Those of the last snapshot.
    host_list: Arc<[Arc<Host>]>,
    upstreams: UpstreamTable,
    tls: TlsState,
    streams: StreamTable,
    source_verdicts: Vec<Verdict>,
    /// That the main ConfigMap is not there.
    absent_config: AbsentConfig,
    default_certificate: Option<Key>,
    tls_table: Arc<TlsTable>,
    verdicts: Arc<Vec<Verdict>>,
    /// What is to be said about Ingresses that others may serve.
    remarks: Arc<Vec<Verdict>>,
    /// Whether anything is other than in the snapshot before.
    changed: bool,
    /// Whether any finding may be.
    verdicts_changed: bool,
    /// Ingresses that were looked at since somebody asked last.
    looked_at: BTreeSet<Key>,
    /// Whether all Ingresses are to be looked at next time.
    distrusts_all: bool,
}

impl Translator {
    /// A translator that has seen nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            upstreams: UpstreamTable::new(&options),
            config: Config::read(&options, None, &Objects::default()),
            admission: Admission::default(),
            hosts: HostTable::default(),
            host_list: Arc::default(),
            tls: TlsState::default(),
            streams: StreamTable::default(),
            source_verdicts: Vec::new(),
            absent_config: AbsentConfig::default(),
            default_certificate: options.default_ssl_certificate.as_ref().map(Key::from),
            tls_table: Arc::default(),
            verdicts: Arc::default(),
            remarks: Arc::default(),
            changed: true,
            verdicts_changed: true,
            looked_at: BTreeSet::new(),
            distrusts_all: false,
            options,
        }
    }

    /// What these objects mean, without any history.
    pub fn translate_once(options: Options, objects: &Objects) -> Snapshot {
        let mut translator = Self::new(options);
        translator.update(objects, &Changes::everything(objects));
        translator.snapshot()
    }

    /// Heeds `spec.ingressClassName` from the next translation on: the IngressClasses can be read by now.
    pub fn heed_classes(&mut self) {
        self.distrusts_all |= std::mem::take(&mut self.options.ignore_ingress_class_name);
    }

    /// Takes note of what the source has to say about its files or its watches.
    pub fn report(&mut self, source_verdicts: Vec<Verdict>) {
        if self.source_verdicts != source_verdicts {
            self.source_verdicts = source_verdicts;
            self.verdicts_changed = true;
        }
    }

    /// What the objects mean now; `None` if they mean the same as before. `changes` must name every object that differs
    /// from the call before.
    pub fn translate(&mut self, objects: &Objects, changes: &Changes) -> Option<Snapshot> {
        self.update(objects, changes);
        std::mem::take(&mut self.changed).then(|| self.snapshot())
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            hosts: self.host_list.clone(),
            upstreams: self.upstreams.upstreams().clone(),
            tls: self.tls_table.clone(),
            streams: Arc::clone(self.streams.streams()),
            settings: self.config.settings.clone(),
            verdicts: self.verdicts.clone(),
        }
    }

    fn update(&mut self, objects: &Objects, changes: &Changes) {
        let reread_annotations = self.read_config(objects, changes);
        for key in self.ingresses_to_look_at(objects, changes, reread_annotations) {
            let law = Law { options: &self.options, defaults: &self.config.defaults, objects };
            let change = self.admission.update(law, &key);
            self.looked_at.insert(key.clone());
            self.verdicts_changed |= change.verdicts;
            if !change.is_none() {
                self.hosts.replace(change.before.as_ref(), change.after.as_ref());
                self.upstreams.replace(change.before.as_ref(), change.after.as_ref());
            }
        }
        let rebuilt = self.hosts.refresh(&self.options, &self.config.defaults);
        if rebuilt.changed {
            self.host_list = self.hosts.list();
            self.changed = true;
        }
        self.verdicts_changed |= rebuilt.verdicts;
        for service in &changes.services {
            self.upstreams.service_changed(service);
        }
        self.verdicts_changed |= self.upstreams.attach(&self.hosts);
        let refreshed = self.upstreams.refresh(&self.options, objects);
        self.changed |= refreshed.changed;
        self.verdicts_changed |= refreshed.verdicts;
        let source = tls::Source {
            options: &self.options,
            objects,
            hosts: &self.hosts,
            default: self.default_certificate.as_ref(),
        };
        if let Some(table) = self.tls.refresh(source, &rebuilt.names, &changes.secrets) {
            self.verdicts_changed = true;
            if *self.tls_table != table {
                self.tls_table = Arc::new(table);
                self.changed = true;
            }
        }
        let streams =
            self.streams.refresh(&self.options, objects, &self.hosts, &rebuilt.names, changes);
        self.changed |= streams.changed;
        self.verdicts_changed |= streams.verdicts;
        self.collect_verdicts();
    }

    /// Reads the ConfigMap if it changed, or an object that it names; says whether that changes what Ingresses mean.
    fn read_config(&mut self, objects: &Objects, changes: &Changes) -> bool {
        let absence_changed =
            self.absent_config.look(&self.options, objects, &self.source_verdicts);
        self.verdicts_changed |= absence_changed;
        let key = self.options.configmap.as_ref().map(Key::from);
        let secret = self.config.limit_secret.as_ref();
        let secret_changed = secret.is_some_and(|secret| changes.secrets.contains(secret));
        let named = &self.config.named_maps;
        let named_changed = named.iter().any(|map| changes.config_maps.contains(map));
        let is_changed = |key: &Key| {
            absence_changed || secret_changed || named_changed || changes.config_maps.contains(key)
        };
        let Some(key) = key.filter(is_changed) else { return false };
        let map = objects.config_map(&key);
        let mut config = match self.absent_config.reason_to_close() {
            Some(reason) => Config::closed(&self.options, reason),
            None => Config::read(&self.options, map.map(|map| (&key, &**map)), objects),
        };
        if let Some(check) = self.options.pattern_check {
            config.check_blocked(check);
        }
        if config.settings == self.config.settings {
            config.settings = self.config.settings.clone();
        } else {
            self.changed = true;
        }
        let before = std::mem::replace(&mut self.config, config);
        self.verdicts_changed |= before.verdicts != self.config.verdicts;
        let differs = before.defaults != self.config.defaults;
        if differs {
            self.hosts.distrust_all();
        }
        differs
    }

    fn ingresses_to_look_at(
        &mut self,
        objects: &Objects,
        changes: &Changes,
        all: bool,
    ) -> BTreeSet<Key> {
        let classes = changes.ingress_classes && self.admission.classes(&self.options, objects);
        let namespaces =
            changes.namespaces && matches!(self.options.namespaces, NamespaceScope::Labelled(_));
        if std::mem::take(&mut self.distrusts_all) || all || classes || namespaces {
            return objects.ingresses().keys().chain(self.admission.keys()).cloned().collect();
        }
        let mut ingresses = changes.ingresses.clone();
        ingresses.extend(self.admission.referrers(changes).cloned());
        ingresses
    }

    fn collect_verdicts(&mut self) {
        if !std::mem::take(&mut self.verdicts_changed) {
            return;
        }
        let own =
            self.admission.verdicts().chain(self.upstreams.verdicts()).chain(self.tls.verdicts());
        let own = own.chain(self.hosts.verdicts()).chain(self.streams.verdicts());
        let known = own.chain(&self.config.verdicts).chain(&self.source_verdicts);
        let known = known.chain(self.absent_config.verdict());
        let is_remark = |verdict: &&Verdict| {
            verdict.effect == Effect::Ignored && !self.options.is_only_controller
        };
        let (remarks, verdicts): (BTreeSet<_>, BTreeSet<_>) = known.partition(is_remark);
        if !remarks.iter().copied().eq(self.remarks.iter()) {
            self.remarks = Arc::new(remarks.into_iter().cloned().collect());
        }
        if !verdicts.iter().copied().eq(self.verdicts.iter()) {
            self.verdicts = Arc::new(verdicts.into_iter().cloned().collect());
            self.changed = true;
        }
    }
}

#[cfg(test)]
mod tests;
