//! The bus's log and the subscribers' places in it, on disk. Offsets start at 1 and only grow; an id is stored once.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use crate::id;
use crate::settings::StartFrom;
use crate::store::{Database, StoreError};
use crate::trace::TraceContext;

const SCHEMA: [&str; 1] = ["CREATE TABLE events(
        offset INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        type TEXT NOT NULL,
        data TEXT NOT NULL,
        request_id TEXT NOT NULL,
        traceparent TEXT NOT NULL
    ) STRICT;
    CREATE TABLE cursors(subscriber TEXT PRIMARY KEY, delivered INTEGER NOT NULL) STRICT;
    CREATE TABLE log(id TEXT NOT NULL) STRICT"];

/// The log. Clones share it.
#[derive(Clone)]
pub struct Log {
    database: Database,
    id: Arc<str>,
    /// The newest offset, for those who wait for more.
    tail: watch::Sender<i64>,
}

/// An event to append.
pub struct NewEvent {
    /// What repetitions are recognised by.
    pub id: String,
    /// The event's type.
    pub kind: String,
    /// The event's data, as JSON.
    pub data: String,
    /// The hop that brought it.
    pub cause: TraceContext,
}

/// An event in the log.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its place.
    pub offset: i64,
    /// Its id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Its data, as JSON.
    pub data: String,
    /// The hop that goes on from the one that brought it.
    pub cause: TraceContext,
}

impl Stored {
    /// Appends `{offset, id, type, data}`; the data goes as it is stored.
    pub fn write_json(&self, text: &mut String) {
        let quoted = |word: &str| serde_json::Value::from(word).to_string();
        let (id, kind) = (quoted(&self.id), quoted(&self.kind));
        let (offset, data) = (self.offset, &self.data);
        text.push_str(&format!(r#"{{"offset":{offset},"id":{id},"type":{kind},"data":{data}}}"#));
    }
}

impl Log {
    /// Opens or creates the log in `directory`.
    ///
    /// # Errors
    /// The database cannot be opened.
    pub async fn open(directory: &Path) -> Result<Self, StoreError> {
        let database = Database::open(directory, "bus", &SCHEMA).await?;
        let log_id = database.write(|transaction| {
            let stored =
                transaction.query_row("SELECT id FROM log", [], |row| row.get(0)).optional()?;
            if let Some(id) = stored {
                return Ok(id);
            }
            let id = id::long();
            transaction.execute("INSERT INTO log(id) VALUES (?1)", [&id])?;
            Ok(id)
        });
        let id: String = log_id.await?;
        let newest = database.read(newest_offset).await?;
        Ok(Self { database, id: id.into(), tail: watch::Sender::new(newest) })
    }

    /// The log's name; another after its file was lost.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The database, to ask whether it answers.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Changes whenever an event was appended.
    pub fn watch_tail(&self) -> watch::Receiver<i64> {
        self.tail.subscribe()
    }

    /// Appends an event unless its id is there already, and says where it is.
    ///
    /// # Errors
    /// The database fails; the event is not in the log.
    pub async fn append(&self, event: NewEvent) -> Result<i64, StoreError> {
        let insert = self.database.write(move |transaction| {
            transaction.execute(
                "INSERT INTO events(id, type, data, request_id, traceparent) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT(id) DO NOTHING",
                params![event.id, event.kind, event.data, event.cause.request_id, event.cause.traceparent()],
            )?;
            transaction.query_row("SELECT offset FROM events WHERE id = ?1", [&event.id], |row| row.get(0))
        });
        let offset: i64 = insert.await?;
        self.tail.send_if_modified(|tail| {
            let grew = offset > *tail;
            *tail = offset.max(*tail);
            grew
        });
        Ok(offset)
    }

    /// The events after the offset `after`, in order: at most `limit`, and no further ones once `max_bytes` are exceeded.
    ///
    /// # Errors
    /// The database fails.
    pub async fn page(
        &self,
        after: i64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        self.database.read(move |connection| select_page(connection, after, limit, max_bytes)).await
    }

    /// The last offset that `subscriber` has acknowledged; registers it at `start` if it is new.
    ///
    /// # Errors
    /// The database fails.
    pub async fn subscribe(&self, subscriber: &str, start: StartFrom) -> Result<i64, StoreError> {
        let subscriber = subscriber.to_owned();
        let register = self.database.write(move |transaction| {
            let first = match start {
                StartFrom::Earliest => 0,
                StartFrom::Latest => newest_offset(transaction)?,
            };
            transaction.execute(
                "INSERT INTO cursors(subscriber, delivered) VALUES (?1, ?2) ON CONFLICT(subscriber) DO NOTHING",
                params![subscriber, first],
            )?;
            let select = "SELECT delivered FROM cursors WHERE subscriber = ?1";
            transaction.query_row(select, [&subscriber], |row| row.get(0))
        });
        register.await
    }

    /// Remembers that `subscriber` has acknowledged everything up to `offset`.
    ///
    /// # Errors
    /// The database fails; the subscriber will be offered those events again after a restart.
    pub async fn advance(&self, subscriber: &str, offset: i64) -> Result<(), StoreError> {
        let subscriber = subscriber.to_owned();
        let update = self.database.write(move |transaction| {
            let update = "UPDATE cursors SET delivered = max(delivered, ?2) WHERE subscriber = ?1";
            transaction.execute(update, params![subscriber, offset])
        });
        update.await.map(drop)
    }
}

fn newest_offset(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(offset), 0) FROM events", [], |row| row.get(0))
}

fn select_page(
    connection: &Connection,
    after: i64,
    limit: usize,
    max_bytes: usize,
) -> rusqlite::Result<Vec<Stored>> {
    let mut statement = connection.prepare_cached(
        "SELECT offset, id, type, data, request_id, traceparent FROM events WHERE offset > ?1 ORDER BY offset LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, limit])?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (request_id, traceparent): (String, String) = (row.get(4)?, row.get(5)?);
        let cause = TraceContext::resume(&request_id, &traceparent);
        let event = Stored {
            offset: row.get(0)?,
            id: row.get(1)?,
            kind: row.get(2)?,
            data: row.get(3)?,
            cause,
        };
        bytes += event.data.len();
        page.push(event);
        if bytes > max_bytes {
            break;
        }
    }
    Ok(page)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event(id: &str, data: &str) -> NewEvent {
        NewEvent {
            id: id.to_owned(),
            kind: "Said".to_owned(),
            data: data.to_owned(),
            cause: TraceContext::start(),
        }
    }

    async fn offsets(log: &Log, after: i64, limit: usize, bytes: usize) -> Vec<i64> {
        log.page(after, limit, bytes).await.unwrap().iter().map(|event| event.offset).collect()
    }

    #[tokio::test]
    async fn an_id_is_stored_once_and_keeps_its_first_data() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(directory.path()).await.unwrap();
        let first = log.append(event("a", "1")).await.unwrap();
        assert_eq!(log.append(event("a", "2")).await.unwrap(), first);
        assert!(log.append(event("b", "3")).await.unwrap() > first);
        let data: Vec<String> =
            log.page(0, 10, 100).await.unwrap().into_iter().map(|event| event.data).collect();
        assert_eq!(data, ["1", "3"]);
    }

    #[tokio::test]
    async fn pages_respect_offset_count_and_size() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(directory.path()).await.unwrap();
        for id in ["a", "b", "c", "d"] {
            log.append(event(id, "\"ten bytes\"")).await.unwrap();
        }
        assert_eq!(offsets(&log, 1, usize::MAX, usize::MAX).await, [2, 3, 4]);
        assert_eq!(offsets(&log, 0, 2, usize::MAX).await, [1, 2]);
        assert_eq!(offsets(&log, 0, 10, 0).await, [1], "one event is always given");
        assert_eq!(offsets(&log, 4, 10, 10).await, [] as [i64; 0]);
    }

    #[tokio::test]
    async fn cursors_and_the_name_of_the_log_survive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(directory.path()).await.unwrap();
        log.append(event("a", "1")).await.unwrap();
        assert_eq!(log.subscribe("early", StartFrom::Earliest).await.unwrap(), 0);
        assert_eq!(log.subscribe("late", StartFrom::Latest).await.unwrap(), 1);
        log.advance("early", 1).await.unwrap();
        let name = log.id().to_owned();
        drop(log);
        let log = Log::open(directory.path()).await.unwrap();
        assert_eq!(log.id(), name);
        assert_eq!(log.subscribe("early", StartFrom::Earliest).await.unwrap(), 1);
    }

    #[test]
    fn json_of_an_event_escapes_its_names() {
        let cause = TraceContext::start();
        let stored = Stored {
            offset: 7,
            id: "a\"b".into(),
            kind: "T".into(),
            data: r#"{"x":[1]}"#.into(),
            cause,
        };
        let mut text = String::new();
        stored.write_json(&mut text);
        assert_eq!(text, r#"{"offset":7,"id":"a\"b","type":"T","data":{"x":[1]}}"#);
    }
}
