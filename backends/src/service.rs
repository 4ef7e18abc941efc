//! A service as a unit: which one, started, served, stopped. The order of stopping is at [`Server::serve`].

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use clap::Subcommand;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::http::{self, Health, Readiness};
use crate::settings::{self, BusAddress, Listen, StartFrom, Storage};
use crate::store::StoreError;
use crate::{bus, client, comments, moderation, posts, query};

/// How long background tasks get to notice that they should stop.
const TASKS_STOP: Duration = Duration::from_secs(5);

/// One of the six services with its settings. As a command line: the subcommand and its flags.
#[derive(Debug, Clone, Subcommand)]
pub enum Service {
    /// Takes new posts (port 4000)
    Posts(settings::Posts),
    /// Takes comments and keeps their status (port 4001)
    Comments(settings::Comments),
    /// Shows posts with their comments (port 4002)
    Query(settings::Query),
    /// Judges comments by their words (port 4003)
    Moderation(settings::Moderation),
    /// Logs events and delivers them to every service (port 4005)
    Bus(settings::Bus),
    /// Serves the web page (port 3000)
    Client(settings::Client),
}

impl Service {
    /// All six as they run on one machine: loopback, well-known ports, databases in `data_dir`.
    /// The environment is not consulted.
    pub fn all_local(data_dir: &Path) -> [Self; 6] {
        let (listen, bus) = (Listen::default(), BusAddress::default());
        let storage = Storage { data_dir: data_dir.to_owned() };
        [
            Self::Bus(settings::Bus {
                listen: listen.clone(),
                storage: storage.clone(),
                subscribers: settings::local_subscribers(),
                new_subscribers_start: StartFrom::Earliest,
            }),
            Self::Posts(settings::Posts {
                listen: listen.clone(),
                storage: storage.clone(),
                bus: bus.clone(),
            }),
            Self::Comments(settings::Comments {
                listen: listen.clone(),
                storage,
                bus: bus.clone(),
            }),
            Self::Query(settings::Query {
                listen: listen.clone(),
                bus: bus.clone(),
                poll_interval_ms: 1000,
            }),
            Self::Moderation(settings::Moderation {
                listen: listen.clone(),
                bus,
                banned_words: vec!["orange".to_owned()],
            }),
            Self::Client(settings::Client { listen }),
        ]
    }

    /// The name in logs, and of the subcommand.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Posts(_) => "posts",
            Self::Comments(_) => "comments",
            Self::Query(_) => "query",
            Self::Moderation(_) => "moderation",
            Self::Bus(_) => "bus",
            Self::Client(_) => "client",
        }
    }

    /// Where it will listen. The port is 0 if any free one will do.
    pub fn address(&self) -> SocketAddr {
        let (listen, default_port) = match self {
            Self::Posts(posts) => (&posts.listen, settings::POSTS_PORT),
            Self::Comments(comments) => (&comments.listen, settings::COMMENTS_PORT),
            Self::Query(query) => (&query.listen, settings::QUERY_PORT),
            Self::Moderation(moderation) => (&moderation.listen, settings::MODERATION_PORT),
            Self::Bus(bus) => (&bus.listen, settings::BUS_PORT),
            Self::Client(client) => (&client.listen, settings::CLIENT_PORT),
        };
        SocketAddr::new(listen.bind_address, listen.port.unwrap_or(default_port))
    }

    /// The listener's settings, to change before [`bind`].
    pub fn listen_mut(&mut self) -> &mut Listen {
        match self {
            Self::Posts(posts) => &mut posts.listen,
            Self::Comments(comments) => &mut comments.listen,
            Self::Query(query) => &mut query.listen,
            Self::Moderation(moderation) => &mut moderation.listen,
            Self::Bus(bus) => &mut bus.listen,
            Self::Client(client) => &mut client.listen,
        }
    }

    async fn open(&self, tasks: &mut Tasks) -> Result<Parts, Error> {
        match self {
            Self::Posts(settings) => posts::open(settings, tasks).await,
            Self::Comments(settings) => comments::open(settings, tasks).await,
            Self::Query(settings) => Ok(query::open(settings, tasks)),
            Self::Moderation(settings) => Ok(moderation::open(settings)),
            Self::Bus(settings) => bus::open(settings, tasks).await,
            Self::Client(_) => Ok(client::open()),
        }
    }
}

/// Why a service does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken, or the address is not ours.
    #[error("{service} cannot listen on {address}: {source}")]
    Listen {
        /// The service.
        service: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database does not open.
    #[error("{0}")]
    Store(Box<dyn std::error::Error + Send + Sync>),
    /// Two subscribers would share one place in the log.
    #[error("there are two subscribers with the name `{0}`")]
    DuplicateSubscriber(String),
    /// A background task ended although nobody asked it to.
    #[error("a background task of {0} ended unexpectedly")]
    Task(&'static str),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

/// What a service's module hands over.
pub(crate) struct Parts {
    pub routes: Router,
    pub readiness: Readiness,
}

/// The background tasks of a service, and the token that ends them.
#[derive(Default)]
pub(crate) struct Tasks {
    set: JoinSet<()>,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts a task that ends soon after the token it is given is cancelled.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        task: impl FnOnce(CancellationToken) -> F,
    ) {
        self.set.spawn(task(self.stop.clone()));
    }

    /// Waits for a task that ends by itself, which none should; for ever if there are none.
    async fn ended(&mut self) {
        match self.set.join_next().await {
            Some(_) => {}
            None => std::future::pending().await,
        }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        let all = async { while self.set.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(TASKS_STOP, all).await;
    }
}

/// A service that owns its port and its data and is ready to be served.
pub struct Server {
    service: &'static str,
    address: SocketAddr,
    listener: TcpListener,
    routes: Router,
    tasks: Tasks,
    draining: watch::Sender<bool>,
    listen: Listen,
}

/// Takes the port, opens the data and starts the background work of `service`.
///
/// # Errors
/// The port is taken or the data cannot be opened.
pub async fn bind(mut service: Service) -> Result<Server, Error> {
    let (name, wanted) = (service.name(), service.address());
    let listening = async {
        let listener = TcpListener::bind(wanted).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = listening.await.map_err(|source| Error::Listen {
        service: name,
        address: wanted,
        source,
    })?;
    let mut tasks = Tasks::default();
    let parts = service.open(&mut tasks).await?;
    let (draining, drain_signal) = watch::channel(false);
    let routes = http::router(
        name,
        parts.routes,
        Health { readiness: parts.readiness, draining: drain_signal },
    );
    let listen = service.listen_mut().clone();
    Ok(Server { service: name, address, listener, routes, tasks, draining, listen })
}

/// [`bind`] and [`Server::serve`] in one.
///
/// # Errors
/// As for the two.
pub async fn run(service: Service, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
    bind(service).await?.serve(shutdown).await
}

impl Server {
    /// The address it listens on, with the port that was found for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then: `/readyz` says no; after the drain delay no new connections; requests in flight
    /// finish, at most for the drain timeout; background tasks stop. Undelivered events stay for the next start.
    ///
    /// # Errors
    /// A background task ended by itself.
    pub async fn serve(mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let (service, address) = (self.service, self.address);
        tracing::info!(service, %address, port = address.port(), "listening");
        let stop_accepting = CancellationToken::new();
        let listener = self.listener.tap_io(|stream| {
            // Only latency is lost where this fails.
            let _ = stream.set_nodelay(true);
        });
        let server = axum::serve(listener, self.routes);
        let mut server =
            server.with_graceful_shutdown(stop_accepting.clone().cancelled_owned()).into_future();

        let outcome = tokio::select! {
            // The accept loop has no end and no error of its own.
            _ = &mut server => Ok(()),
            () = self.tasks.ended() => Err(Error::Task(service)),
            () = shutdown => Ok(()),
        };
        self.draining.send_replace(true);
        tracing::info!(service, "stopping");
        let delay = tokio::time::sleep(Duration::from_secs(self.listen.drain_delay_seconds));
        let _ = futures_util::future::select(&mut server, std::pin::pin!(delay)).await;
        stop_accepting.cancel();
        let finished =
            tokio::time::timeout(Duration::from_secs(self.listen.drain_timeout_seconds), server)
                .await;
        if finished.is_err() {
            tracing::warn!(service, "requests still in flight are cut off");
        }
        self.tasks.stop().await;
        tracing::info!(service, "stopped");
        outcome
    }
}
