//! SQLite as the services use it: one file, write-ahead log, one writer at a time, never on an async thread.
//! Tables belong to the modules that use them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::Mutex;

/// Another process on the same file (an old instance that is leaving) holds the lock for at most one commit.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A database that is open. Clones share it.
#[derive(Clone)]
pub struct Database {
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
}

/// Why storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be made.
    #[error("cannot create {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file cannot be opened, or is not ours.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A statement failed; the transaction was rolled back.
    #[error(transparent)]
    Statement(#[from] rusqlite::Error),
    /// The closure panicked or the runtime is going away.
    #[error("the storage task ended early")]
    Aborted,
}

impl Database {
    /// Opens or creates `<directory>/<name>.db` and applies the steps of `schema` that it has not seen.
    /// Steps are only ever appended: their number is the file's version.
    ///
    /// # Errors
    /// The file cannot be created or opened, or a step fails.
    pub async fn open(
        directory: &Path,
        name: &str,
        schema: &[&'static str],
    ) -> Result<Self, StoreError> {
        let (directory, path) = (directory.to_owned(), directory.join(format!("{name}.db")));
        let schema = schema.to_vec();
        let opening = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&directory)
                .map_err(|source| StoreError::Directory { path: directory.clone(), source })?;
            let connections = open_file(&path, &schema);
            connections.map_err(|source| StoreError::Open { path: path.clone(), source })
        });
        let (writer, reader) = opening.await.map_err(|_| StoreError::Aborted)??;
        Ok(Self { writer: Arc::new(Mutex::new(writer)), reader: Arc::new(Mutex::new(reader)) })
    }

    /// Runs `work` in a write transaction and commits it. Durable, also against loss of power, once this returns.
    ///
    /// # Errors
    /// A statement or the commit failed: nothing was changed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let mut connection = Arc::clone(&self.writer).lock_owned().await;
        let task = tokio::task::spawn_blocking(move || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        task.await.map_err(|_| StoreError::Aborted)?
    }

    /// Runs `work` on a connection that cannot write and sees the last commit.
    ///
    /// # Errors
    /// A statement failed.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let connection = Arc::clone(&self.reader).lock_owned().await;
        let task = tokio::task::spawn_blocking(move || work(&connection).map_err(StoreError::from));
        task.await.map_err(|_| StoreError::Aborted)?
    }

    /// Whether the database can be read.
    pub async fn answers(&self) -> bool {
        self.read(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await.is_ok()
    }
}

fn open_file(path: &Path, schema: &[&str]) -> rusqlite::Result<(Connection, Connection)> {
    let mut writer = Connection::open(path)?;
    writer.busy_timeout(BUSY_TIMEOUT)?;
    // FULL: an acknowledged write survives a power cut, not only the end of the process.
    // Temporary tables in memory: the root file system may be read-only.
    writer.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;",
    )?;
    migrate(&mut writer, schema)?;
    let reader = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    reader.busy_timeout(BUSY_TIMEOUT)?;
    reader.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
    Ok((writer, reader))
}

fn migrate(connection: &mut Connection, schema: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let applied: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mut version = 0;
    for step in schema {
        version += 1;
        if version > applied {
            transaction.execute_batch(step)?;
        }
    }
    transaction.pragma_update(None, "user_version", version.max(applied))?;
    transaction.commit()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE words(word TEXT UNIQUE NOT NULL)";

    fn count(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT count(*) FROM words", [], |row| row.get(0))
    }

    #[tokio::test]
    async fn a_failed_transaction_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path(), "test", &[FIRST]).await.unwrap();
        let twice = database.write(|transaction| {
            transaction.execute("INSERT INTO words VALUES ('a')", [])?;
            transaction.execute("INSERT INTO words VALUES ('a')", [])
        });
        assert!(twice.await.is_err());
        assert_eq!(database.read(count).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn reopening_keeps_rows_and_applies_new_steps_only() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path(), "test", &[FIRST]).await.unwrap();
        database
            .write(|transaction| transaction.execute("INSERT INTO words VALUES ('a')", []))
            .await
            .unwrap();
        drop(database);
        let schema = [FIRST, "INSERT INTO words VALUES ('b')"];
        for _ in 0..2 {
            let database = Database::open(directory.path(), "test", &schema).await.unwrap();
            assert_eq!(database.read(count).await.unwrap(), 2);
        }
    }

    #[tokio::test]
    async fn the_reader_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path(), "test", &[FIRST]).await.unwrap();
        let write =
            database.read(|connection| connection.execute("INSERT INTO words VALUES ('a')", []));
        assert!(write.await.is_err());
    }

    #[tokio::test]
    async fn a_panic_in_a_transaction_does_not_poison_the_database() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path(), "test", &[FIRST]).await.unwrap();
        let panicked: Result<(), _> = database.write(|_| std::panic::panic_any("on purpose")).await;
        assert!(matches!(panicked, Err(StoreError::Aborted)));
        assert_eq!(database.write(|transaction| count(transaction)).await.unwrap(), 0);
    }
}
