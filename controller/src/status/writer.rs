//! Writing the addresses into the status of every served Ingress, as long as this replica leads.
//!
//! An Ingress is written when its status holds something else than it should, and not otherwise; nothing is written
//! while it is not known what that is. Each write names the version of the object that was read just before, so that a
//! writer that is late changes nothing.

mod last;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use headgate_config::log_target::DECISIONS;
use k8s_openapi::api::networking::v1::Ingress;
use kube::{Api, Client, api::PostParams};
use tokio::time::sleep_until;

use super::{Address, AddressSource, Board, source::Reader};
use crate::{
    clock::now,
    leader::Leadership,
    objects::Key,
    options::NamespacedName,
    request::{ANSWER_WITHIN, Failure, answer},
};

/// Statuses that are written at once, at most (operations §5).
const AT_ONCE: usize = 10;
/// How often a status is read and written again because somebody else has changed the object in between.
const TRIES: u32 = 5;
/// Between two looks at where the addresses come from, at least.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// Shorter intervals are raised to this.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(5);

/// What is written into statuses.
#[derive(Clone, Debug)]
pub struct StatusSettings {
    /// Whether anything is (`--update-status`).
    pub update: bool,
    /// Whether the last replica empties them when it stops (`--update-status-on-shutdown`).
    pub clean_on_shutdown: bool,
    /// Where the addresses come from.
    pub source: AddressSource,
    /// How often it is looked whether they have changed, and how long a status rests that has been written
    /// (`--status-update-interval`).
    pub interval: Duration,
}

/// Writes statuses.
pub struct Writer {
    client: Client,
    board: Arc<Board>,
    leadership: Arc<Leadership>,
    reader: Reader,
    interval: Duration,
    clean_on_shutdown: bool,
}

/// What statuses should hold.
struct Wanted {
    /// `None` while that is not known.
    addresses: Option<Arc<[Address]>>,
    /// What it was when it was known last.
    last: Option<Arc<[Address]>>,
    was_read: Instant,
    read_at: Instant,
    /// After the next failure.
    pause: Duration,
    /// What was logged last.
    complaint: String,
}

impl Wanted {
    fn new(now: Instant) -> Self {
        Self {
            addresses: None,
            last: None,
            was_read: now,
            read_at: now,
            pause: READ_AGAIN,
            complaint: String::new(),
        }
    }

    fn read_soon(&mut self) {
        self.read_at = self.read_at.min(self.was_read + READ_AGAIN);
    }
}

/// What came of one Ingress.
enum Written {
    /// Its status is right now.
    Done,
    /// It is gone, or this replica may not write it any more.
    Given,
}

impl Writer {
    /// A writer for this pod; it writes nothing until it is run.
    pub fn new(
        client: Client,
        settings: &StatusSettings,
        pod: NamespacedName,
        board: Arc<Board>,
        leadership: Arc<Leadership>,
    ) -> Self {
        Self {
            reader: Reader::new(client.clone(), settings.source.clone(), pod),
            client,
            board,
            leadership,
            interval: settings.interval.max(SHORTEST_INTERVAL),
            clean_on_shutdown: settings.clean_on_shutdown,
        }
    }

    /// Keeps all statuses right. Never ends.
    pub async fn run(&self) {
        let mut changes = self.reader.changes();
        let mut wanted = Wanted::new(now());
        self.board.wake();
        loop {
            if now() >= wanted.read_at {
                self.read(&mut wanted).await;
            }
            let next = match &wanted.addresses {
                Some(addresses) => self.write_all(addresses).await,
                None => None,
            };
            let wake_at = next.map_or(wanted.read_at, |next| next.min(wanted.read_at));
            tokio::select! {
                () = self.board.changed() => {}
                Some(()) = changes.next() => wanted.read_soon(),
                () = sleep_until(wake_at.into()) => {}
            }
        }
    }

    async fn read(&self, wanted: &mut Wanted) {
        wanted.was_read = now();
        let read = match self.reader.read().await {
            Ok(addresses) if addresses.is_empty() && !self.reader.may_be_empty() => {
                Err("no pod of this controller is ready yet, so that no address is known".into())
            }
            read => read,
        };
        match read {
            Ok(addresses) => {
                tracing::debug!(addresses = addresses.len(), "read what statuses should hold");
                if wanted.last.as_ref().is_some_and(|last| **last != *addresses) {
                    self.board.wake();
                }
                let addresses: Arc<[Address]> = addresses.into();
                wanted.last = Some(Arc::clone(&addresses));
                wanted.addresses = Some(addresses);
                wanted.pause = READ_AGAIN;
                wanted.read_at = now() + self.interval;
                wanted.complaint.clear();
            }
            Err(reason) => {
                wanted.addresses = None;
                wanted.read_at = now() + wanted.pause;
                wanted.pause = (wanted.pause * 2).min(self.interval);
                if wanted.complaint != reason {
                    tracing::warn!(reason, "no status is written");
                    wanted.complaint = reason;
                }
            }
        }
    }

    /// Writes what is due, and says when more is.
    async fn write_all(&self, addresses: &Arc<[Address]>) -> Option<Instant> {
        let may_write = || self.leadership.is_leader();
        let mut due = self.board.outdated(addresses, now()).due.into_iter();
        let mut open = FuturesUnordered::new();
        loop {
            while open.len() < AT_ONCE
                && let Some(key) = due.next()
            {
                open.push(self.write(key, addresses, ANSWER_WITHIN, &may_write));
            }
            let Some((ingress, written)) = open.next().await else { break };
            match written {
                Ok(Written::Given) => {
                    tracing::debug!(%ingress, "its status is not written: it is gone, or another replica leads");
                }
                Ok(Written::Done) => {
                    let addresses_written = addresses.len();
                    tracing::debug!(target: DECISIONS, %ingress, addresses = addresses_written, "its status is right");
                    self.board.wrote(&ingress, addresses, now() + self.interval);
                }
                Err(failure) => {
                    tracing::warn!(%ingress, %failure, "its status cannot be written");
                    self.board.failed(&ingress, now(), self.interval);
                }
            }
        }
        self.board.outdated(addresses, now()).next
    }

    async fn write(
        &self,
        ingress: Key,
        addresses: &[Address],
        within: Duration,
        may_write: &impl Fn() -> bool,
    ) -> (Key, Result<Written, Failure>) {
        let written = self.try_write(&ingress, addresses, within, may_write).await;
        (ingress, written)
    }

    async fn try_write(
        &self,
        key: &Key,
        addresses: &[Address],
        within: Duration,
        may_write: &impl Fn() -> bool,
    ) -> Result<Written, Failure> {
        let ingresses: Api<Ingress> = Api::namespaced(self.client.clone(), key.namespace());
        let mut tries = 0;
        loop {
            if !may_write() {
                return Ok(Written::Given);
            }
            let mut ingress = match answer(within, ingresses.get(key.name())).await {
                Ok(ingress) => ingress,
                Err(failure) if failure.is_not_found() => return Ok(Written::Given),
                Err(failure) => return Err(failure),
            };
            if Address::published(&ingress) == addresses {
                return Ok(Written::Done);
            }
            Address::publish(addresses, &mut ingress);
            if !may_write() {
                return Ok(Written::Given);
            }
            let params = PostParams::default();
            match answer(within, ingresses.replace_status(key.name(), &params, &ingress)).await {
                Ok(_) => return Ok(Written::Done),
                Err(failure) if failure.is_not_found() => return Ok(Written::Given),
                Err(failure) if failure.is_conflict() && tries < TRIES => tries += 1,
                Err(failure) => return Err(failure),
            }
        }
    }
}

#[cfg(test)]
mod tests;
