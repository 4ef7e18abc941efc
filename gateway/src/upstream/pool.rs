//! Connections to one endpoint: made on demand, kept while idle, handed out last in, first out.
//!
//! While a connection is idle nobody polls it; one that its peer has closed is noticed when it is taken out, or by
//! the sweep.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    rc::Rc,
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

use super::{balance::Load, h1, tls::Tls};
use crate::{clock, error::ProxyError};

/// One endpoint of an upstream, as one worker knows it.
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// The address for the log.
    pub text: Box<str>,
    /// How fast it has been answering, where that counts.
    pub load: Load,
    idle: RefCell<Vec<Idle>>,
    retired: Cell<bool>,
    /// Those of all endpoints of the worker.
    count: IdleCount,
    /// How connections to it are encrypted, if they are.
    tls: Option<Tls>,
}

/// How many idle connections a worker holds.
#[derive(Clone, Debug, Default)]
pub struct IdleCount(Rc<Cell<usize>>);

impl IdleCount {
    fn add(&self, connections: usize) {
        self.0.set(self.0.get() + connections);
    }

    fn remove(&self, connections: usize) {
        self.0.set(self.0.get().saturating_sub(connections));
    }
}

struct Idle {
    connection: Box<Pooled>,
    since: u32,
}

/// A connection to an endpoint, with what decides how long it is kept.
pub struct Pooled {
    connection: h1::Connection,
    born: u32,
    used: u64,
}

/// Bounds of keeping connections (annotations §1.14, `upstream-keepalive-*`).
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    /// Idle connections kept by one worker.
    pub connections: usize,
    /// Requests after which a connection is closed.
    pub requests: u64,
    /// Age at which a connection is closed.
    pub age: Duration,
}

impl Pooled {
    /// The bare connection: it does not come back.
    pub fn into_inner(self) -> h1::Connection {
        self.connection
    }
}

impl Deref for Pooled {
    type Target = h1::Connection;

    fn deref(&self) -> &h1::Connection {
        &self.connection
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut h1::Connection {
        &mut self.connection
    }
}

impl Endpoint {
    /// An endpoint without connections, which are counted by `count`.
    pub fn new(address: SocketAddr, count: IdleCount) -> Self {
        Self {
            address,
            text: address.to_string().into_boxed_str(),
            load: Load::default(),
            idle: RefCell::default(),
            retired: Cell::new(false),
            count,
            tls: None,
        }
    }

    /// The same, with connections that are encrypted.
    pub fn encrypted(address: SocketAddr, count: IdleCount, tls: Tls) -> Self {
        let mut endpoint = Self::new(address, count);
        endpoint.tls = Some(tls);
        endpoint
    }

    /// An idle connection that seems to be alive.
    pub fn take_idle(&self) -> Option<Box<Pooled>> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?.connection;
            self.count.remove(1);
            if connection.is_idle() {
                connection.used += 1;
                return Some(connection);
            }
        }
    }

    /// Makes a new connection.
    pub async fn connect(&self, limit: Duration) -> Result<Box<Pooled>, ProxyError> {
        let connection = match &self.tls {
            None => h1::Connection::new(self.stream(limit).await?),
            Some(tls) => {
                let encrypted = async { tls.connect(self.stream(limit).await?).await };
                match timeout(limit, encrypted).await {
                    Err(_) => return Err(ProxyError::ConnectTimeout),
                    Ok(stream) => h1::Connection::encrypted(stream?),
                }
            }
        };
        Ok(Box::new(Pooled { connection, born: clock::tick(), used: 1 }))
    }

    async fn stream(&self, limit: Duration) -> Result<TcpStream, ProxyError> {
        let stream = match timeout(limit, TcpStream::connect(self.address)).await {
            Err(_) => return Err(ProxyError::ConnectTimeout),
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(ProxyError::ConnectTimeout);
            }
            Ok(Err(_)) => return Err(ProxyError::Connect),
            Ok(Ok(stream)) => stream,
        };
        // Only a latency hint: without it the connection still works.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Keeps a connection for the next request, if it may be kept. Where there are enough it takes the place of the one
    /// that was used least lately, or is closed if this endpoint has no other.
    pub fn keep(&self, mut connection: Box<Pooled>, limits: &KeepAlive) {
        let mut idle = self.idle.borrow_mut();
        let is_full = self.count.0.get() >= limits.connections;
        if self.retired.get()
            || (is_full && idle.is_empty())
            || connection.used >= limits.requests
            || clock::elapsed(connection.born, clock::tick()) >= limits.age
            || !connection.renew()
        {
            return;
        }
        if is_full {
            idle.remove(0);
        } else {
            self.count.add(1);
        }
        idle.push(Idle { connection, since: clock::tick() });
    }

    /// The endpoint is gone: its idle connections are closed, and those in use when they become idle.
    pub fn retire(&self) {
        self.retired.set(true);
        self.clear();
    }

    fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        self.count.remove(idle.len());
    }

    /// Closes connections that were idle for longer than `limit` or whose peer has left.
    pub fn sweep(&self, limit: Duration) {
        let now = clock::tick();
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain_mut(|idle| {
            clock::elapsed(idle.since, now) < limit && idle.connection.is_idle()
        });
        self.count.remove(before - idle.len());
    }

    /// Whether it has idle connections.
    pub fn has_idle(&self) -> bool {
        !self.idle.borrow().is_empty()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.clear();
    }
}
