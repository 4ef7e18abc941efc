//! Load that counts every failure: clients on keep-alive connections that notice whatever goes wrong.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use headgate_tests::client::{Answer, Connection, Failure};
use tokio::{net::TcpStream, task::JoinSet, time::sleep};

/// Pause of a client between two requests, so that several leave the control plane some of the processors.
const PACE: Duration = Duration::from_millis(10);
/// Descriptions of failures that are kept.
const KEPT: usize = 10;

/// What came of requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// All that were sent.
    pub requests: u64,
    /// Those without an answer, or with another status than 200.
    pub failed: u64,
    /// Those that were sent again, because a connection that had been used before was closed without an answer. All clients do that
    /// when a server stops, and none should have to at any other time.
    pub again: u64,
    /// What happened to the first of both.
    pub failures: Vec<String>,
    /// The longest that one took.
    pub longest: Duration,
}

/// Clients on keep-alive connections that send one GET after the other until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    clients: JoinSet<()>,
    started: Instant,
}

impl Load {
    /// Starts this many clients; each takes the targets (host and path) in turn, and expects 200.
    pub fn start(address: SocketAddr, targets: &[(&str, &str)], clients: usize) -> Self {
        let targets: Vec<(String, String)> =
            targets.iter().map(|(host, path)| (host.to_string(), path.to_string())).collect();
        let mut load = Self {
            stop: Arc::default(),
            tally: Arc::default(),
            clients: JoinSet::new(),
            started: Instant::now(),
        };
        for _ in 0..clients {
            let (stop, tally) = (Arc::clone(&load.stop), Arc::clone(&load.tally));
            load.clients.spawn(client(address, targets.clone(), stop, tally));
        }
        load
    }

    /// What came of it since the last time that this was asked, said on standard error. Fails if a request has failed or had to be
    /// sent again, or if there were none.
    pub fn check(&mut self, what: &str) -> Result<Tally> {
        let tally = std::mem::take(&mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner));
        let seconds = std::mem::replace(&mut self.started, Instant::now()).elapsed().as_secs_f64();
        eprintln!(
            "{what}: {} requests, {} failed, {} sent again, {seconds:.1} s, the longest {:?}",
            tally.requests, tally.failed, tally.again, tally.longest
        );
        ensure!(tally.failed == 0 && tally.again == 0, "{what}: {tally:?}");
        ensure!(tally.requests > 0, "{what}: there were no requests");
        Ok(tally)
    }

    /// Ends the clients, each with an answer to its last request.
    pub async fn stop(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended?;
        }
        Ok(())
    }
}

async fn client(
    address: SocketAddr,
    targets: Vec<(String, String)>,
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
) {
    let mut open = None;
    for (host, path) in targets.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let started = Instant::now();
        let is_used = open.is_some();
        let mut outcome = exchange(&mut open, address, host, path).await;
        let mut again = None;
        if let Err(Failed::Request(failure)) = &outcome
            && is_used
            && matches!(failure, Failure::ClosedBeforeAnswer | Failure::Io(_))
        {
            again = Some(failure.to_string());
            outcome = exchange(&mut open, address, host, path).await;
        }
        let took = started.elapsed();
        {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.requests += 1;
            tally.longest = tally.longest.max(took);
            tally.again += u64::from(again.is_some());
            tally.failed += u64::from(outcome.is_err());
            for reason in again.into_iter().chain(outcome.err().map(|failed| failed.to_string())) {
                if tally.failures.len() < KEPT {
                    tally.failures.push(format!("{host}{path}: {reason}"));
                }
            }
        }
        sleep(PACE).await;
    }
}

/// Why a request counts as failed.
enum Failed {
    Request(Failure),
    Status(Answer),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(failure) => failure.fmt(f),
            Self::Status(answer) => write!(f, "status {}: {}", answer.status, answer.text()),
        }
    }
}

/// One request on the open connection, or on a new one if there is none.
async fn exchange(
    open: &mut Option<Connection<TcpStream>>,
    address: SocketAddr,
    host: &str,
    path: &str,
) -> Result<(), Failed> {
    let mut connection = match open.take() {
        Some(connection) => connection,
        None => Connection::open(address).await.map_err(Failed::Request)?,
    };
    let answer = connection.get(host, path).await.map_err(Failed::Request)?;
    if !answer.close {
        *open = Some(connection);
    }
    if answer.status == 200 { Ok(()) } else { Err(Failed::Status(answer)) }
}
