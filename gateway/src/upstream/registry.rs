//! What all workers share about upstreams: their current endpoints. Written when a snapshot is published and by name
//! resolution; read by each worker when the version changed.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use headgate_config::{Endpoints, Upstream, UpstreamId};
use parking_lot::Mutex;

use super::{
    balance::{
        Policy, Spread,
        canary::{Canary, Share},
    },
    resolve::{Name, Resolution, Resolver},
};
use crate::observe::metrics::Metrics;

/// One upstream, shared by all workers and all generations of the route table.
pub struct SharedUpstream {
    /// `namespace-service-port`, for logs.
    pub name: Box<str>,
    /// Where workers keep what is theirs.
    pub slot: usize,
    state: ArcSwap<State>,
    version: AtomicU64,
    /// Who may set the addresses: a name that is resolved no more must not come back with an old answer.
    source: Mutex<u64>,
    retired: AtomicBool,
}

/// Endpoints, and how requests are spread over them.
#[derive(Clone, Default)]
pub struct State {
    /// The endpoints.
    pub addresses: Arc<Vec<SocketAddr>>,
    /// None if they are asked in turn.
    pub spread: Option<Arc<Spread>>,
}

impl SharedUpstream {
    fn new(id: &UpstreamId, slot: usize) -> Self {
        Self {
            name: id.to_string().into_boxed_str(),
            slot,
            state: ArcSwap::default(),
            version: AtomicU64::new(0),
            source: Mutex::new(0),
            retired: AtomicBool::new(false),
        }
    }

    /// Counts changes of the state.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The current addresses.
    pub fn addresses(&self) -> Arc<Vec<SocketAddr>> {
        Arc::clone(&self.state.load().addresses)
    }

    /// The current state.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Lets a new source set the addresses, and nobody else from now on.
    fn change_source(&self) -> u64 {
        let mut source = self.source.lock();
        *source += 1;
        *source
    }

    /// No configuration names it any more.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Replaces the addresses, if they differ and `source` may still set them; says whether it has.
    pub fn set_addresses(&self, source: u64, addresses: &[SocketAddr]) -> bool {
        let current = self.source.lock();
        let before = self.state.load();
        let differs = *current == source && *before.addresses != *addresses;
        if differs {
            let policy = before.spread.as_ref().map(|spread| Arc::clone(&spread.policy));
            self.store(addresses.to_vec().into(), policy);
        }
        differs
    }

    /// Replaces how requests are spread.
    fn set_policy(&self, policy: Option<Arc<Policy>>) {
        // Whoever sets addresses meanwhile has to see it.
        let _source = self.source.lock();
        self.store(self.addresses(), policy);
    }

    fn store(&self, addresses: Arc<Vec<SocketAddr>>, policy: Option<Arc<Policy>>) {
        let spread = policy.map(|policy| Arc::new(Spread::new(policy, &addresses)));
        self.state.store(Arc::new(State { addresses, spread }));
        self.version.fetch_add(1, Ordering::Release);
    }
}

/// All upstreams, by identity. Owned by the publisher of snapshots.
pub struct Registry {
    entries: HashMap<UpstreamId, Entry>,
    free_slots: Vec<usize>,
    slots: usize,
    resolver: Resolver,
}

struct Entry {
    spec: Arc<Upstream>,
    shared: Arc<SharedUpstream>,
    /// Whether requests are to be spread as `spec` says, and are not yet.
    unbound: bool,
    /// Keeps the name of an upstream resolved, as long as it is held.
    resolution: Option<Resolution>,
}

impl Registry {
    /// An empty registry that resolves names with `resolver`.
    pub fn new(resolver: Resolver) -> Self {
        Self { entries: HashMap::new(), free_slots: Vec::new(), slots: 0, resolver }
    }

    /// Brings an upstream up to date and returns it.
    pub fn upsert(&mut self, spec: &Arc<Upstream>) -> Arc<SharedUpstream> {
        if let Some(entry) = self.entries.get_mut(&spec.id) {
            if !Arc::ptr_eq(&entry.spec, spec) {
                let same_name = entry.spec.endpoints == spec.endpoints;
                entry.unbound |= !is_spread_alike(&entry.spec, spec);
                entry.spec = Arc::clone(spec);
                if !same_name {
                    entry.resolution = None;
                    entry.resolution = point(&entry.shared, spec, &self.resolver);
                }
            }
            return Arc::clone(&entry.shared);
        }
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        let shared = Arc::new(SharedUpstream::new(&spec.id, slot));
        let resolution = point(&shared, spec, &self.resolver);
        let plain = Upstream::new(spec.id.clone(), Endpoints::Addresses(Vec::new()));
        let unbound = !is_spread_alike(&plain, spec);
        let (spec, own) = (Arc::clone(spec), Arc::clone(&shared));
        let entry = Entry { spec: Arc::clone(&spec), shared: own, unbound, resolution };
        self.entries.insert(spec.id.clone(), entry);
        shared
    }

    /// Brings up to date how the requests of an upstream are spread. All others that it may name have to be there.
    pub fn bind(&mut self, id: &UpstreamId, metrics: &Metrics) {
        let Some(entry) = self.entries.get(id).filter(|entry| entry.unbound) else { return };
        let canary = entry.spec.canary.as_ref().and_then(|canary| {
            let upstream = Arc::clone(self.find(&canary.upstream)?);
            let key = metrics.name(&upstream.name);
            Some(Canary { upstream, key, share: Share::new(&canary.rules) })
        });
        entry.shared.set_policy(Policy::new(&entry.spec, canary));
        if let Some(entry) = self.entries.get_mut(id) {
            entry.unbound = false;
        }
    }

    /// The upstream of this identity.
    pub fn find(&self, id: &UpstreamId) -> Option<&Arc<SharedUpstream>> {
        self.entries.get(id).map(|entry| &entry.shared)
    }

    /// Forgets an upstream. Requests that are on their way keep theirs.
    pub fn forget(&mut self, id: &UpstreamId) {
        if let Some(Entry { shared, .. }) = self.entries.remove(id) {
            shared.retired.store(true, Ordering::Relaxed);
            // Two that get shares of each other would hold each other for ever.
            if shared.state().spread.is_some() {
                shared.set_policy(None);
            }
            self.free_slots.push(shared.slot);
        }
    }
}

/// Whether two versions of an upstream spread requests in the same way.
fn is_spread_alike(one: &Upstream, other: &Upstream) -> bool {
    one.balance == other.balance && one.affinity == other.affinity && one.canary == other.canary
}

/// Sets the addresses of an upstream, or starts to resolve its name.
fn point(shared: &Arc<SharedUpstream>, spec: &Upstream, resolver: &Resolver) -> Option<Resolution> {
    let source = shared.change_source();
    match &spec.endpoints {
        Endpoints::Addresses(addresses) => {
            shared.set_addresses(source, addresses);
            None
        }
        Endpoints::Name { name, port, remote_only } => {
            let name = Name { name: name.clone(), port: *port, remote_only: *remote_only };
            Some(resolver.follow(Arc::clone(shared), source, name))
        }
    }
}
