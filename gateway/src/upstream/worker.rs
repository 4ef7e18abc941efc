//! One worker's view of the upstreams: the endpoints in turn, each with its idle connections.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};

use super::{
    pool::{Endpoint, IdleCount},
    registry::SharedUpstream,
};

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
    next: Cell<usize>,
    idle: IdleCount,
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
    fn new(shared: Arc<SharedUpstream>, idle: IdleCount) -> Self {
        Self {
            shared,
            version: Cell::new(u64::MAX),
            endpoints: RefCell::new(Rc::new([])),
            next: Cell::new(fastrand::usize(..)),
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
        let addresses = self.shared.addresses();
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
        *self.endpoints.borrow_mut() = new;
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

    /// The next endpoint in turn.
    pub fn pick(&self) -> Option<Rc<Endpoint>> {
        let endpoints = self.endpoints.borrow();
        if endpoints.is_empty() {
            return None;
        }
        let next = self.next.get();
        self.next.set(next.wrapping_add(1));
        Some(Rc::clone(&endpoints[next % endpoints.len()]))
    }
}
