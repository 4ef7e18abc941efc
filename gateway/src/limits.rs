//! Who of an Ingress's clients may make one more request (annotations §3.9), and what is remembered of them for it.
//!
//! Counters are found by the identity of what they belong to. They are shared by all workers and outlive tables; the
//! limits themselves are those of the table that a request is served by.

mod clients;
mod shared;

use std::{
    collections::HashMap,
    hash::BuildHasher,
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use foldhash::quality::RandomState;
use headgate_config::protection::{LimitCounting, LimitFallback, LimitId, RequestLimits};
use parking_lot::Mutex;

use self::{
    clients::{Buckets, Client, Clients},
    shared::{Key, Shared},
};
use crate::{
    filter::{access::AddressSet, rate::Pace},
    observe::metrics::Metrics,
};

/// Parts of the counters that are locked one by one.
const SHARDS: usize = 16;
/// Clients whose rates are remembered, in all shards: as many as in the reference's 5 MB (annotations, appendix C).
const MOST_CLIENTS: usize = 40_960;
/// The status where nobody can count.
const UNAVAILABLE: u16 = 503;
/// Counters that no location uses are forgotten after this time.
const KEPT_UNUSED: Duration = Duration::from_secs(600);

/// The limits of a location with their counters.
pub struct Limits {
    spec: Arc<RequestLimits>,
    exempt: AddressSet,
    paces: Paces,
    counters: Arc<Counters>,
    /// Where the rates are counted for all replicas, if they are.
    shared: Option<Box<(Key, Arc<Shared>)>>,
}

/// The rates that all count, each with a bucket of its own.
type Paces = [Option<Pace>; 2];

impl Limits {
    /// Compiles `spec`.
    pub fn new(spec: &Arc<RequestLimits>, registry: &Registry) -> Self {
        Self {
            exempt: AddressSet::new(&spec.exempt),
            paces: [spec.per_second.map(Pace::per_second), spec.per_minute.map(Pace::per_minute)],
            counters: registry.counters(&spec.id),
            shared: spec.shared.then(|| (Key::new(&spec.id), Arc::clone(&registry.shared)).into()),
            spec: Arc::clone(spec),
        }
    }

    /// Counts a request of a client at `now` (milliseconds); the permit is kept until it is answered.
    ///
    /// # Errors
    /// It is one too many: the status that it is answered with.
    pub async fn admit(&self, client: IpAddr, now: u64) -> Result<Option<Permit>, u16> {
        if self.exempt.contains(client) {
            return Ok(None);
        }
        let address = client;
        let client = Client::from(client);
        if self.paces.iter().any(Option::is_some) {
            let passes = match &self.shared {
                None => self.counters.take(client, &self.paces, now),
                // In a box: most requests wait for nobody.
                Some(shared) => {
                    let (key, store) = &**shared;
                    match Box::pin(store.take(key, address, &self.paces)).await {
                        Ok(passes) => passes,
                        Err(LimitFallback::Local) => self.counters.take(client, &self.paces, now),
                        Err(LimitFallback::Closed) => return Err(UNAVAILABLE),
                    }
                }
            };
            if !passes {
                return Err(self.spec.rate_status);
            }
        }
        let Some(most) = self.spec.connections else { return Ok(None) };
        self.counters.enter(client, most).map(Some).ok_or(self.spec.connection_status)
    }
}

/// What is remembered of the clients of one Ingress.
struct Counters {
    random: RandomState,
    rates: [Mutex<Clients>; SHARDS],
    /// Requests on their way, of clients that have any.
    open: [Mutex<HashMap<Client, u32, RandomState>>; SHARDS],
}

impl Counters {
    fn new() -> Self {
        Self {
            random: RandomState::default(),
            rates: std::array::from_fn(|_| Mutex::new(Clients::new(MOST_CLIENTS / SHARDS))),
            open: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Whether a request may pass; it counts for all rates or for none.
    fn take(&self, client: Client, paces: &Paces, now: u64) -> bool {
        let (hash, shard) = self.shard(client);
        let mut clients = self.rates[shard].lock();
        let forgettable = |buckets: &Buckets| {
            let mut both = buckets.iter().zip(paces);
            both.all(|(bucket, pace)| pace.is_none_or(|pace| bucket.is_forgettable(&pace, now)))
        };
        let buckets = clients.buckets(client, hash, &self.random, forgettable);
        let mut after = *buckets;
        for (bucket, pace) in after.iter_mut().zip(paces) {
            if pace.is_some_and(|pace| !bucket.take(&pace, now)) {
                return false;
            }
        }
        *buckets = after;
        true
    }

    /// A permit for one of at most `most` requests at the same time.
    fn enter(self: &Arc<Self>, client: Client, most: NonZeroU32) -> Option<Permit> {
        let (_, shard) = self.shard(client);
        let mut open = self.open[shard].lock();
        let count = open.entry(client).or_insert(0);
        if *count >= most.get() {
            return None;
        }
        *count += 1;
        Some(Permit { counters: Arc::clone(self), client })
    }

    fn leave(&self, client: Client) {
        let (_, shard) = self.shard(client);
        let mut open = self.open[shard].lock();
        if let Some(count) = open.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&client);
            }
        }
    }

    /// The hash of a client, and its place. The table in a shard goes by other bits.
    fn shard(&self, client: Client) -> (u64, usize) {
        let hash = self.random.hash_one(client);
        (hash, (hash >> 32) as usize % SHARDS)
    }
}

/// A request that is counted as being on its way, until this is dropped.
pub struct Permit {
    counters: Arc<Counters>,
    client: Client,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counters.leave(self.client);
    }
}

/// All counters: those of this process by identity, and those of all replicas.
#[derive(Default)]
pub struct Registry {
    entries: Mutex<HashMap<LimitId, Entry>>,
    shared: Arc<Shared>,
}

struct Entry {
    counters: Arc<Counters>,
    unused_since: Option<Instant>,
}

impl Registry {
    /// No counters yet. What they say of themselves is shown with the metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let registry = Self::default();
        let shared = Arc::clone(&registry.shared);
        metrics.add_source(move |text| shared.write_metrics(text));
        registry
    }

    /// Counts shared limits in this store from now on.
    pub fn set_store(&self, store: Option<&LimitCounting>) {
        self.shared.set(store);
    }

    fn counters(&self, id: &LimitId) -> Arc<Counters> {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get_mut(id) {
            entry.unused_since = None;
            return Arc::clone(&entry.counters);
        }
        let counters = Arc::new(Counters::new());
        let entry = Entry { counters: Arc::clone(&counters), unused_since: None };
        entries.insert(id.clone(), entry);
        counters
    }

    /// Forgets counters that have not been used for a while. Called from time to time.
    pub fn forget_unused(&self, now: Instant) {
        self.entries.lock().retain(|_, entry| {
            if Arc::strong_count(&entry.counters) > 1 {
                entry.unused_since = None;
                return true;
            }
            let since = *entry.unused_since.get_or_insert(now);
            now.saturating_duration_since(since) < KEPT_UNUSED
        });
    }
}

#[cfg(test)]
mod tests;
