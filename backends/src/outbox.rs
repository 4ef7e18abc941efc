//! The transactional outbox: events wait in the service's own database, committed together with what they tell, until the
//! bus has acknowledged them. Sent in order; sent again after a crash, which the bus recognises by the event's id.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Transaction, params};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::event::{Envelope, Event};
use crate::outgoing::{Outgoing, SendError};
use crate::settings::BaseUrl;
use crate::store::{Database, StoreError};
use crate::trace::TraceContext;

/// The table, for the schema of the service's database.
pub const SCHEMA: &str = "CREATE TABLE outbox(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL,
    traceparent TEXT NOT NULL
) STRICT";

/// Acknowledged rows are deleted in one commit per batch; after a crash at most this many are sent once more.
const BATCH: i64 = 64;

/// Adds `event` under `event_id` to the caller's transaction. An event that already waits is not added again.
///
/// # Errors
/// The statement fails.
pub fn add(
    transaction: &Transaction<'_>,
    event_id: &str,
    event: &Event,
    cause: &TraceContext,
) -> rusqlite::Result<()> {
    let body = envelope(event_id, event)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    transaction.execute(
        "INSERT INTO outbox(event_id, body, request_id, traceparent) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT(event_id) DO NOTHING",
        params![event_id, body, cause.request_id, cause.traceparent()],
    )?;
    Ok(())
}

/// The JSON that the bus takes.
///
/// # Errors
/// Never for the application's own events.
pub fn envelope(event_id: &str, event: &Event) -> serde_json::Result<String> {
    let mut tagged = serde_json::to_value(event)?;
    let data = tagged.get_mut("data").map(serde_json::Value::take).unwrap_or_default();
    let kind = event.kind().to_owned();
    serde_json::to_string(&Envelope { offset: None, id: Some(event_id.to_owned()), kind, data })
}

/// The sending side of the outbox of one database.
pub struct Outbox {
    service: &'static str,
    database: Database,
    bus: String,
    outgoing: Outgoing,
    wake: Arc<Notify>,
}

struct Waiting {
    seq: i64,
    event_id: String,
    body: String,
    cause: TraceContext,
}

impl Outbox {
    /// The outbox in `database`; its events go to the bus at `bus`.
    pub fn new(service: &'static str, database: Database, bus: &BaseUrl) -> Self {
        let (bus, wake) = (bus.join("/events"), Arc::new(Notify::new()));
        Self { service, database, bus, outgoing: Outgoing::new(), wake }
    }

    /// What to notify after a commit that added an event.
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Sends what waits and what comes, until `stop`. What is not acknowledged by then stays for the next start.
    pub async fn deliver(self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let pause = match self.next_batch().await {
                Ok(batch) if batch.is_empty() => {
                    tokio::select! {
                        () = self.wake.notified() => continue,
                        () = stop.cancelled() => return,
                    }
                }
                Ok(batch) => tokio::select! {
                    sent = self.send_batch(batch) => sent,
                    () = stop.cancelled() => return,
                },
                Err(error) => Err(error.to_string()),
            };
            match pause {
                Ok(()) => self.note_recovery(&mut backoff),
                Err(reason) => {
                    self.note_failure(&backoff, &reason);
                    tokio::select! {
                        () = tokio::time::sleep(backoff.next_delay()) => {}
                        () = stop.cancelled() => return,
                    }
                }
            }
        }
    }

    async fn next_batch(&self) -> Result<Vec<Waiting>, StoreError> {
        let select = |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, event_id, body, request_id, traceparent FROM outbox ORDER BY seq LIMIT ?1",
            )?;
            let rows = statement.query_map([BATCH], |row| {
                let (request_id, traceparent): (String, String) = (row.get(3)?, row.get(4)?);
                let cause = TraceContext::resume(&request_id, &traceparent);
                Ok(Waiting { seq: row.get(0)?, event_id: row.get(1)?, body: row.get(2)?, cause })
            })?;
            rows.collect()
        };
        self.database.read(select).await
    }

    /// Sends in order up to the first failure, then forgets what was acknowledged.
    async fn send_batch(&self, batch: Vec<Waiting>) -> Result<(), String> {
        let mut acknowledged = None;
        let mut failure = Ok(());
        for waiting in batch {
            match self.send(&waiting).await {
                Ok(()) => acknowledged = Some(waiting.seq),
                Err(error) => {
                    failure = Err(format!("{}: {error}", waiting.event_id));
                    break;
                }
            }
        }
        if let Some(seq) = acknowledged {
            let delete = self.database.write(move |transaction| {
                transaction.execute("DELETE FROM outbox WHERE seq <= ?1", [seq])
            });
            delete.await.map_err(|error| error.to_string())?;
        }
        failure
    }

    async fn send(&self, waiting: &Waiting) -> Result<(), SendError> {
        let body = Bytes::from(waiting.body.clone());
        self.outgoing.post(&self.bus, body, &waiting.cause, &[]).await?;
        Ok(())
    }

    fn note_failure(&self, backoff: &Backoff, reason: &str) {
        if backoff.is_first() {
            tracing::warn!(
                service = self.service,
                bus = self.bus,
                reason,
                "events wait for the bus"
            );
        } else {
            tracing::debug!(
                service = self.service,
                bus = self.bus,
                reason,
                "events still wait for the bus"
            );
        }
    }

    fn note_recovery(&self, backoff: &mut Backoff) {
        let failures = backoff.reset();
        if failures > 0 {
            tracing::info!(
                service = self.service,
                bus = self.bus,
                failures,
                "events flow to the bus again"
            );
        }
    }
}
