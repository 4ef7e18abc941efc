//! Connections to one endpoint: made on demand, kept while idle, handed out last in, first out.
//!
//! While a connection is idle nobody polls it; one that its peer has closed is noticed when it is taken out, or by
//! the sweep.

use std::{
    cell::{Cell, OnceCell, RefCell},
    io,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    rc::Rc,
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

use super::{
    balance::Load,
    h1, h2,
    tls::{Tls, client::Encryption},
    wire::Wire,
};
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
    /// When a handshake that failed was last told of, in whatever way it was to be encrypted.
    complained: Rc<Cell<Option<u32>>>,
    /// The same endpoint, encrypted in one way or another; the one that was wanted last is the last.
    encrypted: RefCell<Vec<Rc<Endpoint>>>,
    /// Connections of HTTP/2.
    streams: OnceCell<Box<h2::Pool>>,
}

/// Ways of encryption that connections of one endpoint are kept for. Names may come from clients, so that the one that was not
/// wanted for longest makes room.
const MOST_WAYS: usize = 64;
/// Time between two lines in the log about handshakes with an endpoint.
const COMPLAINT: Duration = Duration::from_secs(60);

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
            complained: Rc::default(),
            encrypted: RefCell::default(),
            streams: OnceCell::new(),
        }
    }

    /// The same, with connections that are encrypted.
    pub fn encrypted(address: SocketAddr, count: IdleCount, tls: Tls) -> Self {
        let mut endpoint = Self::new(address, count);
        endpoint.tls = Some(tls);
        endpoint
    }

    /// The same endpoint with connections that are encrypted as a request asks for it.
    ///
    /// # Errors
    ///
    /// There can be no server of its name.
    pub fn over(&self, wanted: &Encryption<'_>) -> Result<Rc<Self>, ProxyError> {
        let name = wanted.name.as_ref().map_err(|()| ProxyError::Connect)?.as_deref();
        let is_same =
            |other: &Rc<Self>| other.tls.as_ref().is_some_and(|tls| tls.is(wanted.config, name));
        let mut ways = self.encrypted.borrow_mut();
        if let Some(at) = ways.iter().rposition(is_same) {
            ways[at..].rotate_left(1);
            return ways.last().cloned().ok_or(ProxyError::Connect);
        }
        let tls = Tls::new(wanted.config, name.cloned());
        let mut way = Self::encrypted(self.address, self.count.clone(), tls);
        way.complained = Rc::clone(&self.complained);
        way.retired.set(self.retired.get());
        let way = Rc::new(way);
        if !self.retired.get() && has_room(&mut ways) {
            ways.push(Rc::clone(&way));
        }
        Ok(way)
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

    /// Its connections of HTTP/2.
    pub fn streams(&self) -> &h2::Pool {
        self.streams.get_or_init(Box::default)
    }

    /// Whether connections to it are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether it is gone, so that nothing is kept for it.
    pub fn is_retired(&self) -> bool {
        self.retired.get()
    }

    /// Makes a new connection.
    pub async fn connect(&self, limit: Duration) -> Result<Box<Pooled>, ProxyError> {
        let connection = h1::Connection::new(self.wire(limit).await?);
        Ok(Box::new(Pooled { connection, born: clock::tick(), used: 1 }))
    }

    /// Makes a new stream, encrypted if it has to be.
    pub async fn wire(&self, limit: Duration) -> Result<Wire, ProxyError> {
        let Some(tls) = &self.tls else { return Ok(Wire::Plain(self.stream(limit).await?)) };
        let encrypted = async {
            let stream = self.stream(limit).await?;
            let outcome = tls.handshake(stream).await;
            outcome.map_err(|error| self.complain(&error))
        };
        match timeout(limit, encrypted).await {
            Err(_) => Err(ProxyError::ConnectTimeout),
            Ok(stream) => Ok(Wire::Encrypted(Box::new(stream?))),
        }
    }

    /// Whoever runs the gateway has to learn why nothing comes of a handshake, but not once for each request.
    fn complain(&self, error: &io::Error) -> ProxyError {
        let now = clock::tick();
        let is_due = self.complained.get().is_none_or(|at| clock::elapsed(at, now) >= COMPLAINT);
        if is_due {
            self.complained.set(Some(now));
            tracing::warn!(upstream = %self.address, %error, "no encrypted connection could be made");
        }
        ProxyError::Connect
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
        if let Some(streams) = self.streams.get() {
            streams.clear();
        }
        self.encrypted.take().iter().for_each(|way| way.retire());
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
        if let Some(streams) = self.streams.get() {
            streams.sweep(limit);
        }
        self.encrypted.borrow_mut().retain(|way| {
            way.sweep(limit);
            // Requests that use it hold it themselves, and bring their connections back to it.
            way.has_idle() || Rc::strong_count(way) > 1
        });
    }

    /// Whether it has idle connections.
    pub fn has_idle(&self) -> bool {
        !self.idle.borrow().is_empty()
            || self.streams.get().is_some_and(|streams| !streams.is_empty())
    }
}

/// Whether there is room for one more, if need be in place of one that no request uses. Its idle connections are closed.
fn has_room(ways: &mut Vec<Rc<Endpoint>>) -> bool {
    if ways.len() >= MOST_WAYS
        && let Some(unused) = ways.iter().position(|way| Rc::strong_count(way) == 1)
    {
        ways.remove(unused);
    }
    ways.len() < MOST_WAYS
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests;
