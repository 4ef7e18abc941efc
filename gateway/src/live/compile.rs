//! Compiles a snapshot, reusing what the one before already compiled.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, cmp::Ordering, collections::HashMap, sync::Arc, time::Instant};

use headgate_config::{
    Action, Host, Location, PathMatch, Settings, Snapshot, TlsTable, Upstream, UpstreamId, Verdict,
    snippet::HostSnippet,
};

use http::HeaderValue;

use super::{
    LiveConfig, LiveSettings,
    error_pages::LiveErrorPages,
    finding::{self, Findings},
    host::{LiveAction, LiveHost, LiveLocation, LiveWhenEmpty, UpstreamRef},
    mirror::LiveMirror,
    protection::{LiveProtection, Shared},
    snippet::{LiveHostSnippet, LiveSnippet},
    streams::StreamCompiler,
    transport::LiveTransport,
};
use crate::{
    client_certificate::{Policy, trust::Trusts},
    filter::{
        cors::Cors, jwt::VerifiedTokens, password::Passwords, redirect::fixed::FixedRedirect,
        response_headers::AnswerHeaders,
    },
    limits,
    listen::tls::{Offer, TlsState},
    observe::{metrics::Metrics, spans::LiveSpans},
    route::{host::HostTable, path::PathTable, rewrite::RewriteProgram},
    upstream::{Registry, keys::KeyStores, resolve::Resolver, tls::client::TlsClients},
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
            registry: Registry::new(resolver),
            limits: limits::Registry::new(&metrics),
            metrics,
            hosts: HashMap::default(),
            table: Arc::new(HostTable::new([])),
            hosts_differ: false,
            found: Vec::new(),
            unused: Vec::new(),
            tls: None,
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
        let mut upstreams = Differences::default();
        for (before, now) in snapshot.upstreams.unshared(&self.last.upstreams) {
            upstreams.add(before, now);
        }
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
        {
            return Arc::clone(state);
        }
        let previous = self.tls.as_ref().map(|(_, _, state)| &**state);
        let state = Arc::new(TlsState::compile(table, previous, &offer));
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

    fn host(&self, host: &Arc<Host>) -> Arc<LiveHost> {
        if let Some(live) = self.hosts.get(&identity(host)) {
            return Arc::clone(live);
        }
        let mut table = PathTable::compile(host);
        let mut findings: Vec<_> =
            table.errors().iter().filter_map(|error| finding::broken_path(host, error)).collect();
        let mut specs = Cow::Borrowed(&host.locations);
        if !table.errors().is_empty() {
            // Left out, its requests would fall to a broader location, which may protect them less.
            let mut fenced = Host::clone(host);
            for error in table.errors() {
                deny(&mut fenced.locations[error.location]);
            }
            table = PathTable::compile(&fenced);
            specs = Cow::Owned(fenced.locations);
        }
        let compile = |spec| Arc::new(self.location(host, spec, &mut findings));
        let locations = specs.iter().map(compile).collect();
        let snippet =
            host.snippet.as_ref().map(|spec| self.host_snippet(host, spec, &mut findings));
        let certificates = host.client_certificates.as_ref().map(|spec| {
            Policy::new(spec, &self.trusts).unwrap_or_else(|problem| {
                findings.extend(finding::unusable_authorities(host, spec, &problem));
                Policy::Refuse
            })
        });
        let findings = findings.into();
        Arc::new(LiveHost::new(
            host,
            table,
            locations,
            certificates,
            snippet,
            findings,
            &self.metrics,
        ))
    }

    fn host_snippet(
        &self,
        host: &Host,
        spec: &Arc<HostSnippet>,
        findings: &mut Vec<Verdict>,
    ) -> Box<LiveHostSnippet> {
        let compile = |spec: &Arc<Location>| Arc::new(self.location(host, spec, findings));
        let snippet = LiveHostSnippet::new(spec, compile);
        if let Some(error) = &snippet.error {
            findings.extend(finding::broken_snippet(host, host.origin.as_ref(), error));
        }
        snippet
    }

    fn location(
        &self,
        host: &Host,
        spec: &Arc<Location>,
        findings: &mut Vec<Verdict>,
    ) -> LiveLocation {
        let key = self.metrics.location(&spec.origin);
        let mut action = self.action(&spec.action);
        let rewrite = spec.rewrite.as_ref().and_then(|rewrite| {
            let program = RewriteProgram::compile(rewrite);
            if let Err(error) = &program {
                findings.extend(finding::broken_rewrite(host, spec, rewrite, error));
                action = LiveAction::Deny;
            }
            program.ok()
        });
        let snippet = spec.snippet.as_ref().map(LiveSnippet::new).transpose();
        let snippet = snippet.unwrap_or_else(|error| {
            findings.extend(finding::broken_snippet(host, spec.origin.object.as_ref(), &error));
            action = LiveAction::Deny;
            None
        });
        let fixed_host = spec
            .upstream_host
            .as_ref()
            .filter(|host| !host.contains('$'))
            .and_then(|host| HeaderValue::from_str(host).ok());
        let protection = spec.protection.as_ref().and_then(|protection| {
            let find = |id: &UpstreamId| self.upstream(id);
            let shared = Shared {
                limits: &self.limits,
                passwords: &self.passwords,
                keys: &self.keys,
                tokens: &self.tokens,
            };
            LiveProtection::new(protection, &host.name, spec, find, shared)
        });
        let protection = protection.map(Box::new);
        let headers = spec.headers.as_ref().map(|rules| {
            let unusable = |field, error| {
                findings.extend(finding::unusable_replacement(host, spec, field, &error));
            };
            Box::new(AnswerHeaders::new(rules, unusable))
        });
        let transport = spec.transport.as_ref().and_then(|transport| {
            let live = LiveTransport::new(transport, &self.clients);
            if let Err(problem) = &live {
                findings.extend(finding::unusable_transport(host, spec, problem));
                action = LiveAction::Deny;
            }
            live.ok()
        });
        let find = |id: &UpstreamId| self.upstream(id);
        LiveLocation {
            error_pages: LiveErrorPages::new(spec, &action, find),
            mirror: LiveMirror::new(spec, find),
            spans: LiveSpans::new(host, spec),
            action,
            transport: transport.map(Box::new),
            fixed_redirect: spec.fixed_redirect.as_deref().map(FixedRedirect::new).map(Box::new),
            cors: spec.cors.as_deref().map(Cors::new).map(Box::new),
            rewrite: rewrite.map(Box::new),
            protection,
            snippet,
            headers,
            key,
            fixed_host: fixed_host.map(Box::new),
            spec: Arc::clone(spec),
        }
    }

    fn action(&self, action: &Action) -> LiveAction {
        match action {
            Action::Respond(status) => LiveAction::Respond(*status),
            Action::Health => LiveAction::Health,
            Action::ConnectionStatus => LiveAction::ConnectionStatus,
            Action::Deny => LiveAction::Deny,
            // A snapshot holds every upstream that it mentions; should one be missing its location is denied.
            Action::Forward(forward) => match self.upstream(&forward.upstream) {
                None => LiveAction::Deny,
                Some(upstream) => LiveAction::Forward {
                    upstream,
                    when_empty: LiveWhenEmpty::new(&forward.when_empty, |id| self.upstream(id)),
                },
            },
        }
    }

    fn upstream(&self, id: &UpstreamId) -> Option<UpstreamRef> {
        self.registry.find(id).map(Arc::clone)
    }
}

/// Replaces a pattern that cannot be used by the plain text that it begins with, and denies what has that.
fn deny(location: &mut Arc<Location>) {
    if let PathMatch::Pattern(pattern) = &location.matcher {
        let plain =
            |c: &char| c.is_alphanumeric() || matches!(c, '/' | '-' | '_' | '%' | '~' | ' ');
        let mut text: String = pattern.chars().take_while(plain).collect();
        if pattern.contains('|') {
            // Nobody knows which of the alternatives is meant by it.
            text.clear();
        } else if text.len() < pattern.len() {
            // What is behind it may make the last character optional, or one of several.
            text.pop();
        }
        let matcher = PathMatch::Pattern(if text.is_empty() { "/".into() } else { text });
        *location = Arc::new(Location {
            matcher,
            action: Action::Deny,
            rewrite: None,
            ..Location::clone(location)
        });
    }
}

/// Two hosts are the same if they are one object; the last snapshot keeps the addresses from being used again.
fn identity(host: &Arc<Host>) -> usize {
    Arc::as_ptr(host).addr()
}

/// How the upstreams of one snapshot differ from those of the one before.
#[derive(Debug, Default)]
struct Differences<'a> {
    /// New ones, and others than before.
    fresh: Vec<&'a Arc<Upstream>>,
    /// Those that there are no more.
    gone: Vec<&'a Arc<Upstream>>,
}

impl<'a> Differences<'a> {
    /// Adds how one list differs from the other, both sorted by identity. Looks into those only that are not the same
    /// object in both.
    fn add(&mut self, before: &'a [Arc<Upstream>], now: &'a [Arc<Upstream>]) {
        let mut before = before.iter().peekable();
        for upstream in now {
            let mut is_same = false;
            while let Some(old) = before.peek() {
                is_same = Arc::ptr_eq(old, upstream);
                let order = if is_same { Ordering::Equal } else { old.id.cmp(&upstream.id) };
                match order {
                    Ordering::Less => self.gone.push(old),
                    Ordering::Equal => {}
                    Ordering::Greater => break,
                }
                before.next();
                if order == Ordering::Equal {
                    break;
                }
            }
            if !is_same {
                self.fresh.push(upstream);
            }
        }
        self.gone.extend(before);
    }
}
