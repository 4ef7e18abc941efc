//! What a flood of client addresses does to one limit: memory, and the time of requests, beside the same flood without the limit.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
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
    report::Report,
    stats::{Sample, milliseconds},
};

/// What counts as slow.
const SLOW: Duration = Duration::from_millis(5);
/// Addresses from here on are those of the flood.
const FIRST: u32 = 0x0a00_0000;
/// Those from here on warm up. They are not limited, so that nothing is remembered of them.
const WARM_UP: u32 = 0x6440_0000;
const NOT_LIMITED: &str = "100.64.0.0/10";
/// Before memory is read, at both ends.
const REST: Duration = Duration::from_secs(2);

/// What is measured, and the limits.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program under test
    #[command(flatten)]
    pub program: Program,
    /// Client addresses
    #[arg(long, default_value_t = 1_000_000)]
    pub keys: u32,
    /// Requests before the first reading of memory
    #[arg(long, default_value_t = 20_000)]
    pub warm_up: u32,
    /// Keep-alive connections
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// Accepted growth of resident memory with the limit, in MiB
    #[arg(long, default_value_t = 10.0)]
    pub max_growth_mib: f64,
    /// Accepted difference of the p99.9 with and without the limit, in milliseconds; only shown without it
    #[arg(long)]
    pub max_difference_ms: Option<f64>,
}

/// Measures. An error means that the gateway failed, or did not limit.
pub async fn run(options: &Options) -> Result<Report> {
    let without = Flood::run(options, &[]).await?;
    let rates = [("limit-rps", "1"), ("limit-rpm", "1"), ("limit-allowlist", NOT_LIMITED)];
    let with = Flood::run(options, &rates).await?;
    let difference = with.thousandth() - without.thousandth();
    let passed = with.growth() <= options.max_growth_mib
        && options.max_difference_ms.is_none_or(|most| difference <= most);
    let text = format!(
        "{} client addresses, one request each\n  without a limit  {without}\n  with a limit     {with}\n  growth at most {} MiB: {}; p99.9 differs by {difference:.2} ms\n",
        options.keys,
        options.max_growth_mib,
        if passed { "kept" } else { "MISSED" },
    );
    let json = json!({
        "keys": options.keys, "without": without.json(), "with": with.json(), "p999_difference_ms": difference,
        "growth_limit_mib": options.max_growth_mib, "passed": passed,
    });
    Ok(Report { json, text, passed })
}

/// What a flood did.
struct Flood {
    /// Resident memory before, afterwards, and the most in between, in MiB.
    memory: [f64; 3],
    took: Sample,
    slow: usize,
    seconds: f64,
}

impl Flood {
    async fn run(options: &Options, limit: &[(&str, &str)]) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let scene = Scene::new(scratch.path()).await?;
        scene.configure(&[("enable-real-ip", "true"), ("proxy-real-ip-cidr", "127.0.0.0/8")])?;
        scene.limit(limit)?;
        let program = Scene::program(&options.program);
        let gateway = program.start(&[scene.path()], &scratch.path().join("headgate.log")).await?;
        flood(gateway.http, WARM_UP, options.warm_up, options.connections).await?;
        tokio::time::sleep(REST).await;
        let before = gateway.memory()?;
        let begin = Instant::now();
        let took = flood(gateway.http, FIRST, options.keys, options.connections).await?;
        let seconds = begin.elapsed().as_secs_f64();
        check(gateway.http, !limit.is_empty()).await?;
        tokio::time::sleep(REST).await;
        let after = gateway.memory()?;
        gateway.stop().await?;
        let slow = took.iter().filter(|took| **took > SLOW).count();
        let memory = [before.resident, after.resident, after.peak];
        Ok(Self { memory, took: Sample::new(took), slow, seconds })
    }

    fn growth(&self) -> f64 {
        self.memory[1] - self.memory[0]
    }

    /// The p99.9 in milliseconds.
    fn thousandth(&self) -> f64 {
        milliseconds(self.took.of_thousand(999))
    }

    fn json(&self) -> Value {
        let [before, after, peak] = self.memory;
        json!({
            "resident_before_mib": before, "resident_after_mib": after, "peak_mib": peak, "took": self.took.json(),
            "p999_ms": self.thousandth(), "over_5_ms": self.slow, "seconds": self.seconds,
        })
    }
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after, peak] = self.memory;
        let [p50, p99, max] =
            [50, 99, 100].map(|percent| milliseconds(self.took.percentile(percent)));
        write!(
            f,
            "resident {before:.1} -> {after:.1} MiB (peak {peak:.1}); p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {:.2} ms, max {max:.2} ms, {} over 5 ms; {:.0} requests per second",
            self.thousandth(),
            self.slow,
            self.took.count() as f64 / self.seconds
        )
    }
}

/// One request of each of so many clients; the time that each took.
async fn flood(
    gateway: SocketAddr,
    first: u32,
    count: u32,
    connections: usize,
) -> Result<Vec<Duration>> {
    let next = Arc::new(AtomicU32::new(0));
    let mut asking = JoinSet::new();
    for _ in 0..connections {
        asking.spawn(ask(gateway, first, count, Arc::clone(&next)));
    }
    let mut took = Vec::with_capacity(count as usize);
    while let Some(part) = asking.join_next().await {
        took.append(&mut part??);
    }
    Ok(took)
}

async fn ask(
    gateway: SocketAddr,
    first: u32,
    count: u32,
    next: Arc<AtomicU32>,
) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(gateway).await?;
    let mut took = Vec::new();
    loop {
        let number = next.fetch_add(1, Relaxed);
        if number >= count {
            return Ok(took);
        }
        let client = Ipv4Addr::from_bits(first.checked_add(number).context("too many clients")?);
        let begin = Instant::now();
        let answer = connection.get_from(HOST, "/", client.into()).await?;
        took.push(begin.elapsed());
        ensure!(answer.status == 200, "{client} is answered {}", answer.status);
    }
}

/// Makes sure that clients are told apart by what they say, and limited if they should be.
async fn check(gateway: SocketAddr, is_limited: bool) -> Result<()> {
    let mut connection = Connection::open(gateway).await?;
    let mut last = 0;
    for _ in 0..20 {
        last = connection.get_from(HOST, "/", [192, 0, 2, 1].into()).await?.status;
    }
    let expected = if is_limited { TOO_MANY } else { 200 };
    ensure!(last == expected, "the twentieth request of one client is answered {last}");
    Ok(())
}
