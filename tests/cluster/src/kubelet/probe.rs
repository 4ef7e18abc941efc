//! Probes of a container: HTTP and TCP from the node, commands within the container. gRPC and HTTPS probes are not supported.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::{
    api::core::v1::{Container, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use rustix::process::Signal;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use super::sandbox::{Program, Running, Sandbox, start_beside};
use crate::http;

/// What a probe looks at.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) container: &'a Container,
    pub(crate) address: Ipv4Addr,
    pub(crate) running: &'a Running,
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) program: &'a Program,
}

/// Probes for ever and tells each change of the verdict, which is `false` at first.
pub(crate) async fn watch(probe: &Probe, subject: Subject<'_>, mut verdict: impl FnMut(bool)) {
    let (needed, tolerated) =
        (probe.success_threshold.unwrap_or(1), probe.failure_threshold.unwrap_or(3));
    let mut good = false;
    let mut streak = 0;
    sleep(seconds(probe.initial_delay_seconds, 0)).await;
    loop {
        let passed = once(probe, subject).await.is_ok();
        // How often in a row the answer was not what the verdict says.
        streak = if passed == good { 0 } else { streak + 1 };
        if streak >= if passed { needed } else { tolerated } {
            (good, streak) = (passed, 0);
            verdict(good);
        }
        sleep(seconds(probe.period_seconds, 10)).await;
    }
}

/// Probes until it has failed as often in a row as the probe tolerates.
pub(crate) async fn until_failed(probe: &Probe, subject: Subject<'_>) {
    let mut failures = 0;
    sleep(seconds(probe.initial_delay_seconds, 0)).await;
    loop {
        failures = if once(probe, subject).await.is_ok() { 0 } else { failures + 1 };
        if failures >= probe.failure_threshold.unwrap_or(3) {
            return;
        }
        sleep(seconds(probe.period_seconds, 10)).await;
    }
}

/// Probes until it has passed, or failed as often as the probe tolerates; tells which.
pub(crate) async fn until_passed(probe: &Probe, subject: Subject<'_>) -> bool {
    sleep(seconds(probe.initial_delay_seconds, 0)).await;
    for _ in 0..probe.failure_threshold.unwrap_or(3) {
        if once(probe, subject).await.is_ok() {
            return true;
        }
        sleep(seconds(probe.period_seconds, 10)).await;
    }
    false
}

async fn once(probe: &Probe, subject: Subject<'_>) -> Result<()> {
    let limit = seconds(probe.timeout_seconds, 1);
    if let Some(exec) = &probe.exec {
        return subject.exec(exec.command.clone().unwrap_or_default(), limit).await;
    }
    timeout(limit, async {
        if let Some(get) = &probe.http_get {
            ensure!(get.scheme.as_deref() != Some("HTTPS"), "HTTPS probes are not supported here");
            let headers: Vec<(&str, &str)> = get
                .http_headers
                .iter()
                .flatten()
                .map(|header| (header.name.as_str(), header.value.as_str()))
                .collect();
            let address = subject.socket(get.host.as_deref(), &get.port)?;
            return subject.get(address, get.path.as_deref().unwrap_or("/"), &headers).await;
        }
        let tcp = probe.tcp_socket.as_ref().context("this kind of probe is not supported here")?;
        TcpStream::connect(subject.socket(tcp.host.as_deref(), &tcp.port)?).await?;
        Ok(())
    })
    .await?
}

impl Subject<'_> {
    /// Sends a GET and accepts what a kubelet accepts.
    pub(crate) async fn get(
        &self,
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<()> {
        let mut lines: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            lines.push_str(&format!("Host: {address}\r\n"));
        }
        lines.push_str("User-Agent: kube-probe/1.36\r\n");
        let (status, _) = http::request(address, &format!("GET {path}"), &lines, "").await?;
        ensure!((200..400).contains(&status), "status {status}");
        Ok(())
    }

    /// Runs a command in the container; its status has to be 0 in time.
    pub(crate) async fn exec(&self, command: Vec<String>, limit: Duration) -> Result<()> {
        let program = Program { command, ..self.program.clone() };
        let beside = start_beside(self.running, self.sandbox, program).await?;
        let ended = timeout(limit, beside.exited()).await;
        beside.signal(Signal::KILL);
        ensure!(ended?.success(), "the command failed");
        Ok(())
    }

    /// The address and port, by number or by the container's name for it.
    pub(crate) fn socket(&self, host: Option<&str>, port: &IntOrString) -> Result<SocketAddr> {
        let number = match port {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => {
                let named = self
                    .container
                    .ports
                    .iter()
                    .flatten()
                    .find(|port| port.name.as_ref() == Some(name));
                named.with_context(|| format!("there is no port {name}"))?.container_port
            }
        };
        let address = host.and_then(|host| host.parse().ok()).unwrap_or(IpAddr::V4(self.address));
        Ok(SocketAddr::new(address, number as u16))
    }
}

fn seconds(value: Option<i32>, default: i32) -> Duration {
    Duration::from_secs(value.unwrap_or(default).max(0) as u64)
}
