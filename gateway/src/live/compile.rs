//! Compiles a snapshot, reusing what the one before already compiled.

use std::{collections::HashMap, sync::Arc};

use headgate_config::{
    Action, Host, Location, PathMatch, Settings, Snapshot, TlsTable, UpstreamId,
};

use http::HeaderValue;

use super::{
    LiveConfig, LiveSettings,
    host::{LiveAction, LiveHost, LiveLocation, LiveWhenEmpty, UpstreamRef},
};
use crate::{
    listen::tls::TlsState,
    observe::metrics::Metrics,
    route::{host::HostTable, path::PathTable, rewrite::RewriteProgram},
    upstream::{Registry, resolve::Resolver},
};

/// Hosts below this number are compiled on the calling thread.
const PARALLEL_FROM: usize = 256;

/// Compiles snapshots, one after the other.
pub(super) struct Compiler {
    registry: Registry,
    metrics: Arc<Metrics>,
    /// The hosts of the last snapshot by their identity (the address of the `Arc`'s content).
    hosts: HashMap<usize, Arc<LiveHost>, foldhash::fast::FixedState>,
    tls: Option<(Arc<TlsTable>, bool, Arc<TlsState>)>,
    settings: Option<Arc<LiveSettings>>,
    /// The snapshot that is live; holds the identities that `hosts` is keyed by.
    last: Arc<Snapshot>,
}

impl Compiler {
    pub(super) fn new(resolver: Resolver, metrics: Arc<Metrics>) -> Self {
        Self {
            registry: Registry::new(resolver),
            metrics,
            hosts: HashMap::default(),
            tls: None,
            settings: None,
            last: Arc::default(),
        }
    }

    pub(super) fn compile(&mut self, snapshot: Arc<Snapshot>, revision: u64) -> LiveConfig {
        for upstream in snapshot.upstreams.values() {
            self.registry.upsert(upstream);
        }
        let settings = self.settings(&snapshot.settings);
        let tls = self.tls(&snapshot.tls, settings.spec.http2);
        let live = self.hosts(&snapshot.hosts);
        let hosts = HostTable::new(
            snapshot.hosts.iter().map(|host| &**host).zip(live.iter().map(Arc::clone)),
        );
        self.hosts = snapshot.hosts.iter().map(identity).zip(live).collect();
        self.last = Arc::clone(&snapshot);
        LiveConfig { hosts, tls, settings, snapshot, revision }
    }

    /// Forgets upstreams that the live snapshot does not mention.
    pub(super) fn forget_unused(&mut self) {
        let wanted = &self.last.upstreams;
        self.registry.retain(|id| wanted.contains_key(id));
    }

    fn settings(&mut self, spec: &Arc<Settings>) -> Arc<LiveSettings> {
        match &self.settings {
            Some(settings) if settings.spec == *spec => Arc::clone(settings),
            _ => Arc::clone(self.settings.insert(Arc::new(LiveSettings::new(spec)))),
        }
    }

    fn tls(&mut self, table: &Arc<TlsTable>, http2: bool) -> Arc<TlsState> {
        if let Some((old, old_http2, state)) = &self.tls
            && Arc::ptr_eq(old, table)
            && *old_http2 == http2
        {
            return Arc::clone(state);
        }
        let previous = self.tls.as_ref().map(|(_, _, state)| &**state);
        let state = Arc::new(TlsState::compile(table, previous, http2));
        self.tls = Some((Arc::clone(table), http2, Arc::clone(&state)));
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
        let mut locations: Vec<_> =
            host.locations.iter().map(|spec| Arc::new(self.location(spec))).collect();
        let mut table = PathTable::compile(host);
        let broken: Vec<_> = table.errors().iter().map(|error| error.location).collect();
        for error in table.errors() {
            tracing::warn!(host = host.name, %error, "path is no valid pattern: what begins like it is denied");
        }
        if !broken.is_empty() {
            // Left out, its requests would fall to a broader location, which may protect them less.
            let mut fenced = Host::clone(host);
            for index in broken {
                fence(&mut fenced.locations[index]);
                let mut denied = self.location(&fenced.locations[index]);
                denied.action = LiveAction::Deny;
                locations[index] = Arc::new(denied);
            }
            table = PathTable::compile(&fenced);
        }
        Arc::new(LiveHost::new(host, table, locations, &self.metrics))
    }

    fn location(&self, spec: &Arc<Location>) -> LiveLocation {
        let origin = &spec.origin;
        let key = self.metrics.location(origin);
        let mut action = self.action(&spec.action);
        let rewrite = spec.rewrite.as_ref().and_then(|rewrite| match RewriteProgram::compile(rewrite) {
            Ok(program) => Some(program),
            Err(error) => {
                tracing::warn!(path = origin.path, %error, "rewrite cannot be honoured: its location is denied");
                action = LiveAction::Deny;
                None
            }
        });
        let fixed_host = spec
            .upstream_host
            .as_ref()
            .filter(|host| !host.contains('$'))
            .and_then(|host| HeaderValue::from_str(host).ok());
        LiveLocation { action, rewrite, key, fixed_host, spec: Arc::clone(spec) }
    }

    fn action(&self, action: &Action) -> LiveAction {
        match action {
            Action::Respond(status) => LiveAction::Respond(*status),
            Action::Health => LiveAction::Health,
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

/// Replaces a pattern that cannot be used by the plain text that it begins with.
fn fence(location: &mut Arc<Location>) {
    if let PathMatch::Pattern(pattern) = &location.matcher {
        let plain =
            |c: &char| c.is_alphanumeric() || matches!(c, '/' | '-' | '_' | '%' | '~' | ' ');
        let mut text: String = pattern.chars().take_while(plain).collect();
        // What is behind it may make the last character optional, or one of several.
        if text.len() < pattern.len() {
            text.pop();
        }
        let matcher = PathMatch::Pattern(if text.is_empty() { "/".into() } else { text });
        *location = Arc::new(Location { matcher, rewrite: None, ..Location::clone(location) });
    }
}

/// Two hosts are the same if they are one object; the last snapshot keeps the addresses from being used again.
fn identity(host: &Arc<Host>) -> usize {
    Arc::as_ptr(host).addr()
}
