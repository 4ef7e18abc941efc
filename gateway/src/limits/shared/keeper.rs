//! Keeps the link to a store open, on a thread of its own: whatever else the process has to do, nothing makes the store
//! look slower than it is.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use headgate_config::protection::{LimitFallback, LimitStore};
use redis::aio::MultiplexedConnection;
use tokio::{
    runtime::Builder,
    time::{self, Instant},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{PREFIX, connect::Connector, link::Link, script};
use crate::filter::rate::Pace;

/// After a try that has failed.
const PAUSE: Duration = Duration::from_millis(200);
/// After a connection that has not lasted for [`LASTING`]. One that has may have been the victim of a hiccup.
const LONG_PAUSE: Duration = Duration::from_millis(700);
const LASTING: Duration = Duration::from_secs(1);
/// How often an open link is tried out, so that it is known to be broken before a request finds out.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// For such a try.
const PROBE_LIMIT: Duration = Duration::from_millis(500);
/// Between two lines in the log that give the same reason for a store being down, with another in between.
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// Reasons that the log gives in this time.
const MOST_REASONS: usize = 4;

/// The thread; it ends when this is dropped.
pub struct Keeper {
    _stop: DropGuard,
}

impl Keeper {
    /// Starts to open the link to a store, and to keep it open.
    pub fn start(spec: &Arc<LimitStore>, link: &Arc<Link>) -> Self {
        let stop = CancellationToken::new();
        let (stopped, keep) = (stop.clone(), Keep::new(Arc::clone(spec), Arc::clone(link)));
        let run = move || {
            // Whatever goes wrong inside must not take the limits away for good.
            while panic::catch_unwind(AssertUnwindSafe(|| keep_open(&keep, &stopped))).is_err() {
                keep.link.give_up("it is asked anew after an error of the program".into());
                tracing::error!(
                    "asking the store of shared limits has failed by an error of the program; it starts anew"
                );
                thread::sleep(PAUSE);
            }
        };
        if let Err(error) = thread::Builder::new().name("limit-store".into()).spawn(run) {
            tracing::error!(%error, "the store of shared limits cannot be asked");
            link.fail(None, error.to_string());
        }
        Self { _stop: stop.drop_guard() }
    }
}

/// Keeps the link open until it is `stopped`.
fn keep_open(keep: &Keep, stopped: &CancellationToken) {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            runtime.block_on(stopped.run_until_cancelled(keep.clone().run()));
            // Nobody waits for a name that is still being looked up.
            runtime.shutdown_background();
        }
        Err(error) => keep.link.fail(None, format!("no thread for it: {error}")),
    }
}

/// Connections opened so far.
static NUMBER: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
struct Keep {
    spec: Arc<LimitStore>,
    link: Arc<Link>,
    /// For the log.
    server: String,
    said: Said,
}

impl Keep {
    fn new(spec: Arc<LimitStore>, link: Arc<Link>) -> Self {
        let server = format!("{}:{}/{}", spec.host, spec.port, spec.database);
        Self { spec, link, server, said: Said::default() }
    }

    async fn run(mut self) {
        let spec = Arc::clone(&self.spec);
        let connector = Connector::new(&spec);
        loop {
            let number = NUMBER.fetch_add(1, Relaxed);
            let pause = match self.connect(&connector).await {
                Ok(connection) => {
                    tracing::info!(server = %self.server, "the store of shared limits answers");
                    self.said = Said::default();
                    let since = Instant::now();
                    self.link.open(number, connection.clone());
                    let reason = self.watch(number, connection).await;
                    self.say(reason);
                    if since.elapsed() < LASTING { LONG_PAUSE } else { Duration::ZERO }
                }
                Err(reason) => {
                    self.link.fail(None, reason.clone());
                    self.say(reason);
                    PAUSE
                }
            };
            time::sleep(pause).await;
        }
    }

    /// Waits until the connection has failed somebody; the reason.
    async fn watch(&self, number: u64, mut connection: MultiplexedConnection) -> String {
        let mut ticks = time::interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                reason = self.link.failure() => return reason,
                _ = ticks.tick() => {
                    if let Err(reason) = self.probe(&mut connection, PROBE_LIMIT).await {
                        self.link.fail(Some(number), reason);
                    }
                }
            }
        }
    }

    /// A connection over which the store has counted something as quickly as requests want it.
    async fn connect(
        &self,
        connector: &Result<Connector<'_>, String>,
    ) -> Result<MultiplexedConnection, String> {
        let mut connection = connector.as_ref().map_err(String::clone)?.connect().await?;
        // The first time the script may have to be loaded.
        self.probe(&mut connection, PROBE_LIMIT).await?;
        self.probe(&mut connection, self.spec.timeout).await?;
        Ok(connection)
    }

    /// Counts a request of nobody: a server that may not be written to is of no use.
    async fn probe(
        &self,
        connection: &mut MultiplexedConnection,
        limit: Duration,
    ) -> Result<(), String> {
        let key = format!("{PREFIX}{{}}");
        let paces = [Some(Pace::of_probes()), None];
        match time::timeout(limit, script::take(connection, &key, &paces)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {limit:?}")),
        }
    }

    /// Says that the store is down, unless that is known.
    fn say(&mut self, reason: String) {
        if !self.said.is_news(&reason, Instant::now()) {
            return;
        }
        let until = match self.spec.fallback {
            LimitFallback::Local => "each replica counts for itself until it does",
            LimitFallback::Closed => "what it would count is answered with 503 until it does",
        };
        tracing::warn!(server = %self.server, %reason, "the store of shared limits does not answer: {until}");
    }
}

/// What the log has said about a store since it is down.
#[derive(Clone, Debug, Default)]
struct Said {
    /// Reasons, each with the moment when it was named last; the latest is at the end.
    reasons: Vec<(String, Instant)>,
}

impl Said {
    /// Whether the log should name this reason now, which it does then: another one than it has named last, unless both
    /// take turns.
    fn is_news(&mut self, reason: &str, now: Instant) -> bool {
        if self.reasons.last().is_some_and(|(last, _)| last == reason) {
            return false;
        }
        self.reasons.retain(|(_, when)| now.saturating_duration_since(*when) < SAY_AGAIN);
        let is_known = self.reasons.iter().any(|(known, _)| known == reason);
        if is_known || self.reasons.len() >= MOST_REASONS {
            return false;
        }
        self.reasons.push((reason.to_owned(), now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reason_is_said_at_once_and_the_same_is_not_said_again() {
        let (begin, mut said) = (Instant::now(), Said::default());
        let mut news =
            |reason: &str, second| said.is_news(reason, begin + Duration::from_secs(second));
        assert!(news("no address", 0));
        assert!(!news("no address", 1));
        assert!(news("wrong password", 2), "it is down for another reason");
        assert!(!news("no address", 3), "they take turns");
        assert!(!news("wrong password", 20));
        assert!(news("no address", 21));
        assert!(!news("no address", 600));
    }

    #[test]
    fn reasons_that_never_repeat_do_not_fill_the_log() {
        let (begin, mut said) = (Instant::now(), Said::default());
        let news = (0..100).filter(|number| said.is_news(&number.to_string(), begin)).count();
        assert_eq!(news, MOST_REASONS);
    }
}
