//! Starting and stopping the workers.
//!
//! Shutdown in order: HTTP/1 clients are asked to go elsewhere while new connections still come; no new connections;
//! idle ones are closed, others end with their current answer (HTTP/1: `Connection: close`, HTTP/2: GOAWAY); what is
//! left at the deadline is cut.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{net, runtime::Builder, task::JoinSet, time};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    listen::{self, Connections, Security, forward::Forwards, sockets},
    live::Live,
    observe::{
        access_log::AccessLog,
        metrics::{Metrics, WorkerMetrics},
        request_id::RequestIds,
    },
    worker::Worker,
};

/// Time between two rounds of a worker's regular work, in ticks of the clock.
const HOUSEKEEPING_TICKS: u32 = 5;

/// For sending the last spans.
const SPANS_LIMIT: Duration = Duration::from_secs(2);

/// What is fixed for the life of the process.
#[derive(Clone, Debug)]
pub struct Startup {
    /// Address of all listeners.
    pub address: IpAddr,
    /// Port for HTTP; 0 lets the system choose.
    pub http_port: u16,
    /// Port for HTTPS; 0 lets the system choose.
    pub https_port: u16,
    /// Worker threads.
    pub workers: usize,
    /// How long requests may take to end at shutdown.
    pub grace: Duration,
}

/// The running workers.
pub struct Gateway {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where HTTPS is served.
    pub https: SocketAddr,
    leaving: CancellationToken,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
    live: Arc<Live>,
}

/// What a worker thread starts with.
struct Seat {
    index: usize,
    http: TcpListener,
    https: TcpListener,
    https_port: u16,
    live: Arc<Live>,
    metrics: WorkerMetrics,
    log: crate::observe::access_log::WorkerLog,
    ids: RequestIds,
    leaving: CancellationToken,
    stop: CancellationToken,
    grace: Duration,
}

/// Binds the ports and starts the workers.
///
/// # Errors
/// A port cannot be bound, or the system gives no thread or no randomness.
pub fn start(
    startup: &Startup,
    live: &Arc<Live>,
    metrics: &Arc<Metrics>,
    log: &AccessLog,
) -> io::Result<Gateway> {
    clock::advance();
    let count = startup.workers.max(1);
    let http = sockets::bind(startup.address, startup.http_port, count, "--http-port")?;
    let https = sockets::bind(startup.address, startup.https_port, count, "--https-port")?;
    let mut gateway = Gateway {
        http: http[0].local_addr()?,
        https: https[0].local_addr()?,
        leaving: CancellationToken::new(),
        stop: CancellationToken::new(),
        threads: Vec::with_capacity(count),
        live: Arc::clone(live),
    };
    live.serve_on(startup.address, count);
    for (index, (http, https)) in http.into_iter().zip(https).enumerate() {
        let seat = Seat {
            index,
            http,
            https,
            https_port: gateway.https.port(),
            live: Arc::clone(live),
            metrics: metrics.worker(),
            log: log.worker(),
            ids: RequestIds::from_os()
                .map_err(|_| io::Error::other("the system gives no randomness"))?,
            leaving: gateway.leaving.clone(),
            stop: gateway.stop.clone(),
            grace: startup.grace,
        };
        let thread =
            thread::Builder::new().name(format!("worker-{index}")).spawn(move || work(seat))?;
        gateway.threads.push(thread);
    }
    Ok(gateway)
}

impl Gateway {
    /// Whether a worker has ended although nobody asked for it: it has panicked, or could not start.
    pub fn has_died(&self) -> bool {
        !self.stop.is_cancelled() && self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Asks clients to go elsewhere, without cutting anything: answers over HTTP/1 say `Connection: close`. For the time
    /// before [`Self::shut_down`] in which others still send requests here.
    pub fn leave(&self) {
        self.leaving.cancel();
    }

    /// Stops accepting, lets requests end, waits for the workers, and sends their last spans. Blocks the thread.
    pub fn shut_down(self) {
        self.stop.cancel();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker ended by a panic");
            }
        }
        self.live.spans().close(SPANS_LIMIT);
    }
}

/// The life of a worker thread.
fn work(seat: Seat) {
    let runtime = match Builder::new_current_thread().enable_all().build_local(Default::default()) {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "a worker cannot start");
            return;
        }
    };
    runtime.block_on(async move {
        let Seat { index, http, https, https_port, live, metrics, log, ids, leaving, stop, grace } =
            seat;
        let worker = Rc::new(Worker::new(live, ids, https_port, metrics, log));
        let connections = Rc::new(Connections::default());
        let mut accepting = JoinSet::new();
        for (socket, security) in [(http, Security::Plain), (https, Security::Tls)] {
            match net::TcpListener::from_std(socket) {
                Ok(listener) => {
                    let (worker, connections) = (Rc::clone(&worker), Rc::clone(&connections));
                    accepting.spawn_local(listen::accept(
                        worker,
                        connections,
                        listener,
                        security,
                        stop.clone(),
                    ));
                }
                Err(error) => tracing::error!(%error, "a listener cannot be used"),
            }
        }
        let until = Until { leaving, stop };
        let mut forwards = Forwards::new(index);
        housekeeping(&worker, &connections, &mut forwards, &mut accepting, &until).await;
        // No new ones; those that are open are waited for as for upgraded connections.
        drop(forwards);
        let grace = worker.live().settings.spec.drain_timeout.unwrap_or(grace);
        drain(&worker, &connections, grace).await;
        worker.tick();
    });
}

/// What a worker's life ends by.
struct Until {
    leaving: CancellationToken,
    stop: CancellationToken,
}

/// Does the regular work until it is told to stop.
async fn housekeeping(
    worker: &Rc<Worker>,
    connections: &Connections,
    forwards: &mut Forwards,
    accepting: &mut JoinSet<()>,
    until: &Until,
) {
    let mut ticks = time::interval(clock::TICK);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Skip);
    for round in 0u32.. {
        tokio::select! {
            biased;
            () = until.stop.cancelled() => return,
            () = until.leaving.cancelled(), if !worker.is_leaving() => worker.leave(),
            Some(Err(error)) = accepting.join_next() => {
                // Without it the worker would be deaf and look healthy.
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
            _ = ticks.tick() => {}
        }
        clock::advance();
        worker.deadlines.wake_expired();
        forwards.follow(worker);
        if round.is_multiple_of(HOUSEKEEPING_TICKS) {
            connections.sweep(worker);
            worker.tick();
        }
    }
}

async fn drain(worker: &Worker, connections: &Connections, grace: Duration) {
    worker.drain();
    let deadline = Instant::now() + grace;
    worker.tunnels.close();
    while !(connections.is_empty() && worker.tunnels.is_empty()) && Instant::now() < deadline {
        clock::advance();
        worker.deadlines.wake_expired();
        connections.sweep(worker);
        worker.tick();
        time::sleep(clock::TICK / 4).await;
    }
    if !connections.is_empty() {
        tracing::warn!(
            left = connections.len(),
            "connections are cut at the end of the grace period"
        );
        connections.abort_all();
        time::sleep(clock::TICK / 10).await;
    }
}
