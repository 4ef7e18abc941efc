//! Compiles a snapshot, reusing what the one before already compiled.

mod differences;
mod host;
mod location;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Instant};

use headgate_config::{Host, Settings, Snapshot, TlsTable, UpstreamId, Verdict};

use self::differences::Differences;
use super::{
    LiveConfig, LiveSettings,
    finding::{self, Findings},
    host::LiveHost,
    streams::StreamCompiler,
};
use crate::{
    client_certificate::trust::Trusts,
    filter::{jwt::VerifiedTokens, password::Passwords},
    limits,
    listen::tls::{Offer, TlsState},
    observe::metrics::Metrics,
    ocsp::Stapler,
    route::host::HostTable,
    upstream::{
        Registry,
        keys::{KeyStates, KeyStores},
        resolve::Resolver,
        tls::client::TlsClients,
    },
};

/// Hosts below this number are compiled on the calling thread.
const PARALLEL_FROM: usize = 256;

/// Compiles snapshots, one after the other.
pub(super) struct Compiler {
    registry: Registry,
    limits: limits::Registry,
    metrics: Arc<Metrics>,
    /// The hosts of the last snapshot by their identity (the address of the `Arc`'s content).
    hosts: HashMap<usize, Arc<LiveHost>, foldhash::fast::FixedState>,
    /// Their table.
    table: Arc<HostTable<Arc<LiveHost>>>,
    /// Whether handshakes with them are not all alike.
    hosts_differ: bool,
    /// What is forwarded below HTTP.
    pub(super) streams: StreamCompiler,
    /// What is wrong with them.
    found: Vec<Verdict>,
    /// Upstreams of the snapshot before that the live one does not mention.
    unused: Vec<UpstreamId>,
    tls: Option<(Arc<TlsTable>, Offer, Arc<TlsState>)>,
    resolver: Resolver,
    /// Asks about certificates, as long as that is wanted.
    stapler: Option<Stapler>,
    settings: Option<Arc<LiveSettings>>,
    findings: Findings,
    /// What is shared by locations that ask for passwords.
    passwords: Arc<Passwords>,
    /// … and by those that ask for tokens.
    keys: KeyStores,
    tokens: Arc<VerifiedTokens>,
    /// … and by hosts that ask for certificates of the same authorities.
    trusts: Trusts,
    /// … and by locations whose upstreams are spoken to over TLS in the same way.
    clients: TlsClients,
    /// The snapshot that is live; holds the identities that `hosts` is keyed by. Its upstreams are those of `registry`.
    last: Arc<Snapshot>,
}

impl Compiler {
    pub(super) fn new(resolver: Resolver, metrics: Arc<Metrics>) -> Self {
        Self {
            keys: KeyStores::new(resolver.clone(), Arc::clone(&metrics)),
            tokens: Arc::default(),
            streams: StreamCompiler::new(&resolver),
            registry: Registry::new(resolver.clone()),
            limits: limits::Registry::new(&metrics),
            metrics,
            hosts: HashMap::default(),
            table: Arc::new(HostTable::new([])),
            hosts_differ: false,
            found: Vec::new(),
            unused: Vec::new(),
            tls: None,
            resolver,
            stapler: None,
            settings: None,
            findings: Findings::default(),
            passwords: Arc::default(),
            trusts: Trusts::default(),
            clients: TlsClients::default(),
            last: Arc::default(),
        }
    }

    /// Compiles a snapshot. What is found to be wrong with it meanwhile joins its verdicts.
    pub(super) fn compile(&mut self, mut snapshot: Snapshot, revision: u64) -> LiveConfig {
        let upstreams = Differences::between(&self.last.upstreams, &snapshot.upstreams);
        for upstream in &upstreams.fresh {
            self.registry.upsert(upstream);
        }
        for upstream in &upstreams.fresh {
            self.registry.bind(&upstream.id, &self.metrics);
        }
        self.unused = upstreams.gone.into_iter().map(|upstream| upstream.id.clone()).collect();
        let settings = self.settings(&snapshot.settings);
        if let Some(store) = &settings.spec.limit_store {
            self.limits.set_store(Some(store));
        }
        let tls = self.tls(&snapshot.tls, &settings.spec);
        // A change of endpoints, the most frequent one, is none of the hosts.
        let is_same = Arc::ptr_eq(&self.last.hosts, &snapshot.hosts)
            || self.last.hosts.iter().map(identity).eq(snapshot.hosts.iter().map(identity));
        if !is_same {
            self.replace_hosts(&snapshot.hosts);
        }
        let mut found = self.found.clone();
        found.extend(finding::broken_blocks(&settings));
        let streams = self.streams.compile(&snapshot.streams);
        found.extend_from_slice(self.streams.found());
        self.findings.report(&mut snapshot, found);
        let snapshot = Arc::new(snapshot);
        self.last = Arc::clone(&snapshot);
        let hosts_differ = self.hosts_differ || settings.spec.tls.rejects_unknown_names;
        let hosts = Arc::clone(&self.table);
        LiveConfig { hosts, tls, hosts_differ, streams, settings, snapshot, revision }
    }

    /// Whom to ask about the state of keys of tokens.
    pub(super) fn key_states(&self) -> KeyStates {
        self.keys.states()
    }

    /// Forgets upstreams that the live snapshot does not mention.
    pub(super) fn forget_unused(&mut self) {
        for id in self.unused.drain(..) {
            self.registry.forget(&id);
        }
    }

    /// Forgets a store of shared limits that the live snapshot does not name. Until then the table before it asks that store,
    /// or does what it says is to be done without it.
    pub(super) fn forget_store(&self) {
        let settings = self.settings.as_ref();
        if settings.is_some_and(|settings| settings.spec.limit_store.is_none()) {
            self.limits.set_store(None);
        }
    }

    /// Forgets counters of limits that no location has used for a while.
    pub(super) fn forget_limits(&self) {
        self.limits.forget_unused(Instant::now());
    }

    fn replace_hosts(&mut self, hosts: &[Arc<Host>]) {
        let live = self.hosts(hosts);
        let table = HostTable::new(hosts.iter().map(|host| &**host).zip(live.iter().cloned()));
        let aliases = table.errors().iter();
        let aliases = aliases.filter_map(|error| finding::broken_alias(hosts, error));
        self.found = live.iter().flat_map(|host| &host.findings).cloned().chain(aliases).collect();
        let asks = |host: &Arc<LiveHost>| host.client_certificates.as_ref()?.asks().map(drop);
        let differs = |host: &Arc<LiveHost>| host.spec.ciphers.is_some() || asks(host).is_some();
        self.hosts_differ = live.iter().any(differs);
        self.hosts = hosts.iter().map(identity).zip(live).collect();
        self.table = Arc::new(table);
    }

    fn settings(&mut self, spec: &Arc<Settings>) -> Arc<LiveSettings> {
        match &self.settings {
            Some(settings) if settings.spec == *spec => Arc::clone(settings),
            before => {
                let settings = Arc::new(LiveSettings::new(spec, before.as_deref()));
                Arc::clone(self.settings.insert(settings))
            }
        }
    }

    fn tls(&mut self, table: &Arc<TlsTable>, settings: &Settings) -> Arc<TlsState> {
        let offer = Offer::of(settings);
        if let Some((old, old_offer, state)) = &self.tls
            && Arc::ptr_eq(old, table)
            && *old_offer == offer
            && state.is_stapled() == settings.ocsp
        {
            return Arc::clone(state);
        }
        let previous = self.tls.as_ref().map(|(_, _, state)| &**state);
        match settings.ocsp {
            true => drop(self.stapler.get_or_insert_with(|| Stapler::new(&self.resolver))),
            false => self.stapler = None,
        }
        let stapler = self.stapler.as_ref();
        let state = Arc::new(TlsState::compile(table, previous, &offer, stapler));
        self.tls = Some((Arc::clone(table), offer, Arc::clone(&state)));
        state
    }

    /// The compiled form of each host, in order. Only new ones are compiled.
    fn hosts(&self, hosts: &[Arc<Host>]) -> Vec<Arc<LiveHost>> {
        let fresh = hosts.iter().filter(|host| !self.hosts.contains_key(&identity(host))).count();
        if fresh < PARALLEL_FROM {
            return hosts.iter().map(|host| self.host(host)).collect();
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = hosts.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let parts: Vec<_> = hosts
                .chunks(share)
                .map(|part| {
                    scope.spawn(|| part.iter().map(|host| self.host(host)).collect::<Vec<_>>())
                })
                .collect();
            parts
                .into_iter()
                .flat_map(|part| part.join().expect("compiling a host does not panic"))
                .collect()
        })
    }
}

/// Two hosts are the same if they are one object; the last snapshot keeps the addresses from being used again.
fn identity(host: &Arc<Host>) -> usize {
    Arc::as_ptr(host).addr()
}
