//! One worker's view of the upstreams: the endpoints in turn, each with its idle connections.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    balance::{Candidates, Choice, Spread},
    pool::{Endpoint, IdleCount},
    registry::SharedUpstream,
};
use crate::clock;

/// A spread in use: to hold it is a worker's own count, not one that all workers fight over.
#[allow(clippy::redundant_allocation, reason = "the inner count is shared between threads")]
pub type HeldSpread = Rc<Arc<Spread>>;

/// All upstreams that a worker has used.
#[derive(Default)]
pub struct WorkerUpstreams {
    slots: RefCell<Vec<Option<Rc<WorkerUpstream>>>>,
    idle: IdleCount,
}

/// One upstream as a worker sees it.
pub struct WorkerUpstream {
    shared: Arc<SharedUpstream>,
    version: Cell<u64>,
    endpoints: RefCell<Rc<[Rc<Endpoint>]>>,
    /// How requests are spread over them, if not in turn.
    spread: RefCell<Option<HeldSpread>>,
    next: Cell<usize>,
    idle: IdleCount,
    /// When the log was told last that it does not answer, in ticks; 0 is never.
    told: Cell<u32>,
}

impl WorkerUpstreams {
    /// The worker's view of `shared`, brought up to date.
    pub fn view(&self, shared: &Arc<SharedUpstream>) -> Rc<WorkerUpstream> {
        let mut slots = self.slots.borrow_mut();
        if slots.len() <= shared.slot {
            slots.resize_with(shared.slot + 1, || None);
        }
        let entry = &mut slots[shared.slot];
        let current = match entry {
            // A slot is used again after an upstream is gone: it is the same only if it is the same object.
            Some(view) if Arc::ptr_eq(&view.shared, shared) => Rc::clone(view),
            _ => {
                let view = Rc::new(WorkerUpstream::new(Arc::clone(shared), self.idle.clone()));
                *entry = Some(Rc::clone(&view));
                view
            }
        };
        drop(slots);
        current.refresh();
        current
    }

    /// Closes connections that were idle for too long, and forgets upstreams that are gone.
    pub fn sweep(&self, idle_limit: std::time::Duration) {
        for slot in self.slots.borrow_mut().iter_mut() {
            let Some(view) = slot else { continue };
            // Requests that still use it hold it themselves.
            if view.shared.is_retired() {
                *slot = None;
                continue;
            }
            view.refresh();
            for endpoint in view.endpoints.borrow().iter() {
                endpoint.sweep(idle_limit);
            }
        }
    }
}

impl WorkerUpstream {
    /// Whether `rest` has passed since the last time that this was so.
    pub fn may_complain(&self, rest: Duration) -> bool {
        let now = clock::tick();
        let told = self.told.get();
        let may = told == 0 || clock::elapsed(told, now) >= rest;
        if may {
            self.told.set(now);
        }
        may
    }

    fn new(shared: Arc<SharedUpstream>, idle: IdleCount) -> Self {
        Self {
            shared,
            version: Cell::new(u64::MAX),
            endpoints: RefCell::new(Rc::new([])),
            spread: RefCell::default(),
            next: Cell::new(fastrand::usize(..)),
            told: Cell::new(0),
            idle,
        }
    }

    /// Takes over endpoint changes. Endpoints that stay keep their connections.
    fn refresh(&self) {
        let version = self.shared.version();
        if self.version.get() == version {
            return;
        }
        self.version.set(version);
        let state = self.shared.state();
        let addresses = &state.addresses;
        let old = self.endpoints.borrow().clone();
        // Services of thousands of endpoints change like others, and a request waits meanwhile.
        let mut gone: HashMap<SocketAddr, &Rc<Endpoint>, foldhash::fast::FixedState> =
            old.iter().map(|endpoint| (endpoint.address, endpoint)).collect();
        let new: Rc<[Rc<Endpoint>]> = addresses
            .iter()
            .map(|address| match gone.remove(address) {
                Some(endpoint) => Rc::clone(endpoint),
                None => Rc::new(Endpoint::new(*address, self.idle.clone())),
            })
            .collect();
        gone.into_values().for_each(|endpoint| endpoint.retire());
        if state.spread.as_ref().is_some_and(|spread| spread.policy.is_timed()) {
            let now = clock::milliseconds(Instant::now()) as u32;
            for endpoint in new.iter().filter(|endpoint| Rc::strong_count(endpoint) == 1) {
                endpoint.load.begin(old.iter().map(|endpoint| &endpoint.load), now);
            }
        }
        *self.endpoints.borrow_mut() = new;
        *self.spread.borrow_mut() = state.spread.clone().map(Rc::new);
    }

    /// The upstream's name in logs.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// How many endpoints there are.
    pub fn len(&self) -> usize {
        self.endpoints.borrow().len()
    }

    /// Whether there is no endpoint.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How requests are spread over the endpoints, if they are not just asked in turn.
    pub fn spread(&self) -> Option<HeldSpread> {
        self.spread.borrow().clone()
    }

    /// The endpoint for the next try of a request that has tried those of `tried` in vain.
    pub fn pick<'t>(
        &self,
        choice: &mut Choice,
        tried: impl Iterator<Item = &'t Rc<Endpoint>> + Clone,
    ) -> Option<Rc<Endpoint>> {
        let endpoints = self.endpoints.borrow();
        if endpoints.is_empty() {
            return None;
        }
        let among = Among { endpoints: &endpoints, tried };
        let special = match &*self.spread.borrow() {
            None => None,
            Some(spread) => choice.pick(spread, &among),
        };
        let at = special.unwrap_or_else(|| self.turn(&among));
        Some(Rc::clone(&endpoints[at]))
    }

    /// The next endpoint in turn; those that were tried are passed over as long as there are others.
    fn turn(&self, among: &impl Candidates) -> usize {
        let (start, count) = (self.next.get(), among.count());
        let mut passed = 0;
        while passed < count && among.is_tried(start.wrapping_add(passed) % count) {
            passed += 1;
        }
        passed %= count;
        self.next.set(start.wrapping_add(passed + 1));
        start.wrapping_add(passed) % count
    }
}

/// Endpoints that a request chooses among.
struct Among<'e, T> {
    endpoints: &'e [Rc<Endpoint>],
    tried: T,
}

impl<'t, T: Iterator<Item = &'t Rc<Endpoint>> + Clone> Candidates for Among<'_, T> {
    fn count(&self) -> usize {
        self.endpoints.len()
    }

    fn is_tried(&self, at: usize) -> bool {
        self.tried.clone().any(|tried| Rc::ptr_eq(tried, &self.endpoints[at]))
    }

    fn has_tried(&self) -> bool {
        self.tried.clone().next().is_some()
    }

    fn score(&self, at: usize) -> f32 {
        self.endpoints[at].load.score(clock::milliseconds(Instant::now()) as u32)
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::{Endpoints, Upstream, UpstreamId};

    use super::{super::registry::Registry, *};
    use crate::upstream::resolve::Resolver;

    /// The view of an upstream with so many endpoints.
    fn view(count: u8) -> Rc<WorkerUpstream> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut registry = Registry::new(Resolver::new(runtime.handle().clone()));
        let addresses = (1..=count).map(|last| ([10, 0, 0, last], 80).into()).collect();
        let id = UpstreamId { namespace: "ns".into(), service: "web".into(), port: "80".into() };
        let upstream = Upstream::new(id, Endpoints::Addresses(addresses));
        WorkerUpstreams::default().view(&registry.upsert(&Arc::new(upstream)))
    }

    fn pick(view: &WorkerUpstream, tried: &[Rc<Endpoint>]) -> Rc<Endpoint> {
        view.pick(&mut Choice::Turn, tried.iter()).expect("there are endpoints")
    }

    #[test]
    fn endpoints_take_turns() {
        let view = view(3);
        let round: Vec<_> = (0..3).map(|_| pick(&view, &[]).address).collect();
        for at in 0..30 {
            assert_eq!(pick(&view, &[]).address, round[at % 3]);
        }
        assert_ne!(round[0], round[1]);
    }

    /// With many requests at once their turns mix, so that the next is not always another.
    #[test]
    fn a_request_is_not_tried_twice_at_one_endpoint_as_long_as_there_are_others() {
        let view = view(3);
        for others in 0..3 {
            let mut tried = Vec::new();
            while tried.len() < 3 {
                let next = pick(&view, &tried);
                assert!(!tried.iter().any(|endpoint| Rc::ptr_eq(endpoint, &next)));
                tried.push(next);
                (0..others).for_each(|_| drop(pick(&view, &[])));
            }
            let again: Vec<_> = (0..3).map(|_| pick(&view, &tried).address).collect();
            assert!(again[0] != again[1] && again[1] != again[2] && again[0] != again[2]);
        }
    }
}
