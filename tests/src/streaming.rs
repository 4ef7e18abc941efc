//! Does the gateway pass on bodies of any size in constant memory? Uploads and downloads of 1 GiB, over HTTP/1 and HTTP/2 on
//! either side, read ahead or as they arrive, in pieces or not. In each the receiver stops after a quarter, until the sender
//! cannot go on either: what is not held back then would be held in memory, whose peak is looked at.

mod client;
pub mod http1;
pub mod http2;
mod origin;
mod payload;
mod scene;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use self::{
    payload::Payload,
    scene::{Scene, TRANSFERS, Transfer},
};
use crate::{
    gateway::{Gateway, Program},
    report::Report,
};

/// Enough to have made every connection and every buffer once.
const WARM_UP: u64 = 256 * 1024;
const MIB: u64 = 1024 * 1024;

/// What is measured, and the limits.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program under test
    #[command(flatten)]
    pub program: Program,
    /// Size of each body in MiB
    #[arg(long, default_value_t = 1024)]
    pub mib: u64,
    /// By how much the gateway's resident memory may exceed, at its peak, what it was before
    #[arg(long, default_value_t = 16.0)]
    pub max_growth_mib: f64,
    /// Seconds that one transfer may take
    #[arg(long, default_value_t = 120)]
    pub max_seconds: u64,
}

/// Measures. An error means that a body did not arrive, or not as it was sent.
pub async fn run(options: &Options) -> Result<Report> {
    let scratch = tempfile::tempdir()?;
    let scene = Scene::new(scratch.path()).await?;
    let log = scratch.path().join("headgate.log");
    let gateway = options.program.start(&[scene.path()], &log).await?;
    let limit = Duration::from_secs(options.max_seconds);
    for transfer in &TRANSFERS {
        carry(transfer, &scene, &gateway, WARM_UP, limit).await?;
    }
    let before = gateway.memory()?.resident;
    let begin = Instant::now();
    let mut outcomes = Vec::new();
    for transfer in &TRANSFERS {
        gateway.forget_peak()?;
        let started = Instant::now();
        let payload = carry(transfer, &scene, &gateway, options.mib * MIB, limit).await?;
        let took = started.elapsed().saturating_sub(payload.waited());
        let growth = gateway.memory()?.peak - before;
        let on_the_way = payload.on_the_way();
        outcomes.push(Outcome { transfer, total: payload.total(), took, on_the_way, growth });
    }
    let seconds = begin.elapsed().as_secs_f64();
    let after = gateway.memory()?.resident;
    gateway.stop().await?;
    Ok(report(options, &outcomes, [before, after], seconds))
}

/// Carries one body through the gateway, and gives it back with what was seen of it.
async fn carry(
    transfer: &Transfer,
    scene: &Scene,
    gateway: &Gateway,
    bytes: u64,
    limit: Duration,
) -> Result<Arc<Payload>> {
    let payload = Arc::new(Payload::new(bytes));
    scene.expect(&payload);
    let carried = client::carry(transfer, gateway, &payload);
    let carried = tokio::time::timeout(limit, carried).await;
    let carried = carried.unwrap_or_else(|_| Err(anyhow::anyhow!("not done after {limit:?}")));
    carried.with_context(|| {
        format!("{transfer}: {} bytes sent, {} received", payload.sent(), payload.received())
    })?;
    Ok(payload)
}

/// What was seen of a transfer.
struct Outcome<'a> {
    transfer: &'a Transfer,
    total: u64,
    took: Duration,
    /// Bytes that had left the sender and not reached the receiver while that one stood still.
    on_the_way: u64,
    /// In MiB.
    growth: f64,
}

impl Outcome<'_> {
    fn rate(&self) -> f64 {
        mib(self.total) / self.took.as_secs_f64().max(0.001)
    }

    fn json(&self) -> Value {
        json!({
            "transfer": self.transfer.to_string(), "mib_per_second": self.rate(),
            "on_the_way_mib": mib(self.on_the_way), "growth_mib": self.growth,
        })
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transfer, growth, .. } = self;
        let (name, on_the_way) = (transfer.to_string(), mib(self.on_the_way));
        write!(
            f,
            "{name:66} peak {growth:+6.1} MiB, {on_the_way:5.1} MiB on the way, {:5.0} MiB/s",
            self.rate()
        )
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

fn report(
    options: &Options,
    outcomes: &[Outcome<'_>],
    [before, after]: [f64; 2],
    seconds: f64,
) -> Report {
    let is_kept = |outcome: &Outcome<'_>| outcome.growth <= options.max_growth_mib;
    let passed = outcomes.iter().all(is_kept);
    let most = outcomes.iter().map(|outcome| outcome.growth).fold(0.0, f64::max);
    let mut text = format!("bodies of {} MiB\n", options.mib);
    for outcome in outcomes {
        text += &format!("  {outcome}{}\n", if is_kept(outcome) { "" } else { "  MISSED" });
    }
    text += &format!(
        "  resident {before:.1} -> {after:.1} MiB, at most {most:.1} MiB more at a peak, limit {} MiB: {}; {seconds:.0} s\n",
        options.max_growth_mib,
        if passed { "kept" } else { "MISSED" },
    );
    let json = json!({
        "mib": options.mib, "transfers": outcomes.iter().map(Outcome::json).collect::<Vec<_>>(),
        "resident_before_mib": before, "resident_after_mib": after, "growth_mib": most,
        "growth_limit_mib": options.max_growth_mib, "seconds": seconds, "passed": passed,
    });
    Report { json, text, passed }
}
