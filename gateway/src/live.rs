//! The live configuration: a [`Snapshot`] compiled into what requests are executed against, and the only place where
//! it is swapped.
//!
//! A [`LiveConfig`] is immutable. A request takes one and keeps it to its end; an old one goes when its last request
//! has. What did not change between two snapshots, by `Arc` identity, is not compiled again. State that must outlive
//! a swap (connections, balancing positions, counters) lives elsewhere and is found by identity.

mod compile;
mod condition;
mod error_pages;
mod finding;
mod host;
mod mirror;
pub mod orphans;
mod protection;
mod settings;
mod snippet;
mod stream_log;
mod streams;
mod transport;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use headgate_config::Snapshot;
use parking_lot::Mutex;

use self::compile::Compiler;
pub(crate) use self::{
    error_pages::LiveErrorPages,
    host::{LiveAction, LiveHost, LiveLocation, LiveWhenEmpty, UpstreamRef},
    mirror::LiveMirror,
    protection::{Check, LiveExternal, LiveProtection, LiveToken},
    settings::{ListenerSettings, LiveSettings},
    snippet::Rival,
    stream_log::{LogFile, StreamLog},
    streams::{LiveService, LiveStreams},
    transport::Approach,
};
use crate::{
    filter::external::cache::Answers,
    listen::tls::TlsState,
    observe::{metrics::Metrics, spans::Spans},
    route::{host::HostTable, name::routing_host},
    upstream::{keys::KeyStates, names::Names, resolve::Resolver},
};

/// How often ports that could not be bound are tried.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Everything that a request is executed against.
pub struct LiveConfig {
    /// Which host a request belongs to. The same object as before if no host changed.
    pub hosts: Arc<HostTable<Arc<LiveHost>>>,
    /// Certificates by server name.
    pub tls: Arc<TlsState>,
    /// Whether it depends on the host that a client names how a handshake is made.
    pub(crate) hosts_differ: bool,
    /// What is forwarded below HTTP.
    pub(crate) streams: Arc<LiveStreams>,
    /// Settings for all hosts.
    pub(crate) settings: Arc<LiveSettings>,
    /// What it was compiled from; its verdicts include those of the compiler.
    pub snapshot: Arc<Snapshot>,
    /// Counts publications.
    pub revision: u64,
}

impl LiveConfig {
    /// The host that a TLS handshake is about, as its requests would find it.
    pub(crate) fn host_of(&self, server_name: Option<&str>) -> Option<&Arc<LiveHost>> {
        match server_name.and_then(|name| routing_host(name.as_bytes()).ok()) {
            Some(name) => self.hosts.find(name.as_bytes()),
            None => self.hosts.default_host(),
        }
    }
}

/// Where the current configuration is published and read.
pub struct Live {
    current: ArcSwap<LiveConfig>,
    revision: AtomicU64,
    publisher: Mutex<Publisher>,
    asking: Asking,
    /// The state of keys of tokens.
    keys: KeyStates,
    spans: Spans,
}

/// What all workers share about services that are asked. It outlives tables.
#[derive(Clone)]
pub(crate) struct Asking {
    /// Their answers.
    pub answers: Arc<Answers>,
    /// Addresses of their names.
    pub names: Arc<Names>,
}

struct Publisher {
    compiler: Compiler,
    /// The snapshot that is live, as it came.
    source: Option<Snapshot>,
    /// When ports that could not be bound are tried again.
    next_try: Instant,
    /// Configurations that requests may still use. They are dropped here, not on a worker: taking apart a large table
    /// would hold up its requests.
    retired: Vec<Arc<LiveConfig>>,
}

impl Live {
    /// An empty configuration: every host is unknown. `https_port` is named in redirects that name a port.
    pub fn new(resolver: Resolver, metrics: Arc<Metrics>) -> Self {
        let asking =
            Asking { answers: Arc::default(), names: Arc::new(Names::new(resolver.clone())) };
        let spans = Spans::new(resolver.clone(), &metrics);
        let mut compiler = Compiler::new(resolver, metrics);
        let first = compiler.compile(Snapshot::default(), 0);
        let keys = compiler.key_states();
        Self {
            current: ArcSwap::from_pointee(first),
            revision: AtomicU64::new(0),
            publisher: Mutex::new(Publisher {
                compiler,
                source: None,
                next_try: Instant::now(),
                retired: Vec::new(),
            }),
            asking,
            keys,
            spans,
        }
    }

    /// The way of spans to their collector.
    pub(crate) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// What all workers share about services that are asked.
    pub(crate) fn asking(&self) -> &Asking {
        &self.asking
    }

    /// Compiles a snapshot and makes it live. Requests that are on their way keep what they have.
    pub fn publish(&self, snapshot: Snapshot) {
        self.make_live(&mut self.publisher.lock(), snapshot);
    }

    /// Says where the ports of TCP and UDP services are to be, and how many workers there are to serve them. Opens those
    /// that are published already.
    pub(crate) fn serve_on(&self, address: IpAddr, workers: usize) {
        let mut publisher = self.publisher.lock();
        publisher.compiler.streams.set_place(address, workers);
        if let Some(snapshot) = publisher.source.clone() {
            self.make_live(&mut publisher, snapshot);
        }
    }

    fn make_live(&self, publisher: &mut Publisher, snapshot: Snapshot) {
        publisher.source = Some(snapshot.clone());
        let (revision, begun) = (self.revision() + 1, Instant::now());
        let next = publisher.compiler.compile(snapshot, revision);
        self.spans.send_to(next.settings.spec.spans.collector.as_ref());
        let old = self.current.swap(Arc::new(next));
        self.revision.store(revision, Ordering::Release);
        publisher.compiler.forget_unused();
        publisher.compiler.forget_store();
        publisher.retired.push(old);
        publisher.retired.retain(|config| Arc::strong_count(config) > 1);
        let (took, in_use) = (begun.elapsed(), publisher.retired.len());
        tracing::debug!(revision, ?took, replaced_and_in_use = in_use, "a table is live");
    }

    /// Drops what no request uses any more: old configurations, counters of limits. Tries again to bind ports that could
    /// not be bound. Called from time to time.
    pub fn collect(&self) {
        if let Some(mut publisher) = self.publisher.try_lock() {
            publisher.retired.retain(|config| Arc::strong_count(config) > 1);
            publisher.compiler.forget_limits();
            if publisher.next_try <= Instant::now() && publisher.compiler.streams.has_failed() {
                publisher.next_try = Instant::now() + TRY_AGAIN;
                if let Some(snapshot) = publisher.source.clone() {
                    self.make_live(&mut publisher, snapshot);
                }
            }
        }
    }

    /// Counts publications; 0 before the first.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// The current configuration.
    pub fn load(&self) -> Arc<LiveConfig> {
        self.current.load_full()
    }
}
