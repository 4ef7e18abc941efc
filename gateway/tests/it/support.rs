//! A gateway in this process, upstreams that do as they are told, and a client that shows raw bytes.

pub mod client;
pub mod collector;
pub mod grpc;
pub mod http2;
pub mod redis;
pub mod snapshot;
pub mod tls;
pub mod upstream;
pub mod visitor;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_config::{PathMatch, ProxySettings, Snapshot};
use headgate_gateway::{
    live::Live,
    observe::{
        access_log::AccessLog,
        metrics::{Metrics, MetricsSettings},
    },
    run::{self, Gateway, Startup},
    upstream::resolve::Resolver,
};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

pub use self::{
    client::Client, collector::Collector, http2::Http2, redis::Redis, snapshot::Table,
    tls::Identity, upstream::Upstream,
};

/// A running gateway.
pub struct TestGateway {
    pub http: SocketAddr,
    pub https: SocketAddr,
    pub live: Arc<Live>,
    pub metrics: Arc<Metrics>,
    gateway: Option<Gateway>,
    lines: Lines,
    _runtime: Runtime,
    _log: AccessLog,
}

/// What was written to the access log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TestGateway {
    /// Starts one worker with a table.
    pub fn start(table: Snapshot) -> Self {
        Self::with_grace(table, Duration::from_secs(5))
    }

    /// The same; open requests have `grace` to end when it stops.
    pub fn with_grace(table: Snapshot, grace: Duration) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let metrics = Metrics::new(MetricsSettings { enabled: true, ..MetricsSettings::default() });
        let live =
            Arc::new(Live::new(Resolver::new(runtime.handle().clone()), Arc::clone(&metrics)));
        live.publish(table);
        let lines = Lines::default();
        let log = AccessLog::start(lines.clone()).expect("a log");
        let startup = Startup {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http_port: 0,
            https_port: 0,
            workers: 1,
            grace,
        };
        let gateway = run::start(&startup, &live, &metrics, &log).expect("a gateway");
        let (http, https) = (gateway.http, gateway.https);
        Self {
            http,
            https,
            live,
            metrics,
            gateway: Some(gateway),
            lines,
            _runtime: runtime,
            _log: log,
        }
    }

    /// A gateway whose host `a.test` sends everything to `upstreams`.
    pub fn before(upstreams: &[&Upstream]) -> Self {
        let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
        Self::start(
            Table::default().upstream("app", &addresses).prefix("a.test", "/", "app").build(),
        )
    }

    /// The same, with bodies that are passed on as they arrive.
    pub fn streaming(upstream: &Upstream) -> Self {
        Self::streaming_with(upstream, ProxySettings::default(), Some(1024 * 1024))
    }

    /// The same, with other settings, and bodies up to `limit`.
    pub fn streaming_with(
        upstream: &Upstream,
        settings: ProxySettings,
        limit: Option<u64>,
    ) -> Self {
        let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
        location.proxy = Arc::new(ProxySettings { request_buffering: false, ..settings });
        location.body_limit = limit;
        let table = Table::default().upstream("app", &[upstream.address]);
        Self::start(table.location("a.test", location).build())
    }

    /// A new client connection.
    pub fn client(&self) -> Client {
        Client::connect(self.http)
    }

    /// One request over a connection of its own.
    pub fn get(&self, target: &str) -> client::Answer {
        self.client().get(target)
    }

    /// The lines of the access log so far. Workers write them every half second.
    pub fn log(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.lines.0.lock()).lines().map(str::to_owned).collect()
    }

    /// The next line of the access log, after `seen` others.
    pub fn logged(&self, seen: usize) -> String {
        eventually("the request is logged", || self.log().len() > seen);
        self.log().swap_remove(seen)
    }

    /// Stops it; returns when the last request has ended.
    pub fn stop(mut self) {
        self.gateway.take().expect("it runs").shut_down();
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.shut_down();
        }
    }
}

/// Waits until `condition` holds; fails after a time that no machine needs.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
