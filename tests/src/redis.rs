//! A real redis-server on a free loopback port, with nothing on disk; killed when dropped.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

const READY_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// Which server is started.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// The Redis or Valkey server
    #[arg(long, default_value = "redis-server")]
    pub redis: PathBuf,
}

/// A running server; its port stays the same when it is started again.
pub struct Redis {
    program: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// Starts it; returns when it listens.
    pub async fn start(&self) -> Result<Redis> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = free.local_addr()?;
        drop(free);
        let mut redis = Redis { program: self.redis.clone(), address, child: None };
        redis.run().await?;
        Ok(redis)
    }
}

impl Redis {
    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Starts it, with nothing in it.
    pub async fn run(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["--port", &self.address.port().to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.current_dir(std::env::temp_dir());
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child =
            command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let child = self.child.insert(child);
        let started = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("{} ended with {status}", self.program.display());
            }
            ensure!(started.elapsed() < READY_LIMIT, "the server does not listen");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Ends it at once.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// How many keys it holds.
    pub async fn keys(&self) -> Result<u64> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(b"DBSIZE\r\n").await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n") {
            ensure!(stream.read_buf(&mut answer).await? > 0, "the server has closed");
        }
        let text = String::from_utf8_lossy(&answer);
        text.trim().trim_start_matches(':').parse().context("not a number")
    }
}
