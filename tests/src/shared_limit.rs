//! Do two gateways with one Redis enforce one limit? Both are asked for more than it allows; afterwards the server is killed
//! and started again, with either fall-back.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    client::Connection,
    gateway::Program,
    limited::{HOST, Scene, TOO_MANY},
    redis::Server,
    report::Report,
    stats::{Sample, milliseconds},
};

/// What came ahead of time is used up by then, and the gateways have noticed what happened to the server.
const SETTLE: Duration = Duration::from_millis(2500);
const UNAVAILABLE: u16 = 503;

/// What is measured, and the limits.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program under test
    #[command(flatten)]
    pub program: Program,
    /// The server that counts
    #[command(flatten)]
    pub server: Server,
    /// Seconds with the server
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// Seconds of each phase after that
    #[arg(long, default_value_t = 5)]
    pub phase_seconds: u64,
    /// Requests per second that both together may let through
    #[arg(long, default_value_t = 100)]
    pub rate: u32,
    /// Accepted difference from it
    #[arg(long, default_value_t = 5.0)]
    pub tolerance: f64,
    /// Keep-alive connections to each of both
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Milliseconds between two requests of one
    #[arg(long, default_value_t = 5)]
    pub pause_ms: u64,
    /// Milliseconds that a request may wait for the server
    #[arg(long, default_value_t = 20)]
    pub timeout_ms: u64,
}

/// Measures. An error means that a gateway or the server failed in itself.
pub async fn run(options: &Options) -> Result<Report> {
    let scratch = tempfile::tempdir()?;
    let mut redis = options.server.start().await?;
    let scene = Scene::new(scratch.path()).await?;
    let rate = options.rate.to_string();
    scene.limit(&[
        ("limit-rps", &rate),
        ("limit-burst-multiplier", "1"),
        ("headgate.io/limit-shared", "true"),
    ])?;
    let (url, timeout) = (redis.url(), options.timeout_ms.to_string());
    let configure = |fallback: &str| {
        scene.configure(&[
            ("limit-shared-url", &url),
            ("limit-shared-timeout", &timeout),
            ("limit-shared-fallback", fallback),
        ])
    };
    configure("local")?;
    let program = Scene::program(&options.program);
    let one = program.start(&[scene.path()], &scratch.path().join("one.log")).await?;
    let two = program.start(&[scene.path()], &scratch.path().join("two.log")).await?;
    let load = Load::start(options, &[one.http, two.http]);

    let whole = f64::from(options.rate);
    let (long, short) =
        (Duration::from_secs(options.seconds), Duration::from_secs(options.phase_seconds));
    let mut phases = vec![load.phase("with the server", long, whole).await?];
    redis.kill().await?;
    phases.push(load.phase("without, local", short, 2.0 * whole).await?);
    redis.run().await?;
    phases.push(load.phase("with it again", short, whole).await?);
    configure("closed")?;
    phases.push(load.phase("with it, closed", short, whole).await?);
    redis.kill().await?;
    phases.push(load.phase("without, closed", short, 0.0).await?);
    redis.run().await?;
    phases.push(load.phase("with it again", short, whole).await?);
    load.stop().await?;
    one.stop().await?;
    two.stop().await?;
    Ok(report(options, &phases))
}

fn report(options: &Options, phases: &[Phase]) -> Report {
    let passed = phases.iter().all(|phase| phase.is_kept(options.tolerance));
    let mut text = format!("two gateways, one limit of {} requests per second\n", options.rate);
    for phase in phases {
        let verdict = if phase.is_kept(options.tolerance) { "" } else { "  MISSED" };
        text += &format!("  {phase}{verdict}\n");
    }
    let json = json!({
        "rate": options.rate, "tolerance": options.tolerance,
        "phases": phases.iter().map(Phase::json).collect::<Vec<_>>(), "passed": passed,
    });
    Report { json, text, passed }
}

/// What came of the requests of a while.
struct Phase {
    name: &'static str,
    /// Requests per second that should have passed; where the server answers, with each of both together.
    expected: f64,
    passed: f64,
    refused: f64,
    unavailable: f64,
    took: Sample,
}

impl Phase {
    /// What is counted by two for themselves may be off by twice as much.
    fn is_kept(&self, tolerance: f64) -> bool {
        let others = if self.expected > 0.0 { self.unavailable } else { self.refused };
        (self.passed - self.expected).abs() <= tolerance.max(self.expected * tolerance / 100.0)
            && others <= tolerance
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "expected_per_second": self.expected, "passed_per_second": self.passed,
            "refused_per_second": self.refused, "unavailable_per_second": self.unavailable, "took": self.took.json(),
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, expected, passed, refused, unavailable, took } = self;
        let [p50, p99, max] = [50, 99, 100].map(|percent| milliseconds(took.percentile(percent)));
        write!(
            f,
            "{name:16} {passed:6.1}/s pass (expected {expected:.0}), {refused:6.1}/s are too many, {unavailable:6.1}/s find nobody who counts; p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms"
        )
    }
}

/// Connections that ask all the time.
struct Load {
    seen: Arc<Seen>,
    asking: JoinSet<Result<()>>,
}

#[derive(Default)]
struct Seen {
    ends: AtomicBool,
    passed: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
    took: Mutex<Vec<Duration>>,
}

impl Load {
    fn start(options: &Options, gateways: &[SocketAddr]) -> Self {
        let seen = Arc::new(Seen::default());
        let pause = Duration::from_millis(options.pause_ms);
        let mut asking = JoinSet::new();
        for gateway in gateways {
            for _ in 0..options.connections {
                asking.spawn(ask(*gateway, pause, Arc::clone(&seen)));
            }
        }
        Self { seen, asking }
    }

    /// What comes of the requests of `length`, as soon as what happened before has settled.
    async fn phase(&self, name: &'static str, length: Duration, expected: f64) -> Result<Phase> {
        // The longest time is that of all requests, those included that are the first to find out.
        self.seen.took()?.clear();
        tokio::time::sleep(SETTLE).await;
        let before = self.seen.counts();
        let begin = Instant::now();
        tokio::time::sleep(length).await;
        let after = self.seen.counts();
        let seconds = begin.elapsed().as_secs_f64();
        let [passed, refused, unavailable] =
            std::array::from_fn(|at| (after[at] - before[at]) as f64 / seconds);
        let took = Sample::new(std::mem::take(&mut *self.seen.took()?));
        Ok(Phase { name, expected, passed, refused, unavailable, took })
    }

    async fn stop(mut self) -> Result<()> {
        self.seen.ends.store(true, Relaxed);
        while let Some(ended) = self.asking.join_next().await {
            ended??;
        }
        Ok(())
    }
}

impl Seen {
    fn counts(&self) -> [u64; 3] {
        [&self.passed, &self.refused, &self.unavailable].map(|count| count.load(Relaxed))
    }

    fn took(&self) -> Result<std::sync::MutexGuard<'_, Vec<Duration>>> {
        self.took.lock().ok().context("a connection has panicked")
    }
}

async fn ask(gateway: SocketAddr, pause: Duration, seen: Arc<Seen>) -> Result<()> {
    let mut connection = Connection::open(gateway).await?;
    while !seen.ends.load(Relaxed) {
        let begin = Instant::now();
        let status = connection.get(HOST, "/").await?.status;
        seen.took()?.push(begin.elapsed());
        let count = match status {
            200 => &seen.passed,
            TOO_MANY => &seen.refused,
            UNAVAILABLE => &seen.unavailable,
            _ => {
                ensure!(false, "an answer with status {status}");
                continue;
            }
        };
        count.fetch_add(1, Relaxed);
        tokio::time::sleep(pause).await;
    }
    Ok(())
}
