//! Spans of requests, sent to a collector over OTLP (annotations §3.21).
//!
//! A worker writes the span of a finished request, if it is recorded, into a buffer of its own in the form in which it is
//! sent, and hands the buffer over when it is full and every half second. A task beside the workers makes batches of that
//! and sends them. No request waits for any of it: as many spans wait as are allowed to, others are lost and counted. The
//! task is started when there is a collector for the first time.

mod batch;
mod call;
mod context;
mod export;
mod name;
mod proto;
mod record;
mod span;
mod trace_state;

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};

use headgate_config::Collector;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use self::{
    batch::Chunk,
    export::{Exporter, Orders},
};
pub(crate) use self::{context::Parent, name::LiveSpans, record::Record, span::Span};
use super::metrics::{Exposition, Kind, Metrics};
use crate::upstream::resolve::Resolver;

/// Spans after which a worker hands its buffer over.
const HAND_OVER: usize = 64;
/// … and bytes.
const HAND_OVER_BYTES: usize = 64 * 1024;
/// Bytes that a span may have on the average while it waits. Clients choose how large theirs are, and most are much smaller.
const BYTES_EACH: usize = 4 * 1024;

/// The way of spans from the workers to the collector. It outlives tables.
pub(crate) struct Spans {
    shared: Arc<Shared>,
    orders: watch::Sender<Orders>,
    resolver: Resolver,
    task: Mutex<Task>,
}

/// The task that sends.
enum Task {
    /// There never was a collector.
    Unneeded(mpsc::UnboundedReceiver<Chunk>),
    /// It ends when this is told.
    Started(Receiver<()>),
}

/// What workers and the task share.
struct Shared {
    chunks: mpsc::UnboundedSender<Chunk>,
    /// Spans that may wait; none while there is no collector.
    room: AtomicUsize,
    /// Spans that wait, wherever.
    waiting: AtomicUsize,
    /// Their bytes.
    waiting_bytes: AtomicUsize,
    /// There was a collector once.
    is_shown: AtomicBool,
    exported: AtomicU64,
    lost: Lost,
}

/// Spans that no collector has got.
#[derive(Default)]
struct Lost {
    /// Too many were waiting.
    queue: AtomicU64,
    /// The collector did not answer for too long.
    delivery: AtomicU64,
    /// The collector did not want them.
    rejected: AtomicU64,
}

impl Spans {
    /// Nothing is sent yet. The collector's name is looked up, and spans are sent, where `resolver` does its work.
    pub fn new(resolver: Resolver, metrics: &Metrics) -> Self {
        let (chunks, arriving) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(chunks));
        let shown = Arc::clone(&shared);
        metrics.add_source(move |text| shown.write_metrics(text));
        let orders = watch::Sender::new(Orders::default());
        Self { shared, orders, resolver, task: Mutex::new(Task::Unneeded(arriving)) }
    }

    /// Sends to this collector from now on. Nothing happens if it is the same as before.
    pub fn send_to(&self, collector: Option<&Arc<Collector>>) {
        let is_same = |orders: &Orders| orders.collector.as_ref() == collector;
        if is_same(&self.orders.borrow()) {
            return;
        }
        self.shared.room.store(collector.map_or(0, |collector| collector.queue), Relaxed);
        self.orders.send_modify(|orders| orders.collector = collector.cloned());
        self.shared.is_shown.store(true, Relaxed);
        let mut task = self.task.lock();
        let (done, ended) = sync_channel(1);
        match std::mem::replace(&mut *task, Task::Started(ended)) {
            Task::Unneeded(arriving) => {
                let (orders, resolver) = (self.orders.subscribe(), self.resolver.clone());
                let shared = Arc::clone(&self.shared);
                let exporter = Exporter::new(shared, arriving, orders, resolver, done);
                self.resolver.spawn(exporter.run());
            }
            started => *task = started,
        }
    }

    /// One worker's side.
    pub fn worker(&self) -> WorkerSpans {
        WorkerSpans { shared: Arc::clone(&self.shared), buffer: RefCell::default() }
    }

    /// Sends what workers have handed over, for so long at most, and ends. Blocks the thread.
    pub fn close(&self, limit: Duration) {
        let Task::Started(ended) = &*self.task.lock() else { return };
        self.orders.send_modify(|orders| orders.close_by = Some(Instant::now() + limit));
        // What could not be sent has been said and counted.
        let _ = ended.recv_timeout(limit);
    }
}

/// One worker's side of the way to the collector.
pub(crate) struct WorkerSpans {
    shared: Arc<Shared>,
    buffer: RefCell<Buffer>,
}

#[derive(Default)]
struct Buffer {
    chunk: Chunk,
    /// For one span at a time.
    message: Vec<u8>,
}

impl WorkerSpans {
    /// Whether anybody gets spans.
    pub fn are_wanted(&self) -> bool {
        self.shared.room.load(Relaxed) > 0
    }

    /// Records a request, or counts that there is no room for it.
    pub fn record(&self, record: &Record<'_>) {
        let room = self.shared.room.load(Relaxed);
        if self.shared.waiting.fetch_add(1, Relaxed) >= room {
            return self.shared.lose(&self.shared.lost.queue, 1, 0);
        }
        let mut buffer = self.buffer.borrow_mut();
        let Buffer { chunk, message } = &mut *buffer;
        message.clear();
        record.write(message);
        let bytes = Chunk::bytes_of(message);
        // One always fits, however large.
        let waiting = self.shared.waiting_bytes.fetch_add(bytes, Relaxed);
        if waiting >= room.saturating_mul(BYTES_EACH) {
            return self.shared.lose(&self.shared.lost.queue, 1, bytes);
        }
        chunk.push(message);
        if chunk.spans() >= HAND_OVER || chunk.bytes() >= HAND_OVER_BYTES {
            self.hand_over(chunk);
        }
    }

    /// Hands over what is buffered. To be called about every second, and before the worker ends.
    pub fn flush(&self) {
        let chunk = &mut self.buffer.borrow_mut().chunk;
        if chunk.spans() > 0 {
            self.hand_over(chunk);
        }
    }

    fn hand_over(&self, chunk: &mut Chunk) {
        let chunk = std::mem::take(chunk);
        let (spans, bytes) = (chunk.spans(), chunk.bytes());
        if self.shared.chunks.send(chunk).is_err() {
            self.shared.lose(&self.shared.lost.delivery, spans, bytes);
        }
    }
}

impl Drop for WorkerSpans {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Shared {
    /// Nothing waits, and there is no room yet.
    fn new(chunks: mpsc::UnboundedSender<Chunk>) -> Self {
        Self {
            chunks,
            room: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            is_shown: AtomicBool::new(false),
            exported: AtomicU64::new(0),
            lost: Lost::default(),
        }
    }

    /// Counts spans that waited, with so many bytes, and are lost.
    fn lose(&self, counter: &AtomicU64, spans: usize, bytes: usize) {
        self.waiting.fetch_sub(spans, Relaxed);
        self.waiting_bytes.fetch_sub(bytes, Relaxed);
        counter.fetch_add(spans as u64, Relaxed);
    }

    /// Counts spans that waited, with so many bytes, and have arrived, `rejected` of which were not wanted.
    fn arrived(&self, spans: usize, bytes: usize, rejected: u64) {
        self.waiting.fetch_sub(spans, Relaxed);
        self.waiting_bytes.fetch_sub(bytes, Relaxed);
        let rejected = rejected.min(spans as u64);
        self.lost.rejected.fetch_add(rejected, Relaxed);
        self.exported.fetch_add(spans as u64 - rejected, Relaxed);
    }

    fn write_metrics(&self, text: &mut Exposition) {
        if !self.is_shown.load(Relaxed) {
            return;
        }
        let name = "headgate_spans_exported_total";
        text.family(name, Kind::Counter, "Spans that the collector has taken");
        text.sample(name, &[], self.exported.load(Relaxed));
        let name = "headgate_spans_lost_total";
        text.family(name, Kind::Counter, "Spans that no collector has got");
        let Lost { queue, delivery, rejected } = &self.lost;
        for (reason, counter) in [("delivery", delivery), ("queue", queue), ("rejected", rejected)]
        {
            text.sample(name, &[("reason", reason)], counter.load(Relaxed));
        }
        let name = "headgate_spans_waiting";
        text.family(name, Kind::Gauge, "Spans that wait to be sent");
        text.sample(name, &[], self.waiting.load(Relaxed) as u64);
    }
}

#[cfg(test)]
mod tests;
