//! All upstreams: who mentions each, and what its Service gives it (routing §11.1).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use headgate_config::{Upstream, UpstreamId, Verdict};
use smallvec::SmallVec;

use super::{
    ingress::Accepted,
    location::first_port_of,
    upstream::{self, Resolved},
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
    dirty: BTreeSet<UpstreamId>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first.
    mentions: SmallVec<[Mention; 1]>,
    /// There is one if any Ingress that mentions it is serving.
    upstream: Option<Arc<Upstream>>,
    verdict: Option<Box<Verdict>>,
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

    /// Looks up what has to be; says whether any upstream or finding is other than before.
    pub fn refresh(&mut self, options: &Options, objects: &Objects) -> bool {
        let global = options.default_backend_service.as_ref().map(first_port_of);
        let mut changed = false;
        for id in std::mem::take(&mut self.dirty) {
            let state = self.states.entry(id.clone()).or_default();
            let is_global = global.as_ref() == Some(&id);
            if is_global || state.mentions.iter().any(|mention| mention.ingress.is_serving()) {
                let by_cluster_ip = state.by_cluster_ip(&id);
                changed |= state.adopt(upstream::resolve(options, objects, &id, by_cluster_ip));
                continue;
            }
            changed |= state.upstream.take().is_some();
            state.verdict = None;
            if state.mentions.is_empty() {
                self.states.remove(&id);
            }
        }
        changed
    }

    /// The upstreams by their identity.
    pub fn upstreams(&self) -> BTreeMap<UpstreamId, Arc<Upstream>> {
        let upstreams = self.states.values().filter_map(|state| state.upstream.as_ref());
        upstreams.map(|upstream| (upstream.id.clone(), upstream.clone())).collect()
    }

    /// Findings about Services. Several ports of one Service may say the same.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.states.values().filter_map(|state| state.verdict.as_deref())
    }
}

impl State {
    /// Takes over what was looked up, keeping what is equal to before; says whether anything differs.
    fn adopt(&mut self, Resolved { upstream, verdict }: Resolved) -> bool {
        let changed = self.upstream.as_deref() != Some(&upstream) || self.verdict != verdict;
        if self.upstream.as_deref() != Some(&upstream) {
            self.upstream = Some(Arc::new(upstream));
        }
        self.verdict = verdict;
        changed
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
    backends.chain(default).chain(fallback.map(|id| (id, false))).collect()
}
