//! The headgate process under test: started on free loopback ports, waited for, measured, and ended by its id.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use tokio::process::{Child, Command};

use crate::client::Connection;

const STOP_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(1);
/// How often it is started at most.
const TRIES: usize = 5;
/// What the system says of a port that somebody has.
const TAKEN: &str = "Address already in use";

/// Which program is started, and how long it may take.
#[derive(Debug, Clone, Args)]
pub struct Program {
    /// The headgate binary
    #[arg(long, env = "HEADGATE_BIN", default_value = "target/release/headgate")]
    pub bin: PathBuf,
    /// Data plane threads; without it the program decides
    #[arg(long)]
    pub workers: Option<usize>,
    /// Further arguments for the program, separated by blanks
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub headgate_args: String,
    /// Seconds until it must be ready
    #[arg(long, default_value_t = 60)]
    pub ready_seconds: u64,
    /// Where it is started; without it, where this process was.
    #[arg(skip)]
    pub directory: Option<PathBuf>,
}

/// A running process with its addresses. It is killed when dropped.
pub struct Gateway {
    child: Child,
    pid: u32,
    /// Plain HTTP listener.
    pub http: SocketAddr,
    /// HTTPS listener.
    pub https: SocketAddr,
    /// Health, readiness and metrics.
    pub healthz: SocketAddr,
    /// Time from the start of the process to its first 200 on `/readyz`.
    pub ready_after: Duration,
}

/// Resident memory of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// Now (`VmRSS`), in MiB.
    pub resident: f64,
    /// Highest so far (`VmHWM`), in MiB.
    pub peak: f64,
}

impl Program {
    /// Starts the program on the folders and waits until it is ready. Its standard error goes to `log`.
    pub async fn start(&self, folders: &[&Path], log: &Path) -> Result<Gateway> {
        for _ in 1..TRIES {
            match self.try_start(folders, log).await {
                // Somebody was faster to take a port that was free.
                Err(error) if error.to_string().contains(TAKEN) => {}
                other => return other,
            }
        }
        self.try_start(folders, log).await
    }

    async fn try_start(&self, folders: &[&Path], log: &Path) -> Result<Gateway> {
        let [http, https, healthz] = free_addresses()?;
        let mut command = Command::new(&self.bin);
        for folder in folders {
            command.arg("--manifests").arg(folder);
        }
        for (flag, address) in
            [("--http-port", http), ("--https-port", https), ("--healthz-port", healthz)]
        {
            command.args([flag, &address.port().to_string()]);
        }
        command.args(["--bind-address", "127.0.0.1", "--ingress-class", "nginx"]);
        if let Some(workers) = self.workers {
            command.args(["--workers", &workers.to_string()]);
        }
        command.args(self.headgate_args.split_whitespace());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .kill_on_drop(true);

        let started = Instant::now();
        let child =
            command.spawn().with_context(|| format!("cannot start {}", self.bin.display()))?;
        let pid = child.id().context("the process has ended already")?;
        let mut gateway = Gateway { child, pid, http, https, healthz, ready_after: Duration::ZERO };
        let limit = Duration::from_secs(self.ready_seconds);
        while !gateway.is_ready().await {
            if let Some(status) = gateway.child.try_wait()? {
                bail!("{} ended with {status}: {}", self.bin.display(), tail(log));
            }
            ensure!(started.elapsed() < limit, "not ready after {limit:?}: {}", tail(log));
            tokio::time::sleep(POLL).await;
        }
        gateway.ready_after = started.elapsed();
        Ok(gateway)
    }
}

impl Gateway {
    /// Resident memory of the process.
    pub fn memory(&self) -> Result<Memory> {
        memory_of(self.pid)
    }

    /// Lets the peak of its memory begin again with what is resident now.
    pub fn forget_peak(&self) -> Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.pid), "5").context("its peak stays")
    }

    /// Asks the process to end with SIGTERM; does not wait.
    pub async fn terminate(&self) -> Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        ensure!(asked.success(), "the process had ended before it was asked to");
        Ok(())
    }

    /// Asks the process to end with SIGTERM and waits; an error if it had to be killed or ended badly.
    pub async fn stop(mut self) -> Result<()> {
        self.terminate().await?;
        match tokio::time::timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(status) => ensure!(status?.success(), "the process ended badly"),
            Err(_) => {
                self.child.kill().await?;
                bail!("the process did not end within {STOP_LIMIT:?}");
            }
        }
        Ok(())
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut connection) = Connection::open(self.healthz).await else {
            return false;
        };
        connection.get("localhost", "/readyz").await.is_ok_and(|answer| answer.status == 200)
    }
}

/// Resident memory of a process by its id, from `/proc`.
pub fn memory_of(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone"))?;
    let field = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .context("no memory in /proc")?;
        let kib: f64 = line.split_whitespace().next().context("no number")?.parse()?;
        anyhow::Ok(kib / 1024.0)
    };
    Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
}

/// Three loopback addresses whose ports were free a moment ago.
pub fn free_addresses() -> Result<[SocketAddr; 3]> {
    let listeners = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); 3];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.as_ref().ok().context("no free port")?.local_addr()?;
    }
    Ok(addresses)
}

/// The last lines of a log, for an error message.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(10)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_plausible() {
        let memory = memory_of(std::process::id()).unwrap();
        assert!(memory.resident > 0.5 && memory.peak >= memory.resident, "{memory:?}");
    }

    #[test]
    fn free_addresses_differ() {
        let [a, b, c] = free_addresses().unwrap();
        assert!(a != b && b != c && a != c);
    }

    /// What comes of a program that does `commands`.
    async fn error_of(folder: &Path, commands: &str) -> String {
        let script = folder.join("broken");
        fs::write(&script, format!("#!/bin/sh\n{commands}\n")).unwrap();
        let mut permissions = fs::metadata(&script).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        fs::set_permissions(&script, permissions).unwrap();
        let program = Program {
            bin: script,
            workers: None,
            headgate_args: String::new(),
            ready_seconds: 10,
            directory: Some(folder.to_owned()),
        };
        let started = program.start(&[folder], &folder.join("log")).await;
        started.err().unwrap().to_string()
    }

    #[tokio::test]
    async fn a_program_that_ends_at_once_is_an_error_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let error = error_of(folder.path(), "echo no such flag >&2; exit 2").await;
        assert!(error.contains("no such flag"), "{error}");
    }

    #[tokio::test]
    async fn a_port_that_was_taken_meanwhile_is_replaced_a_few_times() {
        let folder = tempfile::tempdir().unwrap();
        let commands = "echo \"$*\" >>ports; echo Address already in use >&2; exit 1";
        let error = error_of(folder.path(), commands).await;
        assert!(error.contains(TAKEN), "{error}");
        let ports = fs::read_to_string(folder.path().join("ports")).unwrap();
        assert_eq!(ports.lines().count(), TRIES);
    }
}
