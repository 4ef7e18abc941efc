//! All upstreams: who mentions each, what they want of it, and what its Service gives it (routing §11.1).

mod canaries;
mod policy;
mod said;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use headgate_config::{UpstreamId, Upstreams, Verdict};
use smallvec::SmallVec;

use super::{
    hosts::HostTable,
    ingress::{Accepted, host_of},
    location::first_port_of,
    upstream,
};
use crate::{
    objects::{Key, Objects},
    options::Options,
};
use canaries::Canaries;

/// The upstreams that accepted Ingresses and the options mention.
///
/// An Ingress whose paths all belong to older ones still mentions its upstreams; they exist, unused.
#[derive(Debug, Default)]
pub struct UpstreamTable {
    states: BTreeMap<UpstreamId, State>,
    /// There is one if any Ingress that mentions it is serving.
    upstreams: Upstreams,
    /// Which of them get a share of the requests of others.
    canaries: Canaries,
    dirty: BTreeSet<UpstreamId>,
}

/// What is other than before.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// Upstreams are.
    pub changed: bool,
    /// Findings are. Endpoints change often, and findings about them do not: collecting all findings can wait for it.
    pub verdicts: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    mentions: SmallVec<[Mention; 1]>,
    /// What is wrong with its Service, once for each Ingress that mentions it.
    verdicts: Vec<Verdict>,
    /// What is to be said about its canaries, or about it as one.
    remarks: Vec<Verdict>,
}

#[derive(Debug)]
struct Mention {
    ingress: Arc<Accepted>,
    way: Way,
}

/// How an Ingress mentions an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// As the backend of a path.
    Path,
    /// As `spec.defaultBackend`.
    Default,
    /// As something else, which says nothing about how it is to be used.
    Aside,
}

impl UpstreamTable {
    /// A table for these options.
    pub fn new(options: &Options) -> Self {
        Self {
            dirty: options
                .default_backend_service
                .as_ref()
                .map(first_port_of)
                .into_iter()
                .collect(),
            ..Self::default()
        }
    }

    /// Puts one version of an Ingress in place of another.
    pub fn replace(&mut self, before: Option<&Arc<Accepted>>, after: Option<&Arc<Accepted>>) {
        self.canaries.replace(before, after);
        if let Some(ingress) = before {
            for (id, _) in mentions(ingress) {
                if let Some(state) = self.states.get_mut(&id) {
                    state.mentions.retain(|mention| !Arc::ptr_eq(&mention.ingress, ingress));
                }
                self.dirty.insert(id);
            }
        }
        if let Some(ingress) = after {
            for (id, way) in mentions(ingress) {
                let mentions = &mut self.states.entry(id.clone()).or_default().mentions;
                let at = mentions.partition_point(|mention| mention.ingress.age <= ingress.age);
                mentions.insert(at, Mention { ingress: ingress.clone(), way });
                self.dirty.insert(id);
            }
        }
    }

    /// A Service, or one of its slices, changed.
    pub fn service_changed(&mut self, service: &Key) {
        let first = UpstreamId {
            namespace: service.namespace().into(),
            service: service.name().into(),
            port: String::new(),
        };
        let of_service =
            |id: &&UpstreamId| id.namespace == first.namespace && id.service == first.service;
        let ids: Vec<_> =
            self.states.range(&first..).map(|(id, _)| id).take_while(of_service).cloned().collect();
        self.dirty.extend(ids);
    }

    /// Finds out which upstreams get a share of the requests of others at the paths of `hosts`.
    /// Says whether there is anything else to say about them than before.
    pub fn attach(&mut self, hosts: &HostTable) -> bool {
        self.canaries.refresh(hosts, &mut self.dirty)
    }

    /// Looks up what has to be; says what is other than before.
    pub fn refresh(&mut self, options: &Options, objects: &Objects) -> Refreshed {
        let global = options.default_backend_service.as_ref().map(first_port_of);
        let mut refreshed = Refreshed::default();
        let mut dirty = std::mem::take(&mut self.dirty);
        self.canaries.add_partners(&mut dirty);
        for id in dirty {
            let is_global = global.as_ref() == Some(&id);
            self.states.entry(id.clone()).or_default();
            let policy = self.policy(&id);
            let is_alternative = self.canaries.is_alternative(&id);
            let remarks = self.canary_remarks(&id);
            let Some(state) = self.states.get_mut(&id) else { continue };
            refreshed.verdicts |= state.remarks != remarks;
            state.remarks = remarks;
            let is_serving = |mention: &Mention| mention.ingress.is_serving();
            if is_global || is_alternative || state.mentions.iter().any(is_serving) {
                let mut resolved = upstream::resolve(options, objects, &id, policy.by_cluster_ip);
                policy.apply(&mut resolved.upstream);
                refreshed.verdicts |= state.judge(resolved.verdict, &id, is_global);
                // What is equal to before is kept.
                if self.upstreams.get(&id).map(|upstream| &**upstream) != Some(&resolved.upstream) {
                    self.upstreams.insert(Arc::new(resolved.upstream));
                    refreshed.changed = true;
                }
                continue;
            }
            refreshed.changed |= self.upstreams.remove(&id);
            refreshed.verdicts |= !std::mem::take(&mut state.verdicts).is_empty();
            if state.mentions.is_empty() {
                self.states.remove(&id);
            }
        }
        refreshed
    }

    /// The upstreams by their identity.
    pub fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    /// Findings about Services, said to the Ingresses that name them, and about canaries.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        let own =
            self.states.values().flat_map(|state| state.verdicts.iter().chain(&state.remarks));
        own.chain(self.canaries.verdicts())
    }
}

impl State {
    /// Takes over what was found; says whether that is other than before.
    fn judge(&mut self, verdict: Option<Box<Verdict>>, id: &UpstreamId, is_global: bool) -> bool {
        let verdicts = verdict.map_or_else(Vec::new, |verdict| self.said(*verdict, id, is_global));
        let differs = self.verdicts != verdicts;
        self.verdicts = verdicts;
        differs
    }

    /// A finding about the Service, as it is said to each Ingress that mentions it, and to whoever set the options.
    fn said(&self, verdict: Verdict, id: &UpstreamId, is_global: bool) -> Vec<Verdict> {
        let mut ingresses: Vec<_> = self.mentions.iter().map(|mention| &mention.ingress).collect();
        ingresses.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let said = ingresses.iter().map(|ingress| Verdict {
            object: ingress.reference(),
            message: format!("{}: {}", place_of(ingress, id), verdict.message),
            ..verdict.clone()
        });
        let mut said: Vec<_> = said.collect();
        if is_global {
            said.push(verdict);
        }
        said
    }
}

/// Where an Ingress mentions an upstream first.
fn place_of(ingress: &Accepted, id: &UpstreamId) -> String {
    let paths =
        ingress.rules().iter().flat_map(|rule| rule.paths.iter().map(move |path| (rule, path)));
    let mut paths = paths.filter(|(_, path)| ingress.upstream(&path.backend).as_ref() == Some(id));
    if let Some((rule, path)) = paths.next() {
        let more = match paths.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        return format!("host {}, path {}{more}", host_of(rule), path.text);
    }
    let is_default = ingress.default_backend().as_ref() == Some(id);
    match is_default {
        true => "spec.defaultBackend",
        false if asked(ingress) == Some(id) => "the URL of the external authentication",
        false if keys(ingress) == Some(id) => "headgate.io/jwt-jwks-url",
        false if mirrored(ingress) == Some(id) => "the URL of mirror-target",
        false => "annotation default-backend",
    }
    .to_owned()
}

/// Every upstream that an Ingress mentions, once for each way.
fn mentions(ingress: &Accepted) -> BTreeSet<(UpstreamId, Way)> {
    let paths = ingress.rules().iter().flat_map(|rule| &rule.paths);
    let backends =
        paths.filter_map(|path| ingress.upstream(&path.backend)).map(|id| (id, Way::Path));
    let default = ingress.default_backend().map(|id| (id, Way::Default));
    let fallback = ingress.annotations.default_backend.as_ref().map(|service| UpstreamId {
        namespace: ingress.key().namespace().into(),
        service: service.clone(),
        port: String::new(),
    });
    let asked = [asked(ingress), keys(ingress), mirrored(ingress)].into_iter().flatten().cloned();
    let asked = asked.chain(fallback).map(|id| (id, Way::Aside));
    backends.chain(default).chain(asked).collect()
}

/// The upstream that an Ingress's requests are asked about at.
fn asked(ingress: &Accepted) -> Option<&UpstreamId> {
    ingress.annotations.protection.as_ref()?.external.as_ref()?.upstream.as_ref()
}

/// The upstream that gets copies of its requests.
fn mirrored(ingress: &Accepted) -> Option<&UpstreamId> {
    ingress.annotations.mirror.as_ref()?.upstream.as_ref()
}

/// The upstream that has the keys of its tokens.
fn keys(ingress: &Accepted) -> Option<&UpstreamId> {
    ingress.annotations.protection.as_ref()?.token.as_ref()?.keys.upstream.as_ref()
}
