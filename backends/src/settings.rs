//! What each service can be told, by flag or environment variable. The defaults suit one machine: loopback and the
//! application's well-known ports. In Kubernetes the manifests set service names and `BIND_ADDRESS=0.0.0.0`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

pub use crate::settings::url::{BaseUrl, InvalidUrl, Subscriber};

mod url;

/// Port of the posts service.
pub const POSTS_PORT: u16 = 4000;
/// Port of the comments service.
pub const COMMENTS_PORT: u16 = 4001;
/// Port of the query service.
pub const QUERY_PORT: u16 = 4002;
/// Port of the moderation service.
pub const MODERATION_PORT: u16 = 4003;
/// Port of the event bus.
pub const BUS_PORT: u16 = 4005;
/// Port of the web client.
pub const CLIENT_PORT: u16 = 3000;

const DEFAULT_BUS: &str = "http://127.0.0.1:4005";
const DEFAULT_SUBSCRIBERS: &str = "posts=http://127.0.0.1:4000,comments=http://127.0.0.1:4001,\
                                   query=http://127.0.0.1:4002,moderation=http://127.0.0.1:4003";

/// Where a service listens and how it leaves.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// TCP port (0: any free one, named in the "listening" log line) [default: the service's own]
    #[arg(long, env = "PORT")]
    pub port: Option<u16>,
    /// Address to listen on
    #[arg(long, env = "BIND_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub bind_address: IpAddr,
    /// Seconds between "not ready" and closing the listener, for load balancers to notice
    #[arg(long, env = "DRAIN_DELAY_SECONDS", default_value_t = 0)]
    pub drain_delay_seconds: u64,
    /// Seconds that requests in flight get to finish after that
    #[arg(long, env = "DRAIN_TIMEOUT_SECONDS", default_value_t = 10)]
    pub drain_timeout_seconds: u64,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            port: None,
            bind_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            drain_delay_seconds: 0,
            drain_timeout_seconds: 10,
        }
    }
}

/// Where a service keeps its database.
#[derive(Debug, Clone, Args)]
pub struct Storage {
    /// Directory of the SQLite databases, one file per service; created if missing
    #[arg(long, env = "DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,
}

/// Where events go.
#[derive(Debug, Clone, Args)]
pub struct BusAddress {
    /// Base URL of the event bus
    #[arg(long, env = "BUS_URL", default_value = DEFAULT_BUS)]
    pub bus_url: BaseUrl,
}

impl Default for BusAddress {
    fn default() -> Self {
        Self { bus_url: DEFAULT_BUS.parse().expect("the default bus URL is valid") }
    }
}

/// Settings of the posts service.
#[derive(Debug, Clone, Args)]
pub struct Posts {
    /// Listener.
    #[command(flatten)]
    pub listen: Listen,
    /// Database.
    #[command(flatten)]
    pub storage: Storage,
    /// Event bus.
    #[command(flatten)]
    pub bus: BusAddress,
}

/// Settings of the comments service.
#[derive(Debug, Clone, Args)]
pub struct Comments {
    /// Listener.
    #[command(flatten)]
    pub listen: Listen,
    /// Database.
    #[command(flatten)]
    pub storage: Storage,
    /// Event bus.
    #[command(flatten)]
    pub bus: BusAddress,
}

/// Settings of the query service.
#[derive(Debug, Clone, Args)]
pub struct Query {
    /// Listener.
    #[command(flatten)]
    pub listen: Listen,
    /// Event bus.
    #[command(flatten)]
    pub bus: BusAddress,
    /// How often to look for events that nobody pushed (several replicas share one push)
    #[arg(long, env = "POLL_INTERVAL_MS", default_value_t = 1000)]
    pub poll_interval_ms: u64,
}

impl Query {
    /// The poll interval, at least a millisecond so that zero cannot spin.
    pub fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms.max(1))
    }
}

/// Settings of the moderation service.
#[derive(Debug, Clone, Args)]
pub struct Moderation {
    /// Listener.
    #[command(flatten)]
    pub listen: Listen,
    /// Event bus.
    #[command(flatten)]
    pub bus: BusAddress,
    /// Comma-separated words; a comment that contains one (in any letter case) is rejected
    #[arg(long, env = "BANNED_WORDS", default_value = "orange", value_delimiter = ',')]
    pub banned_words: Vec<String>,
}

/// Settings of the event bus.
#[derive(Debug, Clone, Args)]
pub struct Bus {
    /// Listener.
    #[command(flatten)]
    pub listen: Listen,
    /// Database.
    #[command(flatten)]
    pub storage: Storage,
    /// Comma-separated `name=http://host:port`; the name keeps a subscriber's place in the log when its URL changes
    #[arg(long, env = "SUBSCRIBERS", default_value = DEFAULT_SUBSCRIBERS, value_delimiter = ',')]
    pub subscribers: Vec<Subscriber>,
    /// Where a subscriber that was never seen before starts
    #[arg(long, env = "NEW_SUBSCRIBERS_START", default_value = "earliest")]
    pub new_subscribers_start: StartFrom,
}

/// Where in the log a new subscriber starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StartFrom {
    /// At offset 0: it gets everything that ever happened.
    Earliest,
    /// After the newest event at the time it is first seen.
    Latest,
}

/// The subscribers of an installation on one machine.
pub fn local_subscribers() -> Vec<Subscriber> {
    DEFAULT_SUBSCRIBERS
        .split(',')
        .map(|entry| entry.trim().parse().expect("the default subscribers are valid"))
        .collect()
}

/// Settings of the web client.
#[derive(Debug, Clone, Args)]
pub struct Client {
    /// Listener.
    #[command(flatten)]
    pub listen: Listen,
}
