//! Pushes the log to one subscriber: in order, one at a time, each event until it is acknowledged. A subscriber that is down
//! holds up nobody else. An event that is refused is offered again like any other failure: skipping would be losing it.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::bus::LOG_ID;
use crate::bus::log::{Log, Stored};
use crate::outgoing::{Outgoing, SendError};
use crate::settings::Subscriber;
use crate::store::StoreError;

/// The cursor is committed once per batch: after a crash at most this many events are offered again.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// The delivery to one subscriber.
pub struct Delivery {
    log: Log,
    subscriber: Subscriber,
    delivered: i64,
    outgoing: Outgoing,
    backoff: Backoff,
}

impl Delivery {
    /// A delivery that goes on after the offset `delivered`.
    pub fn new(log: Log, subscriber: Subscriber, delivered: i64) -> Self {
        Self { log, subscriber, delivered, outgoing: Outgoing::new(), backoff: Backoff::default() }
    }

    /// Delivers until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.deliver() => {}
            () = stop.cancelled() => {}
        }
        self.remember().await;
    }

    /// Never ends by itself. May be dropped at any await.
    async fn deliver(&mut self) {
        let mut tail = self.log.watch_tail();
        loop {
            tail.mark_unchanged();
            match self.log.page(self.delivered, BATCH, BATCH_BYTES).await {
                Ok(batch) if batch.is_empty() => {
                    // The sender lives as long as the log that this delivery holds.
                    let _ = tail.changed().await;
                }
                Ok(batch) => {
                    for event in batch {
                        self.deliver_one(&event).await;
                    }
                    self.remember().await;
                }
                Err(error) => self.pause_after_storage(&error).await,
            }
        }
    }

    async fn deliver_one(&mut self, event: &Stored) {
        while let Err(error) = self.push(event).await {
            self.note_failure(event, &error);
            if self.backoff.is_first() {
                self.remember().await;
            }
            tokio::time::sleep(self.backoff.next_delay()).await;
        }
        self.delivered = event.offset;
        let failures = self.backoff.reset();
        if failures > 0 {
            tracing::info!(
                service = "bus",
                subscriber = self.subscriber.name,
                failures,
                "subscriber is back"
            );
        }
    }

    async fn push(&self, event: &Stored) -> Result<(), SendError> {
        let mut body = String::with_capacity(event.data.len() + 128);
        event.write_json(&mut body);
        let headers = [(LOG_ID, self.log.id())];
        self.outgoing.post(&self.subscriber.url, Bytes::from(body), &event.cause, &headers).await?;
        Ok(())
    }

    /// A place that could not be stored costs repetitions after a restart, nothing more.
    async fn remember(&self) {
        if let Err(error) = self.log.advance(&self.subscriber.name, self.delivered).await {
            tracing::error!(service = "bus", subscriber = self.subscriber.name, %error, "cursor not stored");
        }
    }

    async fn pause_after_storage(&mut self, error: &StoreError) {
        tracing::error!(service = "bus", subscriber = self.subscriber.name, %error, "log not readable");
        tokio::time::sleep(self.backoff.next_delay()).await;
    }

    fn note_failure(&self, event: &Stored, error: &SendError) {
        let (subscriber, url, offset) = (&self.subscriber.name, &self.subscriber.url, event.offset);
        if self.backoff.is_first() {
            tracing::warn!(service = "bus", subscriber, url, offset, %error, "subscriber did not take an event");
        } else {
            tracing::debug!(service = "bus", subscriber, url, offset, %error, "subscriber still does not take an event");
        }
    }
}
