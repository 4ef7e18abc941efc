//! headgate as a process beside the cluster, not as a pod in it: for questions that need several of them with other flags, or figures
//! of one that nothing else is in the way of.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::http::request;

const POLL: Duration = Duration::from_millis(2);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const TAIL_LINES: usize = 15;
/// Nobody else listens here, and they are not among those that clients get.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

/// A headgate process on ports of its own on loopback, without a pod. It is killed when dropped.
pub struct HeadgateProcess {
    child: Child,
    log: PathBuf,
    started: Instant,
    /// Its process id.
    pub id: u32,
    /// Where it serves plain HTTP.
    pub http: SocketAddr,
    /// Where it tells about itself: `/readyz`, `/api/routes`.
    pub healthz: SocketAddr,
}

impl HeadgateProcess {
    /// Starts the program with the flags of `line` (each a word) on the cluster that the kubeconfig names. What it writes is appended
    /// to `log`. It knows of no pod, so it writes nothing to the cluster that would need one.
    pub fn start(program: &Path, kubeconfig: &Path, line: &[&str], log: &Path) -> Result<Self> {
        let addresses = [(); 3].map(|()| {
            SocketAddr::from((Ipv4Addr::LOCALHOST, NEXT_PORT.fetch_add(1, Ordering::Relaxed)))
        });
        let output = File::options().append(true).create(true).open(log)?;
        let mut command = Command::new(program);
        command.arg("--kubeconfig").arg(kubeconfig).args(["--bind-address", "127.0.0.1"]);
        for (flag, address) in
            ["--http-port", "--https-port", "--healthz-port"].iter().zip(&addresses)
        {
            command.args([*flag, &address.port().to_string()]);
        }
        command.args(line).env_clear().kill_on_drop(true).stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let id = child.id().context("it has ended already")?;
        let [http, _, healthz] = addresses;
        Ok(Self { child, log: log.to_owned(), started, id, http, healthz })
    }

    /// Waits until it is ready, and returns the time since its start. An error with its last words if it ends, or takes longer.
    pub async fn ready(&mut self, limit: Duration) -> Result<Duration> {
        loop {
            // Nobody listens at first.
            let answer = request(self.healthz, "GET /readyz", "Host: localhost\r\n", "").await;
            if answer.is_ok_and(|(status, _)| status == 200) {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("headgate ended, {status}:\n{}", self.last_words());
            }
            let late = self.started.elapsed() > limit;
            ensure!(!late, "headgate is not ready after {limit:?}:\n{}", self.last_words());
            sleep(POLL).await;
        }
    }

    /// Waits until it ends by itself; whether it succeeded, and its last words.
    pub async fn end(&mut self) -> Result<(bool, String)> {
        let status = timeout(STOP_LIMIT, self.child.wait()).await.context("it does not end")??;
        Ok((status.success(), self.last_words()))
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_raw(self.id as i32).context("not a process id")?, Signal::TERM)?;
        let (succeeded, words) = self.end().await?;
        ensure!(succeeded, "headgate ended badly:\n{words}");
        Ok(())
    }

    /// The end of what it has written.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}
