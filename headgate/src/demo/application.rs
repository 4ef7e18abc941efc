//! The six services of the bundled application, run inside this process.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use backends::Service;
use tokio::{runtime::Runtime, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// How long the services get to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The running services.
pub struct Application {
    endpoints: Vec<(&'static str, SocketAddr)>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

/// Starts all services; their databases are in `data`.
pub fn start(runtime: &Runtime, data: &Path) -> anyhow::Result<Application> {
    let stop = CancellationToken::new();
    let mut application =
        Application { endpoints: Vec::new(), tasks: JoinSet::new(), stop: stop.clone() };
    for service in Service::all_local(data) {
        let name = service.name();
        let wanted = service.address();
        let server = runtime.block_on(backends::bind(service)).with_context(|| {
            format!("the {name} service cannot start on {wanted}: is another demo running?")
        })?;
        application.endpoints.push((service_name(name), server.address()));
        let stop = stop.clone();
        application.tasks.spawn_on(
            async move {
                if let Err(error) = server.serve(stop.cancelled_owned()).await {
                    tracing::error!(name, %error, "a service of the application ended");
                }
            },
            runtime.handle(),
        );
    }
    Ok(application)
}

/// The Kubernetes Service of a part of the application.
fn service_name(part: &str) -> &'static str {
    match part {
        "posts" => "posts-srv",
        "comments" => "comments-srv",
        "query" => "query-srv",
        "moderation" => "moderation-srv",
        "bus" => "event-bus-srv",
        _ => "client-srv",
    }
}

impl Application {
    /// Which Service is where.
    pub fn endpoints(&self) -> &[(&'static str, SocketAddr)] {
        &self.endpoints
    }

    /// Stops all services and waits for them.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_LIMIT, all).await.is_err() {
            tracing::warn!("a service of the application did not stop in time");
        }
    }
}
