//! The task that sends spans: it waits for a batch, or for the time that spans wait at most, and sends what there is. What a
//! collector does not take now is tried again for a while, and then lost; meanwhile others wait, as many as may.

use std::{
    ops::ControlFlow::{self, Break, Continue},
    sync::{Arc, atomic::Ordering::Relaxed, mpsc::SyncSender},
    time::Duration,
};

use headgate_config::Collector;
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Shared,
    batch::{Batch, Chunk, Queue},
    call::{Channel, Failure, Taken},
};
use crate::upstream::resolve::Resolver;

/// Before the second try of a batch. It doubles with each further one,
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A batch is tried for so long.
const PERSISTENCE: Duration = Duration::from_secs(60);

/// What the task is told.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// Who gets spans.
    pub collector: Option<Arc<Collector>>,
    /// When it has to have ended, if it is to end.
    pub close_by: Option<Instant>,
}

/// The task's state.
pub struct Exporter {
    shared: Arc<Shared>,
    arriving: UnboundedReceiver<Chunk>,
    orders: watch::Receiver<Orders>,
    resolver: Resolver,
    queue: Queue,
    /// When what waits is sent at the latest.
    due: Option<Instant>,
    channel: Option<Channel>,
    log: Log,
    /// Dropped when the task ends, which others wait for.
    _done: SyncSender<()>,
}

impl Exporter {
    pub(super) fn new(
        shared: Arc<Shared>,
        arriving: UnboundedReceiver<Chunk>,
        orders: watch::Receiver<Orders>,
        resolver: Resolver,
        done: SyncSender<()>,
    ) -> Self {
        Self {
            shared,
            arriving,
            orders,
            resolver,
            queue: Queue::default(),
            due: None,
            channel: None,
            log: Log::default(),
            _done: done,
        }
    }

    /// Sends spans until it is told to end.
    pub async fn run(mut self) {
        loop {
            let orders = self.orders.borrow_and_update().clone();
            let Some(collector) = orders.collector else {
                self.take_arrived();
                self.lose_all();
                if orders.close_by.is_some() || self.idle().await.is_break() {
                    return;
                }
                continue;
            };
            if orders.close_by.is_some() {
                return self.finish(&collector).await;
            }
            match self.gather(&collector).await {
                Gathered::Batch => self.send(&collector, collector.batch).await,
                Gathered::All => self.send(&collector, self.queue.spans()).await,
                Gathered::OtherOrders => {}
                Gathered::NobodyLeft => return,
            }
        }
    }

    /// Waits until there is a collector. What arrives meanwhile is from before there was none.
    async fn idle(&mut self) -> ControlFlow<()> {
        self.channel = None;
        tokio::select! {
            changed = self.orders.changed() => if changed.is_ok() { Continue(()) } else { Break(()) },
            Some(chunk) = self.arriving.recv() => {
                self.queue.push(chunk);
                Continue(())
            }
        }
    }

    /// Waits for something to send.
    async fn gather(&mut self, collector: &Collector) -> Gathered {
        loop {
            self.take_arrived();
            if self.queue.spans() >= collector.batch {
                return Gathered::Batch;
            }
            if self.queue.spans() > 0 {
                self.due.get_or_insert_with(|| Instant::now() + collector.delay);
            }
            let due = self.due;
            tokio::select! {
                Some(chunk) = self.arriving.recv() => self.queue.push(chunk),
                () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                    return Gathered::All;
                }
                changed = self.orders.changed() => {
                    let others = Gathered::OtherOrders;
                    return if changed.is_ok() { others } else { Gathered::NobodyLeft };
                }
            }
        }
    }

    fn take_arrived(&mut self) {
        while let Ok(chunk) = self.arriving.try_recv() {
            self.queue.push(chunk);
        }
    }

    /// Sends so many spans, in batches, unless there are other orders meanwhile.
    async fn send(&mut self, collector: &Arc<Collector>, mut spans: usize) {
        if spans >= self.queue.spans() {
            self.due = None;
        }
        self.log.full(self.shared.lost.queue.load(Relaxed));
        while let Some(batch) = self.queue.take(spans.min(collector.batch), collector) {
            spans -= batch.spans;
            self.deliver(batch).await;
            let orders = self.orders.borrow();
            if orders.collector.as_ref() != Some(collector) || orders.close_by.is_some() {
                return;
            }
        }
    }

    /// Sends a batch to whoever is the collector, several times if need be; whether that has had its say about it. Once
    /// the task is to end it is tried only once more.
    async fn deliver(&mut self, batch: Batch) -> bool {
        let until = Instant::now() + PERSISTENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let orders = self.orders.borrow_and_update().clone();
            let Some(collector) = &orders.collector else { break };
            let attempt = self.attempt(collector, &batch);
            let outcome = match orders.close_by {
                Some(deadline) => timeout_at(deadline, attempt).await.unwrap_or(Continue(())),
                None => attempt.await,
            };
            if outcome.is_break() {
                return true;
            }
            // Not all gateways come back at once to a collector that starts.
            let next = Instant::now() + pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            pause = (pause * 2).min(LONGEST_PAUSE);
            if orders.close_by.is_some() || next >= until {
                break;
            }
            if let Ok(Err(_)) = timeout_at(next, self.orders.changed()).await {
                break;
            }
        }
        self.shared.lose(&self.shared.lost.delivery, batch.spans, batch.bytes);
        false
    }

    /// Tries to send a batch; goes on if it should be tried again.
    async fn attempt(&mut self, collector: &Arc<Collector>, batch: &Batch) -> ControlFlow<()> {
        match self.call(collector, batch).await {
            Ok(taken) => {
                self.shared.arrived(batch.spans, batch.bytes, taken.rejected);
                self.log.arrived(collector, &taken);
                Break(())
            }
            Err(Failure::Never(reason)) => {
                self.shared.arrived(batch.spans, batch.bytes, u64::MAX);
                self.log.failed(collector, &reason, "they are lost");
                Break(())
            }
            Err(Failure::Connection(reason) | Failure::Later(reason)) => {
                let outcome = "they wait, and are lost where too many do, or for too long";
                self.log.failed(collector, &reason, outcome);
                Continue(())
            }
        }
    }

    /// Calls the collector. A connection that has ended while it was idle is no reason to fail.
    async fn call(&mut self, collector: &Arc<Collector>, batch: &Batch) -> Result<Taken, Failure> {
        let idle = self.channel.take().filter(|channel| channel.leads_to(collector));
        if let Some(channel) = idle {
            match channel.export(batch.message.clone()).await {
                Err(Failure::Connection(_)) => {}
                outcome => {
                    self.channel = Some(channel);
                    return outcome;
                }
            }
        }
        let opened = Channel::open(&self.resolver, collector).await;
        let channel = opened.map_err(Failure::Connection)?;
        let outcome = channel.export(batch.message.clone()).await;
        if !matches!(outcome, Err(Failure::Connection(_))) {
            self.channel = Some(channel);
        }
        outcome
    }

    /// Sends what there is, as far as that is still possible.
    async fn finish(mut self, collector: &Arc<Collector>) {
        self.take_arrived();
        while let Some(batch) = self.queue.take(collector.batch, collector) {
            if !self.deliver(batch).await {
                self.lose_all();
            }
        }
    }

    fn lose_all(&mut self) {
        self.due = None;
        let (spans, bytes) = self.queue.clear();
        self.shared.lose(&self.shared.lost.delivery, spans, bytes);
    }
}

/// What has ended a wait.
enum Gathered {
    /// There is a whole batch.
    Batch,
    /// Something has waited long enough.
    All,
    /// There is something else to do.
    OtherOrders,
    /// The gateway has gone.
    NobodyLeft,
}

/// What the log has said.
#[derive(Default)]
struct Log {
    is_failing: bool,
    has_said_full: bool,
}

impl Log {
    /// Says once that a collector does not take spans.
    fn failed(&mut self, collector: &Collector, reason: &str, outcome: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let Collector { host, port, .. } = collector;
            tracing::warn!(%host, port, %reason, "the collector of spans does not take them: {outcome}");
        }
    }

    /// Says that it takes them again, or that it does not take all of them.
    fn arrived(&mut self, collector: &Collector, taken: &Taken) {
        if taken.rejected > 0 {
            let reason = format!("{} were rejected: {:?}", taken.rejected, taken.reason);
            return self.failed(collector, &reason, "they are lost");
        }
        if std::mem::take(&mut self.is_failing) {
            let Collector { host, port, .. } = collector;
            tracing::info!(%host, port, "the collector of spans takes them");
        }
    }

    /// Says once that spans are lost because too many wait.
    fn full(&mut self, lost: u64) {
        if lost > 0 && !std::mem::replace(&mut self.has_said_full, true) {
            tracing::warn!(
                lost,
                "more spans than otel-max-queuesize, or too large ones, wait for the collector: others are lost, as headgate_spans_lost_total counts"
            );
        }
    }
}
