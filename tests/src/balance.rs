//! Which endpoints answer how many requests? Shares of a canary and of clients that are bound by a cookie over thousands of
//! requests, what `ewma` leaves to a slow endpoint, and what fails when one of three endpoints is killed under load.

mod killed;
mod scene;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use tokio::task::JoinSet;

use self::{killed::Killed, scene::Scene};
use crate::{client::Connection, gateway::Program, report::Report};

/// What is measured, and the limits.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program under test
    #[command(flatten)]
    pub program: Program,
    /// Requests of each distribution
    #[arg(long, default_value_t = 20_000)]
    pub requests: u64,
    /// Accepted difference of a share, in hundredths of all requests
    #[arg(long, default_value_t = 1.0)]
    pub tolerance: f64,
    /// Hundredths of all requests that the slow endpoint may get
    #[arg(long, default_value_t = 3.0)]
    pub max_slow: f64,
    /// Keep-alive connections
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// Seconds of load before and after an endpoint is killed
    #[arg(long, default_value_t = 2)]
    pub seconds: u64,
}

/// Measures. An error means that the gateway failed in itself.
pub async fn run(options: &Options) -> Result<Report> {
    let scratch = tempfile::tempdir()?;
    let mut scene = Scene::new(scratch.path()).await?;
    let log = scratch.path().join("log");
    let gateway = options.program.start(&[scene.path()], &log).await?;
    let mut shares = Vec::new();
    for (host, expected) in [
        ("canary.example", &[("main", 0.9), ("next", 0.1)][..]),
        ("total.example", &[("main-total", 0.75), ("next-total", 0.25)]),
        ("balanced.example", &scene::QUARTERS),
        ("persistent.example", &scene::QUARTERS),
        ("turn.example", &scene::QUARTERS),
    ] {
        let counts = ask(options, gateway.http, host, options.requests).await?;
        shares.push(Shares::new(host, counts, expected, options.tolerance));
    }
    let counts = ask(options, gateway.http, scene::TIMED, options.requests / 4).await?;
    let slow = percent(&counts, scene::SLOW);
    let pause = Duration::from_secs(options.seconds);
    let mut killed = Vec::new();
    for host in scene::KILLED {
        let pods = scene.pods_of(host).context("the pods are there")?;
        killed.push(killed::run(gateway.http, host, pods, options.connections, pause).await?);
    }
    gateway.stop().await?;
    Ok(report(options, &shares, (&counts, slow), &killed))
}

fn report(
    options: &Options,
    shares: &[Shares],
    (timed, slow): (&Counts, f64),
    killed: &[Killed],
) -> Report {
    let is_avoided = slow <= options.max_slow;
    let passed =
        is_avoided && shares.iter().all(|shares| shares.kept) && killed.iter().all(Killed::is_fine);
    let missed = |kept: bool| if kept { "" } else { "  MISSED" };
    let mut text = format!("shares of {} requests\n", options.requests);
    for Shares { host, counts, kept } in shares {
        text += &format!("  {host:20} {}{}\n", shown(counts), missed(*kept));
    }
    text += &format!(
        "ewma beside a slow endpoint\n  {:20} {}{}\n",
        scene::TIMED,
        shown(timed),
        missed(is_avoided)
    );
    text += "one of three endpoints killed under load\n";
    for killed in killed {
        text += &format!("  {killed}{}\n", missed(killed.is_fine()));
    }
    let json = json!({
        "shares": shares.iter().map(|shares| (shares.host, shares.counts.clone())).collect::<BTreeMap<_, _>>(),
        "slow_percent": slow, "killed": killed.iter().map(Killed::json).collect::<Vec<_>>(), "passed": passed,
    });
    Report { json, text, passed }
}

/// Answers by the name of their endpoint.
type Counts = BTreeMap<String, u64>;

struct Shares {
    host: &'static str,
    counts: Counts,
    kept: bool,
}

impl Shares {
    fn new(host: &'static str, counts: Counts, expected: &[(&str, f64)], tolerance: f64) -> Self {
        let off = |(name, share): &(&str, f64)| (percent(&counts, name) - share * 100.0).abs();
        let kept = expected.iter().all(|expected| off(expected) <= tolerance);
        Self { host, kept, counts }
    }
}

fn percent(counts: &Counts, name: &str) -> f64 {
    let all: u64 = counts.values().sum();
    counts.get(name).copied().unwrap_or_default() as f64 * 100.0 / all.max(1) as f64
}

fn shown(counts: &Counts) -> String {
    let share = |name: &String| format!("{name} {:.2} %", percent(counts, name));
    counts.keys().map(share).collect::<Vec<_>>().join(", ")
}

/// Asks a host so many times, as clients that know no cookies.
async fn ask(
    options: &Options,
    gateway: SocketAddr,
    host: &'static str,
    requests: u64,
) -> Result<Counts> {
    let left = Arc::new(AtomicU64::new(requests));
    let mut asking = JoinSet::new();
    for _ in 0..options.connections {
        asking.spawn(ask_on(gateway, host, Arc::clone(&left)));
    }
    let mut all = Counts::new();
    while let Some(counts) = asking.join_next().await {
        for (name, count) in counts?? {
            *all.entry(name).or_default() += count;
        }
    }
    Ok(all)
}

async fn ask_on(gateway: SocketAddr, host: &str, left: Arc<AtomicU64>) -> Result<Counts> {
    let mut counts = Counts::new();
    let mut connection = Connection::open(gateway).await?;
    let take = |left: u64| left.checked_sub(1);
    while left.fetch_update(Relaxed, Relaxed, take).is_ok() {
        let answer = connection.get(host, "/").await?;
        ensure!(answer.status == 200, "{host}: an answer with status {}", answer.status);
        let text = answer.text();
        let name = text.split(' ').next().unwrap_or_default();
        *counts.entry(name.to_owned()).or_default() += 1;
        if answer.close {
            connection = Connection::open(gateway).await?;
        }
    }
    Ok(counts)
}
