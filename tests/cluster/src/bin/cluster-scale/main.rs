//! Figures of headgate in front of a real API server: how soon changes are served, what many objects cost, how long the webhook makes
//! people wait. headgate is a process beside the cluster; nothing else runs in it. Ends with status 1 when a limit is missed.

mod admission;
mod latency;
mod process;
mod scale;
mod set;
mod table;

use std::{
    env,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use headgate_cluster::{Cluster, HeadgateProcess, Settings, isolation};
use headgate_tests::scale::Scale;

use self::{set::Set, table::Table};

/// Measures headgate with a real Kubernetes API server
#[derive(Debug, Parser)]
#[command(name = "cluster-scale")]
pub(crate) struct Cli {
    /// What to measure
    #[arg(value_enum, required = true, num_args = 1..)]
    what: Vec<What>,
    /// latency: changes of each kind
    #[arg(long, default_value_t = 500)]
    changes: usize,
    /// latency: numbers of Ingresses that are there already, ascending
    #[arg(long, value_delimiter = ',', default_value = "0,5000")]
    loaded: Vec<usize>,
    /// scale, admission: Ingresses, each with a Service of its own
    #[arg(long, default_value_t = 10_000)]
    ingresses: usize,
    /// scale, admission: endpoints, spread over the Services
    #[arg(long, default_value_t = 50_000)]
    endpoints: usize,
    /// scale: number of starts
    #[arg(long, default_value_t = 3)]
    starts: usize,
    /// scale: seconds over which CPU time is taken
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// scale: endpoint changes per second
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// admission: reviews of each kind
    #[arg(long, default_value_t = 500)]
    reviews: usize,
    /// Seconds that headgate may take to be ready
    #[arg(long, default_value_t = 120)]
    ready_seconds: u64,
    /// Further arguments for headgate, separated by blanks
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    headgate_args: String,
    /// Limit of the p99 from an answer of the API server to served traffic, in milliseconds
    #[arg(long, default_value_t = 25.0)]
    max_latency_ms: f64,
    /// Limit of the time from start to ready, as the median, in seconds
    #[arg(long, default_value_t = 3.0)]
    max_start_seconds: f64,
    /// Limit of resident memory, in MiB
    #[arg(long, default_value_t = 150.0)]
    max_mib: f64,
    /// Limit of CPU time while nothing happens, in percent of a core
    #[arg(long, default_value_t = 2.0)]
    max_idle_percent: f64,
    /// Limit of CPU time under endpoint changes, in percent of a core
    #[arg(long, default_value_t = 30.0)]
    max_busy_percent: f64,
    /// Limit of the p99 of reviews, in milliseconds
    #[arg(long, default_value_t = 20.0)]
    max_review_ms: f64,
    /// Keep the logs of headgate and the control plane in this folder
    #[arg(long)]
    logs: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Time from the API server's answer to served traffic, by kind of change
    Latency,
    /// Cold start, memory and CPU time with many objects
    Scale,
    /// Time that the validating webhook takes with many objects
    Admission,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    if !isolation::is_inside() {
        return outside();
    }
    isolation::enter()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(inside(&cli))
}

/// Starts the same program inside, and passes on how it ended.
fn outside() -> Result<ExitCode> {
    let mut command: Command = isolation::command(&env::current_exe()?);
    let mut child = command
        .args(env::args_os().skip(1))
        .spawn()
        .context("cannot run unshare (Debian package util-linux)")?;
    // As long as it is open the program inside lives.
    let lifeline = child.stdin.take();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(Duration::from_millis(50));
    };
    drop(lifeline);
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn inside(cli: &Cli) -> Result<ExitCode> {
    let cluster = Cluster::start(&Settings::default()).await?;
    let outcome = measure(cli, &cluster).await;
    if let Some(folder) = &cli.logs {
        cluster.save_logs(folder)?;
    }
    let table = outcome?;
    table.print();
    Ok(if table.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(cli: &Cli, cluster: &Cluster) -> Result<Table> {
    let mut table = Table::default();
    let mut set = Set::new(cluster.client());
    if cli.what.contains(&What::Latency) {
        latency::measure(cli, cluster, &mut set, &mut table).await?;
    }
    let large = cli.what.iter().any(|what| *what != What::Latency);
    if large {
        let (ingresses, endpoints) = (cli.ingresses, cli.endpoints);
        set.grow(&Scale { ingresses, endpoints, ..Scale::default() }).await?;
    }
    if cli.what.contains(&What::Scale) {
        scale::measure(cli, cluster, &set, &mut table).await?;
    }
    if cli.what.contains(&What::Admission) {
        admission::measure(cli, cluster, &set, &mut table).await?;
    }
    Ok(table)
}

/// Starts headgate and waits until it is ready; the time that it took.
async fn start(
    cli: &Cli,
    cluster: &Cluster,
    flags: &[&str],
) -> Result<(HeadgateProcess, Duration)> {
    let mut line = flags.to_vec();
    line.extend(cli.headgate_args.split_whitespace());
    let (program, log) = (&cluster.programs().headgate, cluster.logs().join("headgate.log"));
    let mut gateway = HeadgateProcess::start(program, &cluster.kubeconfig(), &line, &log)?;
    let took = gateway.ready(Duration::from_secs(cli.ready_seconds)).await?;
    Ok((gateway, took))
}
