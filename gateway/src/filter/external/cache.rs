//! Answers of services that are asked, remembered for all workers (annotations §3.7, "Caching").
//!
//! Memory is bounded: each shard has two generations, and when the newer one is full the older one is forgotten, but for
//! what was used meanwhile. It outlives tables; what is configured at the location is a part of the key.

use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::{FixedState, RandomState};
use hashbrown::HashTable;
use headgate_config::{PathMatch, protection::ExternalAuth};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;

use crate::clock;

const SHARDS: usize = 16;
/// Entries of one generation of one shard; 131,072 in all.
const MOST_ENTRIES: usize = 4096;
/// Their bytes; 64 MiB in all.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// What an entry takes besides its texts, about.
const OVERHEAD: usize = 256;
/// What nobody asks for during this time is forgotten.
const UNUSED: Duration = Duration::from_secs(30 * 60);

/// Whose answers are remembered together: those about one location of one host, with all that is configured there.
#[derive(Debug, PartialEq, Eq)]
pub struct Scope {
    hash: u64,
    host: String,
    matcher: PathMatch,
    spec: Arc<ExternalAuth>,
}

impl Scope {
    /// The scope of a location.
    pub fn new(host: &str, matcher: &PathMatch, spec: &Arc<ExternalAuth>) -> Self {
        let hash = FixedState::default().hash_one((host, matcher, &spec.url, &spec.cache_key));
        Self { hash, host: host.to_owned(), matcher: matcher.clone(), spec: Arc::clone(spec) }
    }
}

/// An answer as it is remembered.
#[derive(Debug)]
pub struct Kept {
    /// Its status.
    pub status: StatusCode,
    /// Those of its headers that matter.
    pub headers: HeaderMap,
    /// The tick at which it is no longer used.
    pub until: u32,
    /// What the request that it is about had in the headers that it varies by.
    pub varies_by: Vec<(HeaderName, Vec<u8>)>,
}

/// The value of a header of a request, all lines of it.
pub fn whole(headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    lines.collect::<Vec<_>>().join(&b"\n"[..])
}

/// All answers that are remembered.
#[derive(Default)]
pub struct Answers {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    newer: Generation,
    older: Generation,
    /// When the newer one began.
    began: u32,
}

#[derive(Default)]
struct Generation {
    entries: HashTable<Entry>,
    bytes: usize,
}

struct Entry {
    hash: u64,
    scope: Arc<Scope>,
    key: Box<[u8]>,
    kept: Arc<Kept>,
    used: u32,
}

impl Entry {
    fn is(&self, scope: &Arc<Scope>, key: &[u8]) -> bool {
        *self.key == *key && (Arc::ptr_eq(&self.scope, scope) || self.scope == *scope)
    }

    fn size(&self) -> usize {
        let headers = self.kept.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
        let varies: usize = self.kept.varies_by.iter().map(|(_, value)| value.len()).sum();
        OVERHEAD + self.key.len() + headers + varies
    }
}

impl Answers {
    /// The answer about a request with these headers, if it may be used at tick `now`.
    pub fn find(
        &self,
        scope: &Arc<Scope>,
        key: &[u8],
        headers: &HeaderMap,
        now: u32,
    ) -> Option<Arc<Kept>> {
        let hash = self.hash(scope, key);
        let mut shard = self.shard(hash).lock();
        shard.age(now);
        let entry = shard.find(hash, scope, key)?;
        let is_usable = entry.kept.until > now
            && clock::elapsed(entry.used, now) < UNUSED
            && entry.kept.varies_by.iter().all(|(name, value)| whole(headers, name) == *value);
        entry.used = now;
        is_usable.then(|| Arc::clone(&entry.kept))
    }

    /// Remembers an answer at tick `now`, in place of another about the same.
    pub fn keep(&self, scope: &Arc<Scope>, key: &[u8], kept: Kept, now: u32) {
        let hash = self.hash(scope, key);
        let entry = Entry {
            hash,
            scope: Arc::clone(scope),
            key: key.into(),
            kept: Arc::new(kept),
            used: now,
        };
        if entry.size() > MOST_BYTES / 16 {
            return;
        }
        let mut shard = self.shard(hash).lock();
        shard.age(now);
        shard.newer.remove(hash, scope, key);
        shard.older.remove(hash, scope, key);
        shard.insert(entry, now);
    }

    /// Forgets what nobody has asked for in a long time. Called now and then.
    pub fn sweep(&self, now: u32) {
        for shard in &self.shards {
            // Who is busy with it looks itself.
            if let Some(mut shard) = shard.try_lock() {
                shard.age(now);
            }
        }
    }

    /// How many answers are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        let count = |shard: &Shard| shard.newer.entries.len() + shard.older.entries.len();
        self.shards.iter().map(|shard| count(&shard.lock())).sum()
    }

    fn hash(&self, scope: &Scope, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        scope.hash.hash(&mut hasher);
        key.hash(&mut hasher);
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The table uses the highest and the lowest bits.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

impl Shard {
    /// Begins a new generation if it is time to.
    fn age(&mut self, now: u32) {
        let is_full = self.newer.entries.len() >= MOST_ENTRIES || self.newer.bytes >= MOST_BYTES;
        if is_full || clock::elapsed(self.began, now) >= UNUSED {
            self.began = now;
            self.older = std::mem::take(&mut self.newer);
        }
    }

    /// An entry, which is one of the newer generation now.
    fn find(&mut self, hash: u64, scope: &Arc<Scope>, key: &[u8]) -> Option<&mut Entry> {
        if let Some(entry) = self.older.remove(hash, scope, key) {
            self.newer.insert(entry);
        }
        self.newer.entries.find_mut(hash, |entry| entry.is(scope, key))
    }

    fn insert(&mut self, entry: Entry, now: u32) {
        self.newer.insert(entry);
        self.age(now);
    }
}

impl Generation {
    fn insert(&mut self, entry: Entry) {
        self.bytes += entry.size();
        self.entries.insert_unique(entry.hash, entry, |entry| entry.hash);
    }

    fn remove(&mut self, hash: u64, scope: &Arc<Scope>, key: &[u8]) -> Option<Entry> {
        let found = self.entries.find_entry(hash, |entry| entry.is(scope, key)).ok()?;
        let (entry, _) = found.remove();
        self.bytes -= entry.size();
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
