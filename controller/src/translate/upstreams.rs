//! All upstreams: who mentions each, and what its Service gives it (routing §11.1).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use headgate_config::{UpstreamId, Upstreams, Verdict};
use smallvec::SmallVec;

use super::{
    ingress::{Accepted, host_of},
    location::first_port_of,
    upstream,
};
use crate::{
    objects::{Key, Objects},
    options::Options,
};

/// The upstreams that accepted Ingresses and the options mention.
///
/// An Ingress whose paths all belong to older ones still mentions its upstreams; they exist, unused.
#[derive(Debug, Default)]
pub struct UpstreamTable {
    states: BTreeMap<UpstreamId, State>,
    /// There is one if any Ingress that mentions it is serving.
    upstreams: Upstreams,
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
}

#[derive(Debug)]
struct Mention {
    ingress: Arc<Accepted>,
    /// As `spec.defaultBackend`.
    as_default: bool,
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
        if let Some(ingress) = before {
            for (id, _) in mentions(ingress) {
                if let Some(state) = self.states.get_mut(&id) {
                    state.mentions.retain(|mention| !Arc::ptr_eq(&mention.ingress, ingress));
                }
                self.dirty.insert(id);
            }
        }
        if let Some(ingress) = after {
            for (id, as_default) in mentions(ingress) {
                let mentions = &mut self.states.entry(id.clone()).or_default().mentions;
                let at = mentions.partition_point(|mention| mention.ingress.age <= ingress.age);
                mentions.insert(at, Mention { ingress: ingress.clone(), as_default });
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

    /// Looks up what has to be; says what is other than before.
    pub fn refresh(&mut self, options: &Options, objects: &Objects) -> Refreshed {
        let global = options.default_backend_service.as_ref().map(first_port_of);
        let mut refreshed = Refreshed::default();
        for id in std::mem::take(&mut self.dirty) {
            let state = self.states.entry(id.clone()).or_default();
            let is_global = global.as_ref() == Some(&id);
            if is_global || state.mentions.iter().any(|mention| mention.ingress.is_serving()) {
                let by_cluster_ip = state.by_cluster_ip(&id);
                let resolved = upstream::resolve(options, objects, &id, by_cluster_ip);
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

    /// Findings about Services, said to the Ingresses that name them.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.states.values().flat_map(|state| &state.verdicts)
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

    /// `service-upstream` belongs to the upstream, not to the path: the oldest mention decides, but each mention as
    /// `spec.defaultBackend` decides anew.
    fn by_cluster_ip(&self, id: &UpstreamId) -> bool {
        let anew = self.mentions.iter().rfind(|mention| mention.as_default);
        let decides = anew.or(self.mentions.first());
        // The Service of the annotation `default-backend` is always reached by its endpoints.
        !id.port.is_empty()
            && decides.is_some_and(|mention| mention.ingress.annotations.service_upstream)
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
fn mentions(ingress: &Accepted) -> BTreeSet<(UpstreamId, bool)> {
    let paths = ingress.rules().iter().flat_map(|rule| &rule.paths);
    let backends = paths.filter_map(|path| ingress.upstream(&path.backend)).map(|id| (id, false));
    let default = ingress.default_backend().map(|id| (id, true));
    let fallback = ingress.annotations.default_backend.as_ref().map(|service| UpstreamId {
        namespace: ingress.key().namespace().into(),
        service: service.clone(),
        port: String::new(),
    });
    let asked = [asked(ingress), keys(ingress), mirrored(ingress)].into_iter().flatten().cloned();
    let asked = asked.chain(fallback).map(|id| (id, false));
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
