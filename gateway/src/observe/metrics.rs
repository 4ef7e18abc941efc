//! Metrics under the reference's names, labels and buckets (operations §3).
//!
//! Each worker counts into a shard of its own: plain loads and stores, no lock and no contended write per request, no
//! allocation once a series exists. A scrape sums the shards. Labels are interned while a table is compiled (see
//! [`Metrics::location`]); series disappear with the table that named their labels.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use headgate_config::Origin;
use parking_lot::Mutex;

mod connection;
mod controller;
mod label;
mod method;
mod mirrored;
mod process;
mod scrape;
mod series;
mod settings;
mod text;
mod worker;

#[cfg(test)]
mod tests;

pub(crate) use connection::Connection;
pub(crate) use label::{LocationKey, NameKey};
pub(crate) use mirrored::Mirrored;
pub(crate) use scrape::Scrape;
pub use settings::{Instance, MetricsSettings};
pub use text::{Exposition, Kind};
pub(crate) use worker::{Asked, RequestRecord, TokenOutcome, UpstreamTimes, WorkerMetrics};

use label::Registry;
use series::Layout;
use worker::Shard;

/// All metrics of the process. Shared; workers get a [`WorkerMetrics`] each.
pub struct Metrics {
    settings: MetricsSettings,
    layout: Layout,
    registry: Registry,
    shards: Mutex<Vec<Arc<Shard>>>,
    /// Series of all shards together.
    series: AtomicUsize,
    publication: Publication,
    sources: Mutex<Vec<Box<Source>>>,
    scrapes: AtomicU64,
    /// Fetches of the keys that tokens are verified with: good ones, and those in vain.
    key_fetches: [AtomicU64; 2],
}

/// Adds metric families of other parts of the program to a scrape.
type Source = dyn Fn(&mut Exposition) + Send + Sync;

/// What is known about publications of tables, the reference's "reloads".
#[derive(Debug, Default)]
struct Publication {
    hash: AtomicU64,
    successful: AtomicBool,
    /// Seconds since 1970 of the last success.
    time: AtomicU64,
    successes: AtomicU64,
    errors: AtomicU64,
}

impl Metrics {
    /// Metrics without any series.
    pub fn new(settings: MetricsSettings) -> Arc<Self> {
        Arc::new(Self {
            layout: Layout::new(&settings),
            settings,
            registry: Registry::default(),
            shards: Mutex::default(),
            series: AtomicUsize::new(0),
            publication: Publication::default(),
            sources: Mutex::default(),
            scrapes: AtomicU64::new(0),
            key_fetches: Default::default(),
        })
    }

    /// The shard of one more worker. Call it once per worker thread.
    pub(crate) fn worker(self: &Arc<Self>) -> WorkerMetrics {
        let shard = Arc::new(Shard::default());
        self.shards.lock().push(Arc::clone(&shard));
        WorkerMetrics::new(Arc::clone(self), shard)
    }

    /// The key for the labels of a location. To be kept in the compiled location: series with it live as long as it
    /// or a clone of it. Equal labels get equal keys, so a recompiled location continues its series.
    pub(crate) fn location(&self, origin: &Arc<Origin>) -> LocationKey {
        self.registry.location(origin)
    }

    /// The key for a host name (exact names and exact aliases of the host table) or for the name of an alternative
    /// upstream. Lives and dies as [`Self::location`] says.
    pub(crate) fn name(&self, name: &str) -> NameKey {
        self.registry.name(name)
    }

    /// Notes that a table was published. `hash` identifies the configuration; equal ones have equal hashes.
    pub fn published(&self, hash: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let publication = &self.publication;
        publication.hash.store(hash, Relaxed);
        publication.successful.store(true, Relaxed);
        publication.time.store(now.map_or(0, |time| time.as_secs()), Relaxed);
        publication.successes.fetch_add(1, Relaxed);
    }

    /// Notes that a table could not be compiled or published.
    pub fn publication_failed(&self) {
        self.publication.hash.store(0, Relaxed);
        self.publication.successful.store(false, Relaxed);
        self.publication.errors.fetch_add(1, Relaxed);
    }

    /// Counts a fetch of the keys of an issuer of tokens.
    pub(crate) fn keys_fetched(&self, is_good: bool) {
        self.key_fetches[usize::from(!is_good)].fetch_add(1, Relaxed);
    }

    /// Adds metric families to every later scrape, for parts of the program that keep their own numbers.
    pub fn add_source(&self, source: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        self.sources.lock().push(Box::new(source));
    }

    /// A text exposition of everything, in chunks.
    pub fn scrape(self: &Arc<Self>) -> Scrape {
        self.scrapes.fetch_add(1, Relaxed);
        Scrape::new(self)
    }

    /// The settings that the metrics were made with.
    pub fn settings(&self) -> &MetricsSettings {
        &self.settings
    }
}
