//! The life of one container: start, probes, restart with growing pauses, end. A pause is shorter than a kubelet's (one second at first,
//! not ten), so that tests need not wait.

use std::{os::unix::process::ExitStatusExt, pin::pin, process::ExitStatus, time::Duration};

use anyhow::Result;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        Container, ContainerState, ContainerStateRunning, ContainerStateTerminated,
        ContainerStateWaiting, ContainerStatus, LifecycleHandler,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use rustix::process::Signal;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{
    probe::{self, Subject},
    sandbox::{Program, Running, Sandbox, start},
};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The order to stop, with the time that the container has for it. It may be given again with less time.
pub(crate) type Stop = watch::Receiver<Option<Duration>>;

/// A container that is kept running.
pub(crate) struct Supervised {
    pub(crate) container: Container,
    pub(crate) sandbox: Sandbox,
    pub(crate) program: Program,
    /// `Always`, `OnFailure` or `Never`.
    pub(crate) restart_policy: String,
    pub(crate) stop: Stop,
    pub(crate) status: watch::Sender<ContainerStatus>,
    /// Told the process's id while there is one.
    pub(crate) process: Box<dyn Fn(Option<u32>) + Send + Sync>,
    pub(crate) address: std::net::Ipv4Addr,
}

/// The status of a container that has not been started.
pub(crate) fn waiting(container: &Container, reason: &str, message: &str) -> ContainerStatus {
    ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        image_id: container.image.clone().unwrap_or_default(),
        state: Some(waiting_state(reason, message)),
        started: Some(false),
        ..ContainerStatus::default()
    }
}

fn waiting_state(reason: &str, message: &str) -> ContainerState {
    let waiting = ContainerStateWaiting {
        reason: Some(reason.into()),
        message: Some(message.into()).filter(|text: &String| !text.is_empty()),
    };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

impl Supervised {
    /// Runs until the container is told to stop, or has ended for good.
    pub(crate) async fn run(mut self) {
        let mut pause = Duration::ZERO;
        loop {
            let began = Timestamp::now();
            let outcome = self.once(began).await;
            (self.process)(None);
            let (ended, good) = match outcome {
                Ok(status) => (terminated(status, began), status.success()),
                Err(error) => (failed(&format!("{error:#}"), began), false),
            };
            let stopped = self.stop.borrow().is_some();
            self.status.send_modify(|status| {
                (status.ready, status.started) = (false, Some(false));
                status.state = Some(ended.clone());
            });
            if stopped
                || self.restart_policy == "Never"
                || (self.restart_policy == "OnFailure" && good)
            {
                return;
            }
            self.status.send_modify(|status| {
                status.last_state = Some(ended);
                if !pause.is_zero() {
                    status.state =
                        Some(waiting_state("CrashLoopBackOff", "restarting after a pause"));
                }
            });
            tokio::select! {
                () = sleep(pause) => {}
                _ = told(&mut self.stop) => return,
            }
            pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            self.status.send_modify(|status| status.restart_count += 1);
        }
    }

    /// One process from its start to its end.
    async fn once(&mut self, began: Timestamp) -> Result<ExitStatus> {
        let running = start(self.sandbox.clone(), self.program.clone()).await?;
        (self.process)(Some(running.id));
        let (startup, readiness, liveness) = (
            self.container.startup_probe.clone(),
            self.container.readiness_probe.clone(),
            self.container.liveness_probe.clone(),
        );
        self.status.send_modify(|status| {
            let state = ContainerStateRunning { started_at: Some(Time(began)) };
            status.state =
                Some(ContainerState { running: Some(state), ..ContainerState::default() });
            status.container_id = Some(format!("process://{}", running.id));
            status.started = Some(startup.is_none());
            status.ready = startup.is_none() && readiness.is_none();
        });
        let container = self.container.clone();
        let (sandbox, program) = (self.sandbox.clone(), self.program.clone());
        let subject = Subject {
            container: &container,
            address: self.address,
            running: &running,
            sandbox: &sandbox,
            program: &program,
        };
        let status = &self.status;
        // Readiness is probed until the very end: it tells whether a pod that is being deleted still serves.
        let mut unhealthy = pin!(async {
            if let Some(startup) = &startup {
                if !probe::until_passed(startup, subject).await {
                    return;
                }
                status.send_modify(|status| {
                    (status.started, status.ready) = (Some(true), readiness.is_none())
                });
            }
            let ready = async {
                match &readiness {
                    Some(probe) => {
                        probe::watch(probe, subject, |ready| {
                            status.send_modify(|status| status.ready = ready)
                        })
                        .await
                    }
                    None => std::future::pending().await,
                }
            };
            match &liveness {
                Some(probe) => {
                    tokio::select! { () = ready => {}, () = probe::until_failed(probe, subject) => {} }
                }
                None => ready.await,
            }
        });
        let mut stop = self.stop.clone();
        let grace = tokio::select! {
            status = running.exited() => return Ok(status),
            () = &mut unhealthy => {
                let grace = Duration::from_secs(30);
                return Ok(end(subject, grace, std::future::pending()).await);
            }
            grace = told(&mut stop) => grace,
        };
        let mut ending = pin!(end(subject, grace, hurried(stop)));
        tokio::select! {
            status = &mut ending => Ok(status),
            // A pod that is going is not saved by its liveness probe, and not ended by it either.
            () = &mut unhealthy => Ok(ending.await),
        }
    }
}

/// Waits for the order to stop and returns the time that it leaves.
async fn told(stop: &mut Stop) -> Duration {
    let grace = stop.wait_for(Option::is_some).await.ok().and_then(|grace| *grace);
    grace.unwrap_or_default()
}

/// Returns when a later order to stop leaves no more time; never if there is none.
async fn hurried(mut stop: Stop) {
    stop.mark_unchanged();
    if stop.changed().await.is_err() {
        std::future::pending().await
    }
    let less = stop.borrow().unwrap_or_default();
    sleep(less).await;
}

/// The hook before the end, SIGTERM, and SIGKILL when the time is over, or `sooner`.
async fn end(
    subject: Subject<'_>,
    grace: Duration,
    sooner: impl Future<Output = ()>,
) -> ExitStatus {
    let running: &Running = subject.running;
    let deadline = Instant::now() + grace;
    let polite = async {
        let hook =
            subject.container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        if let Some(hook) = hook {
            let _ = timeout_at(deadline, before_end(hook, subject, grace)).await;
        }
        running.signal(Signal::TERM);
        running.exited().await
    };
    tokio::select! {
        status = polite => return status,
        () = sleep_until(deadline) => {}
        () = sooner => {}
    }
    running.signal(Signal::KILL);
    running.exited().await
}

async fn before_end(hook: &LifecycleHandler, subject: Subject<'_>, grace: Duration) -> Result<()> {
    if let Some(exec) = &hook.exec {
        subject.exec(exec.command.clone().unwrap_or_default(), grace).await?;
    }
    if let Some(get) = &hook.http_get {
        let address = subject.socket(get.host.as_deref(), &get.port)?;
        subject.get(address, get.path.as_deref().unwrap_or("/"), &[]).await?;
    }
    if let Some(pause) = &hook.sleep {
        sleep(Duration::from_secs(pause.seconds.unsigned_abs())).await;
    }
    Ok(())
}

fn terminated(status: ExitStatus, began: Timestamp) -> ContainerState {
    // What a shell would say of a process that a signal ended.
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    let reason = if code == 0 { "Completed" } else { "Error" };
    end_state(code, reason, None, began)
}

fn failed(message: &str, began: Timestamp) -> ContainerState {
    end_state(128, "StartError", Some(message.to_owned()), began)
}

fn end_state(
    exit_code: i32,
    reason: &str,
    message: Option<String>,
    began: Timestamp,
) -> ContainerState {
    let terminated = ContainerStateTerminated {
        exit_code,
        reason: Some(reason.into()),
        message,
        started_at: Some(Time(began)),
        finished_at: Some(Time(Timestamp::now())),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}
