//! Connections to one endpoint: made on demand, kept while idle, handed out last in, first out.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::spawn_local, time::timeout};

use super::body::RequestBody;
use crate::{clock, error::ProxyError};

/// Largest head of an answer, and size of a connection's buffers. Small, so that a slow reader costs little.
const BUFFER: usize = 64 * 1024;

/// One endpoint of an upstream, as one worker knows it.
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// The address for the log.
    pub text: Box<str>,
    idle: RefCell<Vec<Idle>>,
    retired: Cell<bool>,
}

struct Idle {
    connection: Connection,
    since: u32,
}

/// A connection to an endpoint that is ready for a request.
pub struct Connection {
    /// Sends requests over it.
    pub sender: SendRequest<RequestBody>,
    born: u32,
    used: u64,
}

/// Bounds of keeping connections (annotations §1.14, `upstream-keepalive-*`).
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    /// Idle connections kept for one endpoint.
    pub connections: usize,
    /// Requests after which a connection is closed.
    pub requests: u64,
    /// Age at which a connection is closed.
    pub age: Duration,
}

impl Endpoint {
    /// An endpoint without connections.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            text: address.to_string().into_boxed_str(),
            idle: RefCell::default(),
            retired: Cell::new(false),
        }
    }

    /// An idle connection that seems to be alive.
    pub fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let mut connection = idle.pop()?.connection;
            if connection.sender.is_ready() {
                connection.used += 1;
                return Some(connection);
            }
        }
    }

    /// Makes a new connection.
    pub async fn connect(&self, limit: Duration) -> Result<Connection, ProxyError> {
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
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| ProxyError::Connect)?;
        spawn_local(async move {
            // Its errors reach the request that they concern.
            let _ = driver.with_upgrades().await;
        });
        Ok(Connection { sender, born: clock::tick(), used: 1 })
    }

    /// Keeps a connection for the next request, if it may be kept.
    pub fn keep(self: &Rc<Self>, connection: Connection, limits: &KeepAlive) {
        let mut idle = self.idle.borrow_mut();
        if self.retired.get()
            || connection.sender.is_closed()
            || idle.len() >= limits.connections
            || connection.used >= limits.requests
            || clock::elapsed(connection.born, clock::tick()) >= limits.age
        {
            return;
        }
        idle.push(Idle { connection, since: clock::tick() });
    }

    /// The endpoint is gone: its idle connections are closed, and those in use when they become idle.
    pub fn retire(&self) {
        self.retired.set(true);
        self.idle.borrow_mut().clear();
    }

    /// Closes connections that were idle for longer than `limit` or whose peer has left.
    pub fn sweep(&self, limit: Duration) {
        let now = clock::tick();
        self.idle.borrow_mut().retain(|idle| {
            !idle.connection.sender.is_closed() && clock::elapsed(idle.since, now) < limit
        });
    }
}
