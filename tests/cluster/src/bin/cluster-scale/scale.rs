//! What many objects cost: the time to ready, memory, CPU time while nothing happens and while endpoints change.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use headgate_cluster::{Cluster, HeadgateProcess, wait};
use headgate_tests::{client::Connection, gateway::memory_of, stats::Sample};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    Cli,
    process::CpuTime,
    set::{Set, send},
    start,
    table::Table,
};

/// Patches at a time.
const CONCURRENCY: usize = 16;
/// It counts as idle when it used less than this for a second, in percent of a core.
const STILL_PERCENT: f64 = 2.0;
const STILL_LIMIT: Duration = Duration::from_secs(60);
const VISIBLE_LIMIT: Duration = Duration::from_secs(10);

/// Measures with the set that is there.
pub(crate) async fn measure(
    cli: &Cli,
    cluster: &Cluster,
    set: &Set,
    table: &mut Table,
) -> Result<()> {
    let mut starts = Vec::new();
    let mut last: Option<HeadgateProcess> = None;
    let mut at_ready: f64 = 0.0;
    for _ in 0..cli.starts.max(1) {
        if let Some(gateway) = last.take() {
            gateway.stop().await?;
        }
        let (gateway, took) = start(cli, cluster, &[]).await?;
        at_ready = at_ready.max(memory_of(gateway.id)?.resident);
        starts.push(took);
        last = Some(gateway);
    }
    let gateway = last.context("nothing was started")?;
    let size = format!("{} Ingresses, {} endpoints", cli.ingresses, cli.endpoints);
    let starts = Sample::new(starts);
    let median = starts.percentile(50).as_secs_f64();
    table.figure(&format!("start to ready, {size}"), median, "s", Some(cli.max_start_seconds));
    table.figure("  (the slowest)", starts.max().as_secs_f64(), "s", None);
    table.figure("resident when ready", at_ready, "MiB", Some(cli.max_mib));

    let settled = settle(gateway.id).await?;
    table.figure("  quiet after", settled.as_secs_f64(), "s", None);
    let before = CpuTime::of(gateway.id)?;
    sleep(Duration::from_secs(cli.seconds)).await;
    let idle = before.since()?;
    table.figure("CPU, idle", idle.percent, "% of a core", Some(cli.max_idle_percent));
    table.note("  by thread", idle.threads);
    table.figure("resident when idle", memory_of(gateway.id)?.resident, "MiB", Some(cli.max_mib));

    let before = CpuTime::of(gateway.id)?;
    let rate = change(cli, cluster, set).await?;
    let busy = before.since()?;
    let what = format!("CPU, {rate:.0} endpoint changes/s");
    table.figure(&what, busy.percent, "% of a core", Some(cli.max_busy_percent));
    table.note("  by thread", busy.threads);
    let late = visible(&gateway, set).await?;
    table.figure("  last change in the table after", late.as_secs_f64() * 1000.0, "ms", None);
    let memory = memory_of(gateway.id)?;
    table.figure("resident after changes", memory.resident, "MiB", Some(cli.max_mib));
    table.figure("  (highest ever)", memory.peak, "MiB", None);
    gateway.stop().await
}

/// Waits until the process does next to nothing; how long that took.
async fn settle(id: u32) -> Result<Duration> {
    let begin = Instant::now();
    while begin.elapsed() < STILL_LIMIT {
        let before = CpuTime::of(id)?;
        sleep(Duration::from_secs(1)).await;
        if before.since()?.percent < STILL_PERCENT {
            break;
        }
    }
    Ok(begin.elapsed())
}

/// Changes the endpoints of one Service after the other; the rate that was reached.
async fn change(cli: &Cli, cluster: &Cluster, set: &Set) -> Result<f64> {
    let client = cluster.client();
    let total = cli.seconds as usize * cli.rate as usize;
    let mut ticks = interval(Duration::from_secs(1) / cli.rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let done = AtomicUsize::new(0);
    let begin = Instant::now();
    let numbers = stream::unfold((ticks, 0), async |(mut ticks, number)| {
        ticks.tick().await;
        (number < total).then_some((number, (ticks, number + 1)))
    });
    numbers
        .map(async |number| {
            let path = set.slice(number % set.applications.len()).context("an empty set")?;
            send(&client, "PATCH", &path, &endpoints(number)).await?;
            done.fetch_add(1, Ordering::Relaxed);
            anyhow::Ok(())
        })
        .buffer_unordered(CONCURRENCY)
        .try_for_each(async |()| Ok(()))
        .await?;
    // The last one is one that can be found.
    let path = set.slice(0).context("an empty set")?;
    send(&client, "PATCH", &path, &endpoints(LAST)).await?;
    Ok(done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
}

const LAST: usize = 65_000;

/// Five endpoints, others for each number.
fn endpoints(number: usize) -> serde_json::Value {
    let endpoints: Vec<_> =
        (1..=5).map(|last| json!({"addresses": [address(number, last)]})).collect();
    json!({"endpoints": endpoints})
}

fn address(number: usize, last: u8) -> Ipv4Addr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 192 + last, high, low)
}

/// Waits until the last change is in the live table; how long that took.
async fn visible(gateway: &HeadgateProcess, set: &Set) -> Result<Duration> {
    let begin = Instant::now();
    let host = set.applications.first().context("an empty set")?.host.clone();
    let wanted = address(LAST, 1).to_string();
    wait("the last change in the live table", VISIBLE_LIMIT, async || {
        let mut connection = Connection::open(gateway.healthz).await?;
        let table = connection.get("localhost", &format!("/api/routes?host={host}")).await?;
        ensure!(table.status == 200, "the live table is answered {}", table.status);
        Ok(table.text().contains(&wanted))
    })
    .await?;
    Ok(begin.elapsed())
}
