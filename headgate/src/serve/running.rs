//! A running gateway: watched while it serves, and taken down in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use headgate_controller::Controller;
use headgate_gateway::{
    admin::Readiness, observe::access_log::AccessLog, run::Gateway, webhook::Webhook,
};
use tokio::{
    runtime::Runtime,
    sync::oneshot,
    time::{self, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::StopSignals;

/// How often threads are looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A running gateway.
pub struct Running {
    /// Listeners and workers.
    pub gateway: Gateway,
    /// Where the admin server listens.
    pub admin: SocketAddr,
    pub(super) readiness: Arc<Readiness>,
    pub(super) controller: Controller,
    pub(super) webhook: Option<Webhook>,
    pub(super) log: AccessLog,
    pub(super) stop: CancellationToken,
    pub(super) delay: Duration,
    pub(super) signals: StopSignals,
}

impl Running {
    /// Waits until the first table is live, or for a signal to stop; `false` if that was it.
    pub async fn ready(&mut self) -> bool {
        let readiness = Arc::clone(&self.readiness);
        let is_live = async {
            while readiness.check().is_err() {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = is_live => true,
            () = self.stop_signal() => false,
        }
    }

    /// Waits for a signal to stop. Meanwhile a thread that died makes the process be unhealthy: what still works is
    /// served on, until whoever supervises the process replaces it.
    pub async fn stop_signal(&mut self) {
        let (controller, gateway, webhook) = (&self.controller, &self.gateway, &self.webhook);
        let lost = || what_is_lost(controller, gateway, webhook.as_ref());
        let threads = look_after_threads(lost, &self.readiness);
        tokio::select! {
            () = self.signals.next() => {}
            // It never ends.
            () = threads => {}
        }
    }

    /// Not ready → wait for others to notice, and ask clients to go elsewhere → no more reviews, once those under way
    /// are answered; status and Lease given back; no new connections → open requests end → log written. Endpoints are
    /// followed until the last request has ended. A further signal ends the waiting at once.
    pub fn shut_down(self, runtime: &Runtime) -> anyhow::Result<()> {
        tracing::info!("stopping");
        self.readiness.set_shutting_down();
        let Self { gateway, controller, webhook, delay, mut signals, .. } = self;
        let drain = async {
            gateway.leave();
            time::sleep(delay).await;
            // While there is a controller to answer the reviews under way.
            if let Some(webhook) = webhook {
                webhook.shut_down().await;
            }
            controller.resign();
            let (done, drained) = oneshot::channel();
            // A thread of its own: the end of a runtime would wait for a blocking task.
            std::thread::spawn(move || {
                gateway.shut_down();
                // After a second signal nobody waits.
                let _ = done.send(());
            });
            let _ = drained.await;
        };
        runtime.block_on(async {
            tokio::select! {
                () = drain => {}
                () = signals.next() => tracing::warn!("a second signal: open requests are cut"),
            }
        });
        drop(controller);
        self.stop.cancel();
        if !self.log.close(Duration::from_secs(2)) {
            tracing::warn!("the end of the access log could not be written");
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// What does not work any more because a thread has died, if one has.
fn what_is_lost(
    controller: &Controller,
    gateway: &Gateway,
    webhook: Option<&Webhook>,
) -> Option<&'static str> {
    if controller.has_died() {
        Some("changes of the cluster or of the manifests are not followed any more")
    } else if gateway.has_died() {
        Some("not all workers serve any more")
    } else if webhook.is_some_and(Webhook::has_died) {
        Some("reviews of Ingresses are not answered any more")
    } else {
        None
    }
}

/// Says what is lost, as soon as anything is, and makes the process be unhealthy. Never ends.
async fn look_after_threads(lost: impl Fn() -> Option<&'static str>, readiness: &Readiness) {
    let mut ticks = time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(lost) = lost() else { continue };
        let reason = format!("a thread has died, which is a bug of headgate: {lost}");
        tracing::error!("{reason}; the process has to be restarted");
        readiness.set_broken(reason);
        return std::future::pending().await;
    }
}

#[cfg(test)]
mod tests {
    use headgate_controller::{Options, run_directory};

    use super::*;

    #[test]
    fn a_panic_of_the_controller_makes_the_process_unhealthy_while_it_serves_on() {
        let folder = tempfile::tempdir().unwrap();
        let folders = vec![folder.path().to_owned()];
        let controller = run_directory(Options::default(), folders, |_| panic!("as asked for"));
        let controller = controller.unwrap();
        let readiness = Readiness::waiting("");
        readiness.set_ready();
        let lost = || controller.has_died().then_some("changes");
        let is_noticed = async {
            while readiness.broken().is_none() {
                time::sleep(Duration::from_millis(2)).await;
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            tokio::select! {
                () = look_after_threads(lost, &readiness) => {}
                () = is_noticed => {}
                () = time::sleep(Duration::from_secs(20)) => panic!("nobody has noticed"),
            }
        });
        assert!(readiness.broken().is_some_and(|reason| reason.contains("changes")));
        assert_eq!(readiness.check(), Ok(None));
    }
}
