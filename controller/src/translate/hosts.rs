//! All hosts: which Ingresses have a say in each, and which host an alias belongs to (routing §2).

mod alias;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use headgate_config::{Host, HostPattern, Verdict};
use smallvec::SmallVec;

use super::{
    config::Defaults,
    guard::is_guard,
    host::{self, Built, Members},
    ingress::{Accepted, DEFAULT_HOST, host_of},
    www::Counterparts,
};
use crate::options::Options;

pub use alias::alias_pattern;
use state::State;

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
    /// Hosts that only lead to one of the others.
    counterparts: Counterparts,
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
            counterparts: Counterparts::default(),
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
                self.counterparts.ask(name, false, &[]);
                changed = true;
            } else if with_aliases(&state.ingresses).is_none() {
                self.aliased.remove(name);
            } else {
                self.aliased.insert(name.clone());
            }
        }
        let built = self.build(&dirty, options, defaults);
        let redirected = if dirty.is_empty() {
            BTreeSet::new()
        } else {
            self.counterparts.refresh(|name| self.hosts.contains_key(name))
        };
        changed |= !redirected.is_empty();
        verdicts |= self.counterparts.take_verdicts_changed();
        let mut aliases = self.share_out_aliases();
        for (name, mut host) in built {
            let Some(state) = self.hosts.get_mut(name) else { continue };
            let guards = self.guards.get(name).map_or(&[][..], |guards| guards);
            host.aliases = aliases.remove(name).unwrap_or_default();
            host.alias_origin =
                with_aliases(&state.ingresses).map(|ingress| Arc::new(ingress.reference()));
            changed |= state.adopt(host);
            verdicts |= state.judge(options, guards);
        }
        let mut names = dirty;
        names.extend(redirected);
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

    /// Builds those of these hosts that there are, and notes which of them ask for a counterpart.
    fn build<'a>(
        &mut self,
        names: &'a BTreeSet<String>,
        options: &Options,
        defaults: &Defaults,
    ) -> Vec<(&'a str, Host)> {
        let mut hosts = Vec::with_capacity(names.len());
        for name in names {
            let Some(State { ingresses, .. }) = self.hosts.get(name) else { continue };
            let members = Members {
                name,
                ingresses,
                catch_all: self.catch_alls.first().filter(|_| name == DEFAULT_HOST),
                guards: self.guards.get(name).map_or(&[][..], |guards| guards),
            };
            let Built { host, www_redirect } = host::build(options, defaults, &members);
            self.counterparts.ask(name, www_redirect, ingresses);
            hosts.push((name.as_str(), host));
        }
        hosts
    }

    /// The hosts in the order of their names.
    pub fn list(&self) -> Arc<[Arc<Host>]> {
        let own = self.hosts.values().filter_map(|state| state.host.as_ref());
        let mut hosts: Vec<_> = own.chain(self.counterparts.hosts()).cloned().collect();
        // Two lists that are in order each take one pass.
        hosts.sort_by(|one, other| one.name.cmp(&other.name));
        hosts.into()
    }

    /// The name that only leads to a host, if there is one.
    pub fn counterpart(&self, host: &str) -> Option<&str> {
        self.counterparts.of(host)
    }

    /// Findings about Ingresses whose locations another one denies, and about patterns that cannot be served.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.hosts.values().flat_map(|state| &state.verdicts).chain(self.counterparts.verdicts())
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
                let name = alias.to_ascii_lowercase();
                !self.hosts.contains_key(&name)
                    && !self.counterparts.contains(&name)
                    && taken.insert(alias.as_str())
            });
            shared.insert(name.clone(), free.filter_map(|alias| alias_pattern(alias)).collect());
        }
        shared
    }
}

/// The oldest Ingress that has aliases: those of others do not count (routing §2.6).
fn with_aliases(ingresses: &[Arc<Accepted>]) -> Option<&Arc<Accepted>> {
    ingresses.iter().find(|ingress| !ingress.annotations.aliases.is_empty())
}

/// Adds an Ingress to others that are sorted, oldest first.
pub fn insert_by_age(ingresses: &mut SmallVec<[Arc<Accepted>; 1]>, ingress: &Arc<Accepted>) {
    let at = ingresses.partition_point(|other| other.age < ingress.age);
    ingresses.insert(at, ingress.clone());
}
