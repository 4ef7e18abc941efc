//! Which Ingress decides what about an upstream that several mention (annotations §1.10, routing §11.1).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use headgate_config::{
    Balance, Upstream, UpstreamId,
    balance::{Affinity, Canary},
};

use super::{State, UpstreamTable, Way};
use crate::translate::ingress::{Accepted, host_of};

/// What the Ingresses that mention an upstream want of it.
#[derive(Debug)]
pub struct Policy {
    /// Requests go to the Service's own address (`service-upstream`).
    pub by_cluster_ip: bool,
    balance: Balance,
    affinity: Option<Arc<Affinity>>,
    canary: Option<Arc<Canary>>,
}

impl Policy {
    /// Makes it that of an upstream.
    pub fn apply(self, upstream: &mut Upstream) {
        upstream.balance = self.balance;
        upstream.affinity = self.affinity;
        upstream.canary = self.canary;
    }
}

impl UpstreamTable {
    /// What is wanted of the upstream with this identity.
    pub(super) fn policy(&self, id: &UpstreamId) -> Policy {
        let state = self.states.get(id);
        let decider = state.and_then(State::decider);
        Policy {
            // The Service of the annotation `default-backend` is always reached by its endpoints.
            by_cluster_ip: !id.port.is_empty()
                && decider.is_some_and(|ingress| ingress.annotations.service_upstream),
            balance: decider.map(|ingress| ingress.annotations.balance.clone()).unwrap_or_default(),
            affinity: self.affinity(id).map(Arc::new),
            canary: self.canary(id).map(Arc::new),
        }
    }

    /// A canary that is sticky is bound to its clients as its primary is (annotations §3.12, "Canary interplay").
    fn affinity(&self, id: &UpstreamId) -> Option<Affinity> {
        match self.canaries.sticky_primary(id) {
            Some(primary) => self.states.get(primary)?.affinity(primary),
            None => self.states.get(id)?.affinity(id),
        }
    }

    /// The first canary of an upstream is the only one. It gets nothing if an older Ingress that is none has the
    /// Service: nobody has said which share then (annotations §3.11).
    fn canary(&self, id: &UpstreamId) -> Option<Canary> {
        let upstream = self.canaries.alternative(id)?;
        let decider = self.states.get(upstream)?.decider()?;
        let rules = decider.annotations.canary_rules.clone()?;
        Some(Canary { upstream: upstream.clone(), rules })
    }
}

impl State {
    /// The Ingress whose word counts: the oldest, but each mention as `spec.defaultBackend` decides anew.
    pub(super) fn decider(&self) -> Option<&Accepted> {
        let mut leading = self.mentions.iter().filter(|mention| mention.way != Way::Aside);
        let anew = leading.clone().rfind(|mention| mention.way == Way::Default);
        anew.or_else(|| leading.next()).map(|mention| &*mention.ingress)
    }

    /// Mode from the oldest that names one, the cookie from the newest, the places from all that want a cookie.
    fn affinity(&self, id: &UpstreamId) -> Option<Affinity> {
        let is_path = |ingress: &Accepted| !ingress.annotations.canary;
        let mentions = self.mentions.iter().filter(|mention| mention.way == Way::Path);
        let wishes = mentions.filter(|mention| is_path(&mention.ingress)).filter_map(|mention| {
            Some((&*mention.ingress, mention.ingress.annotations.affinity.as_deref()?))
        });
        let mode = wishes.clone().find_map(|(_, wish)| wish.mode).unwrap_or_default();
        let mut cookie = None;
        let mut places: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (ingress, wish) in wishes.filter(|(_, wish)| wish.cookie.is_some()) {
            cookie = wish.cookie.as_ref();
            for rule in ingress.rules() {
                let paths = rule.paths.iter();
                let paths =
                    paths.filter(|path| ingress.upstream(&path.backend).as_ref() == Some(id));
                let paths = paths.map(|path| &*path.text);
                places.entry(host_of(rule)).or_default().extend(paths);
            }
        }
        places.retain(|_, paths| !paths.is_empty());
        let owned = |paths: BTreeSet<&str>| paths.into_iter().map(str::to_owned).collect();
        let places = places.into_iter().map(|(host, paths)| (host.to_owned(), owned(paths)));
        Some(Affinity { mode, cookie: cookie?.clone(), places: places.collect() })
    }
}
