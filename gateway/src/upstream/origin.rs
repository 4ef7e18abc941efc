//! Connections of one worker to services that are asked: kept while idle, by address and by how they are encrypted.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use super::{
    pool::{Endpoint, IdleCount, KeepAlive},
    tls::Tls,
};

/// How connections are kept.
pub const KEEP_ALIVE: KeepAlive =
    KeepAlive { connections: 256, requests: 10_000, age: Duration::from_secs(3600) };
/// How long an idle one is kept.
const IDLE: Duration = Duration::from_secs(60);
/// Endpoints that are remembered. What leads to them may come from clients.
const MOST_ENDPOINTS: usize = 1024;

/// Where an endpoint is, and the name that connections to it are encrypted for.
type Place = (SocketAddr, Option<Box<str>>);

/// The endpoints that a worker has asked.
#[derive(Default)]
pub struct Origins {
    endpoints: RefCell<HashMap<Place, Rc<Endpoint>>>,
    idle: IdleCount,
    next: Cell<usize>,
}

impl Origins {
    /// The endpoint at an address; `server` is the name that it has to encrypt for, if it has to. `None` if that cannot
    /// be a name.
    pub fn endpoint(&self, address: SocketAddr, server: Option<&str>) -> Option<Rc<Endpoint>> {
        let key = (address, server.map(Into::into));
        if let Some(endpoint) = self.endpoints.borrow().get(&key) {
            return Some(Rc::clone(endpoint));
        }
        let endpoint = Rc::new(match server {
            None => Endpoint::new(address, self.idle.clone()),
            Some(name) => Endpoint::encrypted(address, self.idle.clone(), Tls::unverified(name)?),
        });
        let mut endpoints = self.endpoints.borrow_mut();
        if endpoints.len() >= MOST_ENDPOINTS {
            endpoints.retain(|_, endpoint| endpoint.has_idle());
        }
        if endpoints.len() < MOST_ENDPOINTS {
            endpoints.insert(key, Rc::clone(&endpoint));
        }
        Some(endpoint)
    }

    /// Where to begin among `count` addresses: each in turn.
    pub fn turn(&self, count: usize) -> usize {
        let next = self.next.get();
        self.next.set(next.wrapping_add(1));
        next % count.max(1)
    }

    /// Closes connections that were idle for too long, and forgets endpoints without any.
    pub fn sweep(&self) {
        self.endpoints.borrow_mut().retain(|_, endpoint| {
            endpoint.sweep(IDLE);
            // Requests that use it hold it themselves, and bring their connections back to it.
            endpoint.has_idle() || Rc::strong_count(endpoint) > 1
        });
    }
}
