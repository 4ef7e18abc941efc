//! A Kubernetes cluster for a person to try things in, until Ctrl-C: no containers, nothing installed, nothing left behind. The program
//! starts itself again inside the cluster's namespaces; the outer half keeps ports open on the machine's loopback.

mod doors;
mod inside;

use std::{
    env,
    io::ErrorKind,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use headgate_cluster::{Programs, isolation};
use tokio::{
    net::TcpListener,
    process::Command,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::timeout,
};

/// Starts a Kubernetes cluster without containers and keeps it until Ctrl-C
#[derive(Debug, Parser)]
#[command(name = "cluster")]
pub(crate) struct Cli {
    /// Port on 127.0.0.1 for plain HTTP through the gateway
    #[arg(long, default_value_t = 8080)]
    http_port: u16,
    /// Port on 127.0.0.1 for HTTPS through the gateway
    #[arg(long, default_value_t = 8443)]
    https_port: u16,
    /// Port on 127.0.0.1 for the gateway's health, metrics and live routes
    #[arg(long, default_value_t = 10254)]
    admin_port: u16,
    /// Port on 127.0.0.1 for the Kubernetes API
    #[arg(long, default_value_t = 6443)]
    api_port: u16,
    /// Number of nodes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Leave the cluster empty: no headgate, no blog
    #[arg(long)]
    empty: bool,
    /// The folder that both halves see; set by the outer one
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

/// How long the kernel may take to end everything.
const END_LIMIT: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let cli = Cli::parse();
    if isolation::is_inside() {
        isolation::enter()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match &cli.folder {
            Some(folder) if isolation::is_inside() => inside::run(&cli, folder).await,
            _ => outside(&cli).await,
        }
    })
}

/// Opens the ports, starts the inner half, and waits for a signal or for its end.
async fn outside(cli: &Cli) -> Result<()> {
    Programs::find()?;
    let folder = tempfile::Builder::new().prefix("headgate-cluster-").tempdir()?;
    let mut doors = JoinSet::new();
    for (port, name) in [
        (cli.api_port, "api"),
        (cli.http_port, "http"),
        (cli.https_port, "https"),
        (cli.admin_port, "admin"),
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => {
                anyhow::anyhow!("port {port} is taken: choose another with --{name}-port")
            }
            _ => anyhow::Error::new(error).context(format!("cannot listen on port {port}")),
        })?;
        doors.spawn(doors::outer(listener, socket(folder.path(), name)));
    }
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut command = Command::from(isolation::command(&env::current_exe()?));
    command.args(env::args_os().skip(1)).arg("--folder").arg(folder.path());
    let mut child = command.spawn().context("cannot run unshare (Debian package util-linux)")?;
    // Waiting would close it.
    let lifeline = child.stdin.take();
    let ended = tokio::select! {
        ended = child.wait() => Some(ended?),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    match ended {
        Some(status) => bail!("the cluster ended by itself, {status}"),
        None => {
            drop(lifeline);
            timeout(END_LIMIT, child.wait()).await.context("the cluster does not end")??;
            Ok(())
        }
    }
}

/// The socket of a door.
pub(crate) fn socket(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.socket"))
}
