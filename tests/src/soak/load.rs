//! The load of the soak: keep-alive connections that ask steady routes and check every answer, and WebSockets that talk
//! throughout. What they see is only counted here; whether it is acceptable is decided in the report.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Options,
    scene::{PLAIN, PROBES, Probe, SECURE, SECURE_PROBES},
};
use crate::{
    client::{self, Connection},
    tls,
    websocket::WebSocket,
};

/// Pause of the slow connections: few enough requests that no limit of requests per connection ever ends them.
const SLOW: Duration = Duration::from_millis(150);
const SAMPLES: usize = 20;

/// Where the gateway listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub http: SocketAddr,
    pub https: SocketAddr,
}

/// What the load saw.
#[derive(Debug, Default)]
pub struct Load {
    /// Requests sent.
    pub requests: u64,
    /// Requests without the right answer.
    pub failed: u64,
    /// Connections that the gateway ended for no reason of its own settings.
    pub closed: u64,
    /// Connections that it ended with an announcement after the agreed number of requests.
    pub announced: u64,
    /// WebSockets that lived to the end.
    pub websockets_open: usize,
    /// Texts echoed over WebSockets.
    pub echoes: u64,
    samples: Vec<String>,
}

impl Load {
    /// Adds what another task saw.
    pub fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.closed += other.closed;
        self.announced += other.announced;
        self.websockets_open += other.websockets_open;
        self.echoes += other.echoes;
        self.samples.extend(other.samples);
        self.samples.truncate(SAMPLES);
    }

    /// All counts and the first failures.
    pub fn json(&self) -> Value {
        json!({
            "requests": self.requests, "failed": self.failed, "closed_connections": self.closed,
            "announced_closes": self.announced, "websockets_open": self.websockets_open, "websocket_echoes": self.echoes,
            "samples": self.samples,
        })
    }

    fn fail(&mut self, begin: Instant, what: String) {
        self.failed += 1;
        self.sample(begin, what);
    }

    fn sample(&mut self, begin: Instant, what: String) {
        if self.samples.len() < SAMPLES {
            self.samples.push(format!("{:.3} s: {what}", begin.elapsed().as_secs_f64()));
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "failed {}, closed connections {}, announced closes {}",
            self.failed, self.closed, self.announced
        )?;
        writeln!(
            f,
            "WebSockets open at the end {} of 2, {} echoes",
            self.websockets_open, self.echoes
        )?;
        self.samples.iter().try_for_each(|sample| writeln!(f, "  {sample}"))
    }
}

/// One client: asks until told to stop, and opens a new connection when one was lost. Of eight clients
/// two use TLS, one of them slowly; of the other six two are slow.
pub async fn connection(
    number: usize,
    addresses: Addresses,
    options: Options,
    stop: Arc<AtomicBool>,
) -> Load {
    let secure = matches!(number % 8, 0 | 4);
    let slow = matches!(number % 8, 0 | 2 | 3);
    let pause = if slow { SLOW } else { Duration::from_millis(options.pause_ms) };
    let mut worker = Worker {
        load: Load::default(),
        begin: Instant::now(),
        next: number,
        pause,
        limit: options.keep_alive_requests,
    };
    while !stop.load(Ordering::Relaxed) {
        let opened = worker.begin.elapsed();
        if secure {
            let Ok(client) = tls::Client::new() else {
                break;
            };
            match client.connect(addresses.https, SECURE).await {
                Ok((stream, _)) => {
                    worker.use_up(Connection::new(stream), &SECURE_PROBES, &stop).await
                }
                Err(error) => worker.load.fail(worker.begin, format!("TLS connection: {error}")),
            }
        } else {
            match Connection::open(addresses.http).await {
                Ok(connection) => worker.use_up(connection, &PROBES, &stop).await,
                Err(failure) => worker.load.fail(worker.begin, failure.to_string()),
            }
        }
        // A gateway that is gone is not asked a million times.
        if worker.begin.elapsed() - opened < SLOW && !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(SLOW).await;
        }
    }
    worker.load
}

struct Worker {
    load: Load,
    begin: Instant,
    next: usize,
    pause: Duration,
    limit: u64,
}

impl Worker {
    /// Asks over one connection until it ends or the run does.
    async fn use_up<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut connection: Connection<S>,
        probes: &[Probe],
        stop: &AtomicBool,
    ) {
        while !stop.load(Ordering::Relaxed) {
            let Some(probe) = probes.get(self.next % probes.len()) else {
                return;
            };
            self.next += 1;
            self.load.requests += 1;
            match connection.get(probe.host, probe.target).await {
                Ok(answer) => {
                    if answer.status != 200 || !probe.accepts(&answer.text()) {
                        let start: String = answer.text().chars().take(60).collect();
                        self.load.fail(
                            self.begin,
                            format!("{}{}: {} {start:?}", probe.host, probe.target, answer.status),
                        );
                    }
                    if answer.close {
                        return self.announced(connection.requests());
                    }
                }
                Err(failure) => {
                    if failure.is_closed() {
                        self.load.closed += 1;
                    }
                    let after = connection.requests();
                    return self.load.fail(
                        self.begin,
                        format!("{}{}: {failure} (request {after})", probe.host, probe.target),
                    );
                }
            }
            tokio::time::sleep(self.pause).await;
        }
    }

    fn announced(&mut self, requests: u64) {
        if self.limit > 0 && requests >= self.limit {
            self.load.announced += 1;
        } else {
            self.load.closed += 1;
            self.load.sample(
                self.begin,
                format!("connection closed with an announcement after {requests} requests"),
            );
        }
    }
}

/// One WebSocket that is opened at the start and talks to the end.
pub async fn websocket(secure: bool, addresses: Addresses, stop: Arc<AtomicBool>) -> Load {
    let (mut load, begin) = (Load::default(), Instant::now());
    let outcome = if secure {
        match async { tls::Client::new()?.connect(addresses.https, SECURE).await }.await {
            Ok((stream, _)) => talk(stream, SECURE, &mut load, &stop).await,
            Err(error) => Err(error),
        }
    } else {
        match client::tcp(addresses.http).await {
            Ok(stream) => talk(stream, PLAIN, &mut load, &stop).await,
            Err(failure) => Err(failure.into()),
        }
    };
    match outcome {
        Ok(()) => load.websockets_open = 1,
        Err(error) => load.sample(
            begin,
            format!("WebSocket (TLS: {secure}) after {} echoes: {error}", load.echoes),
        ),
    }
    load
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    load: &mut Load,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let mut socket = WebSocket::connect(stream, host, "/ws/chat").await?;
    while !stop.load(Ordering::Relaxed) {
        let text = format!("text {}", load.echoes);
        tokio::time::timeout(client::REQUEST_LIMIT, socket.exchange(&text)).await??;
        load.echoes += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    socket.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(limit: u64) -> Worker {
        Worker {
            load: Load::default(),
            begin: Instant::now(),
            next: 0,
            pause: Duration::ZERO,
            limit,
        }
    }

    #[test]
    fn a_close_at_the_agreed_limit_is_no_failure_and_an_earlier_one_is() {
        let mut worker = worker(1000);
        worker.announced(1000);
        worker.announced(999);
        assert_eq!((worker.load.announced, worker.load.closed), (1, 1));
    }

    #[test]
    fn without_a_limit_every_close_counts() {
        let mut worker = worker(0);
        worker.announced(5000);
        assert_eq!(worker.load.closed, 1);
    }

    #[tokio::test]
    async fn a_wrong_answer_and_a_cut_connection_are_both_counted() {
        use tokio::io::AsyncWriteExt;
        let (client, mut server) = tokio::io::duplex(4096);
        let probe = PROBES[0];
        let right = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nsteady-1 /\n";
        let wrong = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
        server.write_all(format!("{right}{wrong}").as_bytes()).await.unwrap();
        server.shutdown().await.unwrap();
        tokio::spawn(async move { tokio::io::copy(&mut server, &mut tokio::io::sink()).await });
        let mut worker = worker(1000);
        worker.use_up(Connection::new(client), &[probe], &AtomicBool::new(false)).await;
        assert_eq!((worker.load.requests, worker.load.failed, worker.load.closed), (3, 2, 1));
    }
}
