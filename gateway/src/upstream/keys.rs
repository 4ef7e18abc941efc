//! The keys that issuers of tokens publish: fetched when a table that needs them is compiled, and again in time, beside the
//! workers. All locations with the same source share them, and they outlive tables.
//!
//! Whoever asks gets what is known at once. There are two moments to wait for: the first fetch, and the one that a token
//! with an unknown key gives rise to; both are short.

mod condition;
mod fetch;
mod refresh;
mod users;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use headgate_config::{ObjectRef, protection::KeySource};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout},
};

pub use self::{condition::KeyStates, users::KeyUse};
use self::{
    fetch::{Failure, Fetcher},
    users::Users,
};
use super::{SharedUpstream, errand::shown, names::Names, resolve::Resolver};
use crate::{
    filter::jwt::keys::KeySet,
    observe::metrics::{Exposition, Kind, Metrics},
};

/// Keys are used for so long after they should have been fetched again.
const STALE: Duration = Duration::from_secs(3600);
/// Time between two fetches, whoever asks for them.
const PAUSE: Duration = Duration::from_secs(10);
/// A request waits so long for the first keys.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// … and so long for newer ones.
const NEWER_PATIENCE: Duration = Duration::from_secs(2);

/// Counts sets of keys that differ from the one before, of all sources: no two have the same number.
static GENERATIONS: AtomicU64 = AtomicU64::new(1);

/// The keys of one source. They are kept up to date until this is dropped.
pub struct KeyStore {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the requests and the task that fetches have in common.
struct Shared {
    source: KeySource,
    /// Its URL as everybody may see it.
    shown: String,
    users: Users,
    /// Where the source is, if it is not to be resolved.
    endpoints: Mutex<Option<Arc<SharedUpstream>>>,
    held: ArcSwapOption<Held>,
    progress: watch::Sender<Progress>,
    wanted: Notify,
}

/// Keys that were fetched.
#[derive(Debug)]
pub struct Held {
    /// The keys.
    pub keys: Arc<KeySet>,
    /// Which; another for every other set.
    pub generation: u64,
    /// When they must not be used any more.
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Fetches that have ended.
    ended: u64,
    /// When the last one began.
    began: Instant,
    is_running: bool,
    /// Why the last that has ended was in vain, if it was.
    failure: Option<Failure>,
}

/// What comes of asking for newer keys.
pub enum Newer {
    /// Other keys than before.
    Keys(Arc<Held>),
    /// There are none: they were looked for just now.
    None,
    /// Nobody knows.
    Unknown,
}

impl KeyStore {
    fn users(&self) -> &Users {
        &self.shared.users
    }

    /// The keys, unless there are none that may be used.
    pub async fn keys(&self) -> Option<Arc<Held>> {
        if let Some(held) = self.shared.current() {
            return Some(held);
        }
        let mut progress = self.shared.progress.subscribe();
        if progress.borrow().ended == 0 {
            let first = progress.wait_for(|progress| progress.ended > 0);
            drop(timeout(FIRST_PATIENCE, first).await);
        }
        self.shared.current()
    }

    /// Other keys than those of `generation`, in case the source has published some meanwhile.
    pub async fn newer(&self, generation: u64) -> Newer {
        let shared = &self.shared;
        let other = || shared.current().filter(|held| held.generation != generation);
        if let Some(held) = other() {
            return Newer::Keys(held);
        }
        let mut progress = shared.progress.subscribe();
        let before = *progress.borrow_and_update();
        if before.is_running || before.began.elapsed() >= PAUSE {
            if !before.is_running {
                shared.wanted.notify_one();
            }
            let ended = progress.wait_for(|progress| progress.ended > before.ended);
            drop(timeout(NEWER_PATIENCE, ended).await);
        }
        let now = *shared.progress.borrow();
        match other() {
            Some(held) => Newer::Keys(held),
            None if now.failure.is_some() || now.is_running => Newer::Unknown,
            None => Newer::None,
        }
    }
}

impl Drop for KeyStore {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn new(source: KeySource) -> Self {
        let progress =
            Progress { ended: 0, began: Instant::now(), is_running: true, failure: None };
        Self {
            shown: shown(&source.url),
            users: Users::default(),
            source,
            endpoints: Mutex::default(),
            held: ArcSwapOption::empty(),
            progress: watch::Sender::new(progress),
            wanted: Notify::new(),
        }
    }

    /// Whether the last fetch that has ended was a good one.
    fn is_up(&self) -> bool {
        let progress = self.progress.borrow();
        progress.ended > 0 && progress.failure.is_none()
    }

    /// The keys, if they may still be used.
    fn current(&self) -> Option<Arc<Held>> {
        let held = self.held.load();
        held.as_ref().filter(|held| Instant::now() < held.until).map(Arc::clone)
    }

    /// Takes keys that were fetched, which are to be fetched again after `lifetime`.
    fn put(&self, keys: KeySet, lifetime: Duration) {
        let until = Instant::now() + lifetime + STALE;
        let before = self.held.load_full().filter(|before| *before.keys == keys);
        let held = match before {
            Some(before) => {
                Held { keys: Arc::clone(&before.keys), generation: before.generation, until }
            }
            None => {
                Held { keys: Arc::new(keys), generation: GENERATIONS.fetch_add(1, Relaxed), until }
            }
        };
        self.held.store(Some(Arc::new(held)));
    }
}

/// All sources of keys that a table names.
pub struct KeyStores {
    resolver: Resolver,
    names: Arc<Names>,
    metrics: Arc<Metrics>,
    known: Arc<Mutex<Known>>,
}

type Known = HashMap<KeySource, Weak<KeyStore>>;

impl KeyStores {
    /// None yet.
    pub fn new(resolver: Resolver, metrics: Arc<Metrics>) -> Self {
        let names = Arc::new(Names::new(resolver.clone()));
        let known = Arc::<Mutex<Known>>::default();
        let shown = Arc::clone(&known);
        metrics.add_source(move |text| write_metrics(&shown.lock(), text));
        Self { resolver, names, metrics, known }
    }

    /// The keys of a source for a location of `user`, which are fetched from now on if they were not before. `endpoints` are
    /// those of its host where the source names some.
    pub fn find(
        &self,
        source: &KeySource,
        endpoints: Option<Arc<SharedUpstream>>,
        user: Option<&ObjectRef>,
    ) -> KeyUse {
        let mut known = self.known.lock();
        if let Some(store) = known.get(source).and_then(Weak::upgrade) {
            // It may have gone and come back.
            *store.shared.endpoints.lock() = endpoints;
            return KeyUse::new(store, user);
        }
        let shared = Arc::new(Shared::new(source.clone()));
        *shared.endpoints.lock() = endpoints;
        let fetcher =
            Fetcher::new(Arc::clone(&shared), Arc::clone(&self.names), Arc::clone(&self.metrics));
        let following = refresh::follow(Arc::clone(&shared), move || fetcher.clone().fetch());
        let task = self.resolver.spawn(following);
        let store = Arc::new(KeyStore { shared, task });
        known.retain(|_, store| store.strong_count() > 0);
        known.insert(source.clone(), Arc::downgrade(&store));
        KeyUse::new(store, user)
    }
}

/// Shows of each source whether it is in order, and how many keys there are. Of those that look the same, the worst.
fn write_metrics(known: &Known, text: &mut Exposition) {
    let mut sources: BTreeMap<String, (u8, usize)> = BTreeMap::new();
    for store in known.values().filter_map(Weak::upgrade) {
        let shared = &store.shared;
        let keys = shared.current().map_or(0, |held| held.keys.count());
        let own = (u8::from(shared.is_up()), keys);
        let worst = sources.entry(shared.shown.clone()).or_insert(own);
        *worst = (worst.0.min(own.0), worst.1.min(own.1));
    }
    if sources.is_empty() {
        return;
    }
    let name = "headgate_jwt_keys_up";
    text.family(name, Kind::Gauge, "Whether the last fetch of the keys of tokens succeeded (1)");
    for (url, (up, _)) in &sources {
        text.sample(name, &[("url", url)], up);
    }
    let name = "headgate_jwt_keys";
    text.family(name, Kind::Gauge, "Keys that tokens are verified with; without any none counts");
    for (url, (_, keys)) in &sources {
        text.sample(name, &[("url", url)], keys);
    }
}

#[cfg(test)]
mod tests;
