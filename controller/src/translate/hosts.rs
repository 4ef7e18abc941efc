//! All hosts: which Ingresses have a say in each, and which host an alias belongs to (routing §2).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use headgate_config::{Host, HostPattern, Location, PathMatch, Verdict};
use smallvec::SmallVec;

use super::{
    config::Defaults,
    guard::{self, is_guard},
    host::{self, Members},
    ingress::{Accepted, DEFAULT_HOST, host_of},
    pattern,
    taken::taken,
};
use crate::options::Options;

/// The hosts of the accepted Ingresses, and the default host.
#[derive(Debug)]
pub struct HostTable {
    hosts: BTreeMap<String, State>,
    /// Ingresses without rules that take the requests of unknown hosts, oldest first.
    catch_alls: SmallVec<[Arc<Accepted>; 1]>,
    /// Ingresses with what holds for a whole host, oldest first; canaries, which have no location there, included.
    guards: BTreeMap<String, SmallVec<[Arc<Accepted>; 1]>>,
    /// Hosts that have to be built again.
    dirty: BTreeSet<String>,
    /// Hosts that have aliases, or would like to.
    aliased: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct State {
    /// Ingresses with a rule for the host, oldest first.
    ingresses: SmallVec<[Arc<Accepted>; 1]>,
    host: Option<Arc<Host>>,
    /// Findings about Ingresses whose locations another one denies, and about patterns that cannot be served.
    verdicts: Vec<Verdict>,
}

/// What a refresh did.
#[derive(Debug)]
pub struct Rebuilt {
    /// Hosts that were looked at, those that are gone included.
    pub names: BTreeSet<String>,
    /// Whether any of them is other than before.
    pub changed: bool,
    /// Whether any finding is.
    pub verdicts: bool,
}

impl Default for HostTable {
    fn default() -> Self {
        let name = DEFAULT_HOST.to_owned();
        Self {
            hosts: [(name.clone(), State::default())].into(),
            catch_alls: SmallVec::new(),
            guards: BTreeMap::new(),
            dirty: [name].into(),
            aliased: BTreeSet::new(),
        }
    }
}

impl HostTable {
    /// Puts one version of an Ingress in place of another.
    pub fn replace(&mut self, before: Option<&Arc<Accepted>>, after: Option<&Arc<Accepted>>) {
        if let Some(ingress) = before.filter(|ingress| is_guard(ingress)) {
            self.guard(ingress, |guards| guards.retain(|other| !Arc::ptr_eq(other, ingress)));
        }
        if let Some(ingress) = after.filter(|ingress| is_guard(ingress)) {
            self.guard(ingress, |guards| insert_by_age(guards, ingress));
        }
        if let Some(ingress) = before.filter(|ingress| !ingress.annotations.canary) {
            self.catch_alls.retain(|other| !Arc::ptr_eq(other, ingress));
            self.touch(ingress, |state| {
                state.ingresses.retain(|other| !Arc::ptr_eq(other, ingress))
            });
        }
        if let Some(ingress) = after.filter(|ingress| !ingress.annotations.canary) {
            if ingress.is_catch_all() {
                insert_by_age(&mut self.catch_alls, ingress);
            }
            self.touch(ingress, |state| insert_by_age(&mut state.ingresses, ingress));
        }
    }

    fn guard(&mut self, ingress: &Accepted, change: impl Fn(&mut SmallVec<[Arc<Accepted>; 1]>)) {
        let mut names: BTreeSet<_> = ingress.rules().iter().map(host_of).collect();
        if ingress.is_catch_all() {
            names.insert(DEFAULT_HOST);
        }
        for name in names {
            let guards = self.guards.entry(name.to_owned()).or_default();
            change(guards);
            if guards.is_empty() {
                self.guards.remove(name);
            }
            if self.hosts.contains_key(name) {
                self.dirty.insert(name.to_owned());
            }
        }
    }

    fn touch(&mut self, ingress: &Accepted, change: impl Fn(&mut State)) {
        if ingress.is_catch_all() {
            self.dirty.insert(DEFAULT_HOST.to_owned());
        }
        let names: BTreeSet<_> = ingress.rules().iter().map(host_of).collect();
        for name in names {
            // A rule for no host and without paths is nothing (routing §2.4), but harmless here.
            change(self.hosts.entry(name.to_owned()).or_default());
            self.dirty.insert(name.to_owned());
        }
    }

    /// Builds every host again the next time.
    pub fn distrust_all(&mut self) {
        self.dirty.extend(self.hosts.keys().cloned());
    }

    /// Builds what has to be.
    pub fn refresh(&mut self, options: &Options, defaults: &Defaults) -> Rebuilt {
        let dirty = std::mem::take(&mut self.dirty);
        let (mut changed, mut verdicts) = (false, false);
        for name in &dirty {
            let state = self.hosts.entry(name.clone()).or_default();
            if state.ingresses.is_empty() && name != DEFAULT_HOST {
                verdicts |= self.hosts.remove(name).is_some_and(|state| !state.verdicts.is_empty());
                self.aliased.remove(name);
                changed = true;
            } else if with_aliases(&state.ingresses).is_none() {
                self.aliased.remove(name);
            } else {
                self.aliased.insert(name.clone());
            }
        }
        let mut aliases = self.share_out_aliases();
        for name in &dirty {
            let Some(state) = self.hosts.get_mut(name) else { continue };
            let guards = self.guards.get(name).map_or(&[][..], |guards| guards);
            let members = Members {
                name,
                ingresses: &state.ingresses,
                catch_all: self.catch_alls.first().filter(|_| name == DEFAULT_HOST),
                guards,
            };
            let mut host = host::build(options, defaults, &members);
            host.aliases = aliases.remove(name.as_str()).unwrap_or_default();
            host.alias_origin =
                with_aliases(&state.ingresses).map(|ingress| Arc::new(ingress.reference()));
            changed |= state.adopt(host);
            verdicts |= state.judge(options, guards);
        }
        let mut names = dirty;
        // A new host takes its name away from aliases of hosts that did not change themselves.
        for (name, aliases) in aliases {
            if let Some(state) = self.hosts.get_mut(&name)
                && let Some(host) = state.host.clone()
                && host.aliases != aliases
            {
                state.host = Some(Arc::new(Host { aliases, ..(*host).clone() }));
                let guards = self.guards.get(&name).map_or(&[][..], |guards| guards);
                verdicts |= state.judge(options, guards);
                names.insert(name);
                changed = true;
            }
        }
        Rebuilt { names, changed, verdicts }
    }

    /// The hosts in the order of their names.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values().filter_map(|state| state.host.as_ref())
    }

    /// Findings about Ingresses whose locations another one denies, and about patterns that cannot be served.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.hosts.values().flat_map(|state| &state.verdicts)
    }

    /// A host with the Ingresses that have a say in it, oldest first.
    pub fn get(&self, name: &str) -> Option<(&Arc<Host>, &[Arc<Accepted>])> {
        let state = self.hosts.get(name)?;
        Some((state.host.as_ref()?, &state.ingresses))
    }

    /// The Ingress that takes the requests that no host takes.
    pub fn catch_all(&self) -> Option<&Arc<Accepted>> {
        self.catch_alls.first()
    }

    /// The alias patterns of all hosts that want some. Names of real hosts are dropped, and an alias that several hosts
    /// want goes to the one whose name sorts first (routing §2.6).
    fn share_out_aliases(&self) -> BTreeMap<String, Vec<HostPattern>> {
        let mut taken = HashSet::new();
        let mut shared = BTreeMap::new();
        for name in &self.aliased {
            let Some(state) = self.hosts.get(name) else { continue };
            let Some(ingress) = with_aliases(&state.ingresses) else { continue };
            let free = ingress.annotations.aliases.iter().filter(|alias| {
                !self.hosts.contains_key(&alias.to_ascii_lowercase())
                    && taken.insert(alias.as_str())
            });
            shared.insert(name.clone(), free.filter_map(|alias| alias_pattern(alias)).collect());
        }
        shared
    }
}

impl State {
    /// Looks what there is to say about the host; says whether that is other than before.
    fn judge(&mut self, options: &Options, guards: &[Arc<Accepted>]) -> bool {
        let Some(host) = &self.host else { return false };
        let mut found = guard::verdicts(guards, host, &self.ingresses);
        if let Some(check) = options.pattern_check {
            found.extend(pattern::broken(check, host));
        }
        // In a cluster a review has told the author.
        if options.is_only_controller {
            found.extend(taken(&host.name, host.mode, &self.ingresses));
        }
        let differs = found != self.verdicts;
        self.verdicts = found;
        differs
    }

    /// Takes over a newly built host, keeping what is equal to before; says whether it differs.
    fn adopt(&mut self, mut host: Host) -> bool {
        let Some(before) = &self.host else {
            self.host = Some(Arc::new(host));
            return true;
        };
        if **before == host {
            return false;
        }
        let kept: HashMap<&PathMatch, &Arc<Location>> =
            before.locations.iter().map(|location| (&location.matcher, location)).collect();
        for location in &mut host.locations {
            if let Some(before) =
                kept.get(&location.matcher).filter(|before| ***before == *location)
            {
                *location = Arc::clone(before);
            }
        }
        self.host = Some(Arc::new(host));
        true
    }
}

/// The oldest Ingress that has aliases: those of others do not count (routing §2.6).
fn with_aliases(ingresses: &[Arc<Accepted>]) -> Option<&Arc<Accepted>> {
    ingresses.iter().find(|ingress| !ingress.annotations.aliases.is_empty())
}

/// How an alias is compared with request hosts; `None` for what can match nothing.
pub fn alias_pattern(alias: &str) -> Option<HostPattern> {
    if let Some(regex) = alias.strip_prefix('~') {
        return Some(HostPattern::Regex(regex.to_owned()));
    }
    let name = alias.to_ascii_lowercase();
    let pattern = if let Some(parent) = name.strip_prefix("*.") {
        HostPattern::AnyDepth(parent.to_owned())
    } else if let Some(parent) = name.strip_prefix('.') {
        HostPattern::SelfAndBelow(parent.to_owned())
    } else if let Some(stem) = name.strip_suffix(".*") {
        HostPattern::Trailing(stem.to_owned())
    } else {
        HostPattern::Exact(name)
    };
    let text = match &pattern {
        HostPattern::AnyDepth(text)
        | HostPattern::SelfAndBelow(text)
        | HostPattern::Trailing(text)
        | HostPattern::Exact(text) => text,
        HostPattern::OneLabel(_) | HostPattern::Regex(_) | HostPattern::Default => return None,
    };
    (!text.is_empty() && !text.contains('*')).then_some(pattern)
}

/// Adds an Ingress to others that are sorted, oldest first.
pub fn insert_by_age(ingresses: &mut SmallVec<[Arc<Accepted>; 1]>, ingress: &Arc<Accepted>) {
    let at = ingresses.partition_point(|other| other.age < ingress.age);
    ingresses.insert(at, ingress.clone());
}
