//! Which upstream gets a share of the requests of which other: the backend of a canary's path that of the same path
//! of another Ingress (routing §13).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use headgate_config::{Effect, UpstreamId, Verdict};
use smallvec::SmallVec;

use crate::translate::{
    hosts::{HostTable, insert_by_age},
    ingress::{Accepted, Age, DEFAULT_HOST, host_of},
};

/// The canaries of all hosts. What does not concern a host with a canary costs a look-up.
#[derive(Debug, Default)]
pub struct Canaries {
    hosts: BTreeMap<String, OfHost>,
    dirty: BTreeSet<String>,
    /// Who stands in for each primary, the first in the order of conflicts first.
    candidates: BTreeMap<UpstreamId, BTreeMap<Place, Candidate>>,
    /// The primaries that each alternative stands in for.
    primaries: BTreeMap<UpstreamId, BTreeSet<UpstreamId>>,
}

#[derive(Debug, Default)]
struct OfHost {
    /// Canaries with a path on the host, oldest first.
    ingresses: SmallVec<[Arc<Accepted>; 1]>,
    /// What was found for them.
    found: Vec<(UpstreamId, Place)>,
    verdicts: Vec<Verdict>,
}

/// Where a canary asks for its share: its age, and the number of the path; 0 is its default backend.
type Place = (Age, usize);

/// An upstream that is to stand in for another.
#[derive(Debug)]
pub struct Candidate {
    /// Which one.
    pub upstream: UpstreamId,
    /// Who asks for it.
    pub ingress: Arc<Accepted>,
    /// Whether clients of the primary's cookie are bound to it as well (`affinity-canary-behavior`).
    is_sticky: bool,
}

impl Canaries {
    /// Puts one version of an Ingress in place of another.
    pub fn replace(&mut self, before: Option<&Arc<Accepted>>, after: Option<&Arc<Accepted>>) {
        for ingress in before.into_iter().chain(after) {
            for host in hosts_of(ingress) {
                if !ingress.annotations.canary && !self.hosts.contains_key(host) {
                    continue;
                }
                self.dirty.insert(host.to_owned());
                if ingress.annotations.canary {
                    let canaries = &mut self.hosts.entry(host.to_owned()).or_default().ingresses;
                    canaries.retain(|other| !Arc::ptr_eq(other, ingress));
                    if after.is_some_and(|after| Arc::ptr_eq(after, ingress)) {
                        insert_by_age(canaries, ingress);
                    }
                }
            }
        }
    }

    /// Looks again where it has to; upstreams that may be other than before are added to `touched`. Says whether the
    /// findings are.
    pub fn refresh(&mut self, hosts: &HostTable, touched: &mut BTreeSet<UpstreamId>) -> bool {
        let mut differs = false;
        let mut primaries = BTreeSet::new();
        for name in std::mem::take(&mut self.dirty) {
            let Some(mut host) = self.hosts.remove(&name) else { continue };
            for (primary, place) in std::mem::take(&mut host.found) {
                self.remove(primary.clone(), &place, touched);
                primaries.insert(primary);
            }
            let before = std::mem::take(&mut host.verdicts);
            let paths = Paths::of(hosts, &name);
            for ingress in &host.ingresses {
                for asked in asked(ingress, &name) {
                    let found = paths.primaries(&asked);
                    if found.is_empty() {
                        host.verdicts.push(asked.unheard(ingress, &name));
                    }
                    for primary in found {
                        let place = (ingress.age.clone(), asked.number);
                        touched.extend(self.alternative(&primary).cloned());
                        self.add(primary.clone(), place.clone(), &asked, ingress);
                        primaries.insert(primary.clone());
                        host.found.push((primary, place));
                    }
                }
            }
            differs |= before != host.verdicts;
            if !host.ingresses.is_empty() {
                self.hosts.insert(name, host);
            }
        }
        for primary in primaries {
            if let Some(alternative) = self.alternative(&primary).cloned() {
                self.primaries.entry(alternative.clone()).or_default().insert(primary.clone());
                touched.insert(alternative);
            }
            touched.insert(primary);
        }
        differs
    }

    /// Adds the alternatives of the upstreams in a set, and those that they are alternatives of.
    pub fn add_partners(&self, ids: &mut BTreeSet<UpstreamId>) {
        if self.candidates.is_empty() {
            return;
        }
        let partners = ids.iter().flat_map(|id| {
            self.alternative(id).into_iter().chain(self.primaries.get(id).into_iter().flatten())
        });
        let partners: Vec<_> = partners.cloned().collect();
        ids.extend(partners);
    }

    /// The upstream that gets a share of the requests of another.
    pub fn alternative(&self, primary: &UpstreamId) -> Option<&UpstreamId> {
        Some(&self.candidates.get(primary)?.values().next()?.upstream)
    }

    /// The candidate that stands in for an upstream, and those that would.
    pub fn candidates(
        &self,
        primary: &UpstreamId,
    ) -> Option<(&Candidate, impl Iterator<Item = &Candidate>)> {
        let mut all = self.candidates.get(primary)?.values();
        Some((all.next()?, all))
    }

    /// Whether an upstream gets a share of the requests of any.
    pub fn is_alternative(&self, id: &UpstreamId) -> bool {
        self.primaries.contains_key(id)
    }

    /// The upstream whose cookie binds clients to this alternative as well, if there is one.
    pub fn sticky_primary(&self, alternative: &UpstreamId) -> Option<&UpstreamId> {
        let mut primaries = self.primaries.get(alternative)?.iter();
        primaries.find(|primary| {
            let first = self.candidates.get(primary).and_then(|all| all.values().next());
            first.is_some_and(|candidate| candidate.is_sticky)
        })
    }

    /// Canaries that get nothing because nobody has their paths.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.hosts.values().flat_map(|host| &host.verdicts)
    }

    fn add(&mut self, primary: UpstreamId, place: Place, asked: &Asked, ingress: &Arc<Accepted>) {
        let wish = ingress.annotations.affinity.as_deref();
        let is_sticky = !wish.is_some_and(|wish| wish.legacy_canary);
        // The one that was first so far may be no more.
        self.unlink(&primary);
        let (upstream, ingress) = (asked.upstream.clone(), ingress.clone());
        let candidate = Candidate { upstream, ingress, is_sticky };
        self.candidates.entry(primary).or_default().insert(place, candidate);
    }

    fn remove(&mut self, primary: UpstreamId, place: &Place, touched: &mut BTreeSet<UpstreamId>) {
        touched.extend(self.alternative(&primary).cloned());
        self.unlink(&primary);
        if let Some(candidates) = self.candidates.get_mut(&primary) {
            candidates.remove(place);
            if candidates.is_empty() {
                self.candidates.remove(&primary);
            }
        }
    }

    fn unlink(&mut self, primary: &UpstreamId) {
        let Some(alternative) = self.alternative(primary).cloned() else { return };
        if let Some(primaries) = self.primaries.get_mut(&alternative) {
            primaries.remove(primary);
            if primaries.is_empty() {
                self.primaries.remove(&alternative);
            }
        }
    }
}

/// A share that a canary asks for.
struct Asked<'a> {
    number: usize,
    /// Path, and whether it is exact; none is the default backend, which asks for all of them.
    path: Option<(&'a str, bool)>,
    upstream: UpstreamId,
}

impl Asked<'_> {
    fn unheard(&self, ingress: &Accepted, host: &str) -> Verdict {
        let place = match self.path {
            Some((path, true)) => format!("path {path:?} (Exact) of host {host:?}"),
            Some((path, false)) => format!("path {path:?} of host {host:?}"),
            None => "the default backend".to_owned(),
        };
        Verdict {
            object: ingress.reference(),
            effect: Effect::Warning,
            reason: "CanaryWithoutPrimary".into(),
            message: format!(
                "{place}: no other Ingress has it with another Service, so that this canary gets no requests there; give both the same host, path and path type"
            ),
        }
    }
}

/// What a canary asks for on a host.
fn asked<'a>(ingress: &'a Accepted, host: &str) -> Vec<Asked<'a>> {
    let default = ingress.default_backend().filter(|_| host == DEFAULT_HOST);
    let default = default.map(|upstream| Asked { number: 0, path: None, upstream });
    let paths =
        ingress.rules().iter().flat_map(|rule| rule.paths.iter().map(move |path| (rule, path)));
    let paths = paths.zip(1..).filter(|((rule, _), _)| host_of(rule) == host);
    let paths = paths.filter_map(|((_, path), number)| {
        let upstream = ingress.upstream(&path.backend)?;
        Some(Asked { number, path: Some((&*path.text, path.is_exact)), upstream })
    });
    default.into_iter().chain(paths).collect()
}

fn hosts_of(ingress: &Accepted) -> BTreeSet<&str> {
    let default = ingress.default_backend().map(|_| DEFAULT_HOST);
    ingress.rules().iter().map(host_of).chain(default).collect()
}

/// The paths of a host with their upstreams, those of the oldest Ingress each (routing §4.2).
struct Paths<'a>(HashMap<(&'a str, bool), UpstreamId>);

impl<'a> Paths<'a> {
    fn of(hosts: &'a HostTable, name: &str) -> Self {
        let mut paths = HashMap::new();
        let Some((_, ingresses)) = hosts.get(name) else { return Self(paths) };
        let catch_all = hosts.catch_all().filter(|_| name == DEFAULT_HOST);
        let root = ("/", false);
        if let Some(upstream) = catch_all.and_then(|ingress| ingress.default_backend()) {
            paths.insert(root, upstream);
        }
        for ingress in ingresses {
            for rule in ingress.rules().iter().filter(|rule| host_of(rule) == name) {
                for path in &rule.paths {
                    if let Some(upstream) = ingress.upstream(&path.backend) {
                        paths.entry((&*path.text, path.is_exact)).or_insert(upstream);
                    }
                }
            }
        }
        // Who names a host first has its `/`, declared or not.
        let creator = ingresses.first().filter(|_| name != DEFAULT_HOST);
        if let Some(upstream) = creator.and_then(|ingress| ingress.default_backend()) {
            paths.entry(root).or_insert(upstream);
        }
        Self(paths)
    }

    /// The upstreams that a canary is to stand in for.
    fn primaries(&self, asked: &Asked<'_>) -> BTreeSet<UpstreamId> {
        let one = asked.path.and_then(|path| self.0.get(&path));
        let all = self.0.values().filter(|_| asked.path.is_none());
        all.chain(one).filter(|primary| **primary != asked.upstream).cloned().collect()
    }
}
