//! The six services of the bundled application, run inside this process.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context;
use backends::{Service, settings::BaseUrl};
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

/// Starts all services; their databases are in `data`, and their ports are moved by `shift`.
pub fn start(runtime: &Runtime, data: &Path, shift: u16) -> anyhow::Result<Application> {
    let stop = CancellationToken::new();
    let mut application =
        Application { endpoints: Vec::new(), tasks: JoinSet::new(), stop: stop.clone() };
    for service in services(data, shift)? {
        let name = service.name();
        let server = runtime.block_on(backends::bind(service)).map_err(explain)?;
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

/// The services, each told where the others are.
fn services(data: &Path, shift: u16) -> anyhow::Result<[Service; 6]> {
    let mut services = Service::all_local(data);
    for service in &mut services {
        let port = service.address().port() + shift;
        service.listen_mut().port = Some(port);
    }
    let addresses = services.each_ref().map(|service| (service.name(), service.address()));
    let url = |name: &str| {
        let (_, address) = addresses.iter().find(|(known, _)| *known == name)?;
        Some(format!("http://{address}"))
    };
    let bus = url("bus").context("there is a bus")?.parse::<BaseUrl>()?;
    for service in &mut services {
        match service {
            Service::Posts(posts) => posts.bus.bus_url = bus.clone(),
            Service::Comments(comments) => comments.bus.bus_url = bus.clone(),
            Service::Query(query) => query.bus.bus_url = bus.clone(),
            Service::Moderation(moderation) => moderation.bus.bus_url = bus.clone(),
            Service::Bus(bus) => {
                for subscriber in &mut bus.subscribers {
                    if let Some(url) = url(&subscriber.name) {
                        *subscriber = format!("{}={url}", subscriber.name).parse()?;
                    }
                }
            }
            Service::Client(_) => {}
        }
    }
    Ok(services)
}

/// What to do where a port is taken.
fn explain(error: backends::Error) -> anyhow::Error {
    match error {
        backends::Error::Listen { service, address, source }
            if source.kind() == io::ErrorKind::AddrInUse =>
        {
            anyhow::anyhow!(
                "port {} of the {service} service is taken: end what listens there, or move all six ports of the application with --app-port-shift N",
                address.port()
            )
        }
        error => error.into(),
    }
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
