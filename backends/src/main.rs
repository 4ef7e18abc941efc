//! The `backends` program: reads the command line, logs JSON lines to standard output, runs one service until a signal.

use anyhow::Context;
use backends::Service;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// One service of the blog application
#[derive(Parser)]
#[command(name = "backends", version)]
struct Cli {
    /// What to log: error, warn, info, debug, or a filter such as `backends=debug`
    #[arg(long, env = "LOG", default_value = "info", global = true)]
    log: EnvFilter,
    #[command(subcommand)]
    service: Service,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_env_filter(cli.log)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(backends::run(cli.service, shutdown).await?)
    })
}
