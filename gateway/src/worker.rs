//! One worker: a thread with its own listeners, upstream connections, counters and log buffer. Nothing of it is
//! handed to another thread.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use http::HeaderValue;
use tokio_util::task::TaskTracker;

use crate::{
    clock,
    deadline::Deadlines,
    filter::body::Budget,
    live::{Asking, Live, LiveConfig},
    observe::{
        access_log::{StreamRecord, WorkerLog, same},
        metrics::WorkerMetrics,
        request_id::RequestIds,
        spans::WorkerSpans,
    },
    proxy::OnTheirWay,
    upstream::{WorkerUpstreams, origin::Origins},
};

/// A configuration in use: to hold it is a worker's own count, not one that all workers fight over.
#[allow(clippy::redundant_allocation, reason = "the inner count is shared between threads")]
pub type HeldConfig = Rc<Arc<LiveConfig>>;

/// What all requests of a worker share.
pub struct Worker {
    live: Arc<Live>,
    current: RefCell<HeldConfig>,
    revision: Cell<u64>,
    /// Clients are to go elsewhere with their next request.
    is_leaving: Cell<bool>,
    /// The tick at which draining began; 0 before.
    draining_since: Cell<u32>,
    ids: RefCell<RequestIds>,
    /// The HTTPS port that redirects name.
    pub https_port: u16,
    /// Upstreams with their connections.
    pub upstreams: WorkerUpstreams,
    /// Connections to services that are asked.
    pub origins: Origins,
    /// What all workers share about them.
    pub asking: Asking,
    /// Counters.
    pub metrics: Rc<WorkerMetrics>,
    /// The access log's buffer.
    pub log: WorkerLog,
    /// The buffer of spans.
    pub spans: WorkerSpans,
    /// That of streams, where they are logged elsewhere than requests.
    stream_log: WorkerLog,
    /// What is held of request bodies.
    pub held_bodies: Budget,
    /// Time limits of requests.
    pub deadlines: Rc<Deadlines>,
    /// Upgraded connections that are open.
    pub tunnels: TaskTracker,
    /// Copies of requests.
    pub mirrored: OnTheirWay,
}

impl Worker {
    /// A worker of `live`.
    pub fn new(
        live: Arc<Live>,
        ids: RequestIds,
        https_port: u16,
        metrics: WorkerMetrics,
        log: WorkerLog,
    ) -> Self {
        let revision = live.revision();
        let asking = live.asking().clone();
        let spans = live.spans().worker();
        let current = Rc::new(live.load());
        Self {
            live,
            current: RefCell::new(current),
            revision: Cell::new(revision),
            is_leaving: Cell::new(false),
            draining_since: Cell::new(0),
            ids: RefCell::new(ids),
            https_port,
            upstreams: WorkerUpstreams::default(),
            origins: Origins::default(),
            asking,
            metrics: Rc::new(metrics),
            stream_log: log.another(),
            log,
            spans,
            held_bodies: Budget::default(),
            deadlines: Rc::default(),
            tunnels: TaskTracker::new(),
            mirrored: OnTheirWay::default(),
        }
    }

    /// The current configuration. A request calls it once. It is held by the worker's own count.
    pub fn live(&self) -> HeldConfig {
        let revision = self.live.revision();
        if revision != self.revision.get() {
            self.revision.set(revision);
            *self.current.borrow_mut() = Rc::new(self.live.load());
        }
        Rc::clone(&self.current.borrow())
    }

    /// A new request id.
    pub fn request_id(&self) -> HeaderValue {
        self.ids.borrow_mut().generate()
    }

    /// Random numbers for the identities of a span.
    pub fn random_numbers(&self) -> [u64; 3] {
        self.ids.borrow_mut().numbers()
    }

    /// Logs a session of TCP or UDP.
    pub fn log_stream(&self, record: &StreamRecord<'_>) {
        let live = self.live();
        let logs = &live.settings.logs;
        let to = logs.streams.as_ref();
        let log = if same(to, logs.requests.as_ref()) { &self.log } else { &self.stream_log };
        log.write_stream(to, &logs.stream_format, record);
    }

    /// From now on connections that are used end with their next answer, and others stay.
    pub fn leave(&self) {
        self.is_leaving.set(true);
    }

    /// Whether connections end with their next answer.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.get()
    }

    /// From now on every connection ends with its current answer.
    pub fn drain(&self) {
        self.leave();
        self.draining_since.set(clock::tick());
    }

    /// The tick since which connections end with their current answer.
    pub fn draining_since(&self) -> Option<u32> {
        Some(self.draining_since.get()).filter(|since| *since != 0)
    }

    /// Regular work: closes idle upstream connections, lets go of old configurations, writes the log.
    pub fn tick(&self) {
        let live = self.live();
        self.upstreams.sweep(live.settings.spec.upstream_keepalive_timeout);
        self.origins.sweep();
        self.asking.answers.sweep(clock::tick());
        self.metrics.sweep();
        self.log.flush();
        self.spans.flush();
        self.stream_log.flush();
    }
}
