//! Hosts that only lead from a name with `www.` to the one without, or back (`from-to-www-redirect`; annotations §3.3,
//! routing §2.7).

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use headgate_config::{Effect, Host, HostPattern, ObjectRef, PathMode, Verdict};

use super::ingress::{Accepted, DEFAULT_HOST};

/// The counterparts of all hosts that ask for one.
#[derive(Debug, Default)]
pub struct Counterparts {
    /// Hosts that ask for one, with the Ingress that does.
    wanted: BTreeMap<String, ObjectRef>,
    /// Those that there are, by their own names.
    hosts: BTreeMap<String, Arc<Host>>,
    /// About those that there cannot be.
    verdicts: Vec<Verdict>,
    verdicts_changed: bool,
}

impl Counterparts {
    /// Notes whether a host, which these Ingresses have a say in, asks for one.
    pub fn ask(&mut self, host: &str, asks: bool, ingresses: &[Arc<Accepted>]) {
        let mut asking = ingresses.iter().filter(|ingress| ingress.annotations.www_redirect);
        match asking.next().filter(|_| asks) {
            Some(ingress) => drop(self.wanted.insert(host.to_owned(), ingress.reference())),
            None => drop(self.wanted.remove(host)),
        }
    }

    /// Whether the findings are other than when this was asked last.
    pub fn take_verdicts_changed(&mut self) -> bool {
        std::mem::take(&mut self.verdicts_changed)
    }

    /// Finds out again which there are. Returns the hosts whose counterpart has come or gone.
    pub fn refresh(&mut self, is_real: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut hosts = BTreeMap::new();
        let verdicts_before = std::mem::take(&mut self.verdicts);
        for (to, ingress) in &self.wanted {
            let name = counterpart(to);
            let problem = if !is_plain(to) {
                format!("host {to:?} is no single name with or without www.; remove the annotation")
            } else if is_real(&name) {
                format!(
                    "host {name:?} has rules of its own, so that it is not redirected to {to:?}; remove them, or the annotation"
                )
            } else {
                match hosts.entry(name) {
                    Entry::Vacant(free) => {
                        let host = self.host(free.key(), to, ingress);
                        free.insert(host);
                        continue;
                    }
                    Entry::Occupied(taken) => {
                        format!(
                            "host {:?} is redirected to another one already, and not to {to:?}; remove the annotation",
                            taken.key()
                        )
                    }
                }
            };
            self.verdicts.push(Verdict {
                object: ingress.clone(),
                effect: Effect::Warning,
                reason: "RedirectSkipped".into(),
                message: format!("from-to-www-redirect: {problem}"),
            });
        }
        self.verdicts_changed |= verdicts_before != self.verdicts;
        let target = |host: &Arc<Host>| host.redirect_to.clone();
        let changed = |(name, host): (&String, &Arc<Host>), others: &BTreeMap<_, Arc<Host>>| {
            let same = others.get(name).is_some_and(|other| Arc::ptr_eq(other, host));
            if same { None } else { target(host) }
        };
        let gone = self.hosts.iter().filter_map(|host| changed(host, &hosts));
        let come = hosts.iter().filter_map(|host| changed(host, &self.hosts));
        let names = gone.chain(come).collect();
        self.hosts = hosts;
        names
    }

    /// The redirecting host; the same object as before if nothing about it is other.
    fn host(&self, name: &str, to: &str, ingress: &ObjectRef) -> Arc<Host> {
        let host = Host {
            name: name.to_owned(),
            pattern: HostPattern::Exact(name.to_owned()),
            aliases: Vec::new(),
            alias_origin: None,
            mode: PathMode::Literal,
            locations: Vec::new(),
            app_root: None,
            redirect_to: Some(to.to_owned()),
            ciphers: None,
            client_certificates: None,
            snippet: None,
            origin: Some(ingress.clone()),
        };
        match self.hosts.get(name) {
            Some(before) if **before == host => Arc::clone(before),
            _ => Arc::new(host),
        }
    }

    /// Whether a name leads to another host.
    pub fn contains(&self, name: &str) -> bool {
        self.hosts.contains_key(name)
    }

    /// The name that leads to a host, if one does.
    pub fn of(&self, host: &str) -> Option<&str> {
        let found = self.hosts.get(&counterpart(host))?;
        (found.redirect_to.as_deref() == Some(host)).then_some(&*found.name)
    }

    /// The redirecting hosts in the order of their names.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values()
    }

    /// Findings about those that there cannot be.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }
}

/// The same name with or without `www.`.
fn counterpart(name: &str) -> String {
    name.strip_prefix("www.").map_or_else(|| format!("www.{name}"), str::to_owned)
}

/// Whether a host stands for one name.
fn is_plain(host: &str) -> bool {
    host != DEFAULT_HOST && !host.contains('*')
}
