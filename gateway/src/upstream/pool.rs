//! Connections to one endpoint: made on demand, kept while idle, handed out last in, first out.
//!
//! A connection is driven by whoever uses it: the request polls it for its answer, the answer's body for its bytes.
//! That saves a task, two channels' wake-ups and their allocations per request. While idle nobody polls it; a
//! connection that its peer has closed is noticed when it is taken out, or by the sweep.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Waker},
    time::Duration,
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::spawn_local, time::timeout};

use super::body::RequestBody;
use crate::{clock, error::ProxyError};

/// Largest head of an answer, and size of a connection's buffers. Small, so that a slow reader costs little.
const BUFFER: usize = 64 * 1024;

/// The part of a connection that moves its bytes.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>>>>;

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
    /// `None` when a task of its own drives it.
    driver: Option<Driver>,
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

impl Connection {
    /// Moves its bytes as far as they go. To be called before its answer or body is polled.
    pub fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && driver.as_mut().poll(cx).is_ready()
        {
            // Its end, and its errors, reach the request through the answer or the body.
            self.driver = None;
        }
    }

    /// Lets a task of its own drive it: for bodies that must move while nobody asks for the answer, and for upgrades.
    pub fn detach(&mut self) {
        if let Some(driver) = self.driver.take() {
            spawn_local(async move {
                let _ = driver.await;
            });
        }
    }

    /// Whether it can take a request now.
    fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.sender.is_ready()
    }
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
        loop {
            let mut connection = self.idle.borrow_mut().pop()?.connection;
            if connection.is_ready() {
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
            .writev(false)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| ProxyError::Connect)?;
        let driver: Driver = Box::pin(driver.with_upgrades());
        Ok(Connection { sender, driver: Some(driver), born: clock::tick(), used: 1 })
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
        self.idle.borrow_mut().retain_mut(|idle| {
            clock::elapsed(idle.since, now) < limit && idle.connection.is_ready()
        });
    }
}
