//! A worker's side of TCP and UDP services (operations §10): opens the ports of the current configuration and closes those
//! that it has no more. Connections are not touched by that; they end when they are done.

pub(super) mod connect;
mod record;
mod tcp;
mod udp;

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
};

use tokio::task::JoinSet;

use super::ports::{Bound, PortKey, PortSocket};
use crate::{
    live::{LiveService, LiveStreams},
    worker::Worker,
};

/// The ports that a worker has open.
#[derive(Default)]
pub(crate) struct Forwards {
    /// Which worker it is, from 0.
    index: usize,
    open: HashMap<PortKey, Open>,
    /// The sessions of all UDP ports.
    sessions: Rc<udp::Sessions>,
    /// What they were opened for.
    seen: Option<Arc<LiveStreams>>,
}

struct Open {
    bound: Arc<Bound>,
    current: Current,
    /// Ends, and closes the port, when this is dropped.
    _serving: JoinSet<()>,
}

/// The service that a port has at the moment.
#[derive(Clone)]
struct Current(Rc<RefCell<Arc<LiveService>>>);

impl Current {
    fn service(&self) -> Arc<LiveService> {
        Arc::clone(&self.0.borrow())
    }

    /// The service, and the number of its next session.
    fn next(&self) -> (Arc<LiveService>, usize) {
        let service = self.service();
        let next = service.bound.next.fetch_add(1, Ordering::Relaxed);
        (service, next)
    }
}

impl Forwards {
    /// Those of the worker of this number.
    pub fn new(index: usize) -> Self {
        Self { index, ..Self::default() }
    }

    /// Opens and closes ports as the current configuration has it. Costs nothing where that has not changed.
    pub fn follow(&mut self, worker: &Rc<Worker>) {
        let streams = Arc::clone(&worker.live().streams);
        if self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &streams)) {
            return;
        }
        let is_wanted = |bound: &Arc<Bound>| {
            streams.services.iter().any(|service| Arc::ptr_eq(&service.bound, bound))
        };
        self.open.retain(|_, open| is_wanted(&open.bound));
        for service in &streams.services {
            match self.open.get(&service.bound.key) {
                Some(open) => *open.current.0.borrow_mut() = Arc::clone(service),
                None => self.open(worker, service),
            }
        }
        self.seen = Some(streams);
    }

    fn open(&mut self, worker: &Rc<Worker>, service: &Arc<LiveService>) {
        let Some(socket) = service.bound.take(self.index) else { return };
        let current = Current(Rc::new(RefCell::new(Arc::clone(service))));
        let mut serving = JoinSet::new();
        let worker = Rc::clone(worker);
        match socket {
            PortSocket::Tcp(listener) => {
                serving.spawn_local(tcp::accept(worker, listener, current.clone()));
            }
            PortSocket::Udp(socket) => {
                serving.spawn_local(udp::receive(
                    worker,
                    socket,
                    current.clone(),
                    Rc::clone(&self.sessions),
                ));
            }
        }
        let bound = Arc::clone(&service.bound);
        self.open.insert(bound.key, Open { bound, current, _serving: serving });
    }
}
