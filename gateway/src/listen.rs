//! Sockets of clients: accepting, recognising the protocol, and handing requests to [`crate::proxy`].
//!
//! Every worker has listeners of its own on the same ports (`SO_REUSEPORT`); a connection stays with the worker that
//! accepted it.

pub(crate) mod chunk;
mod client_hello;
pub(crate) mod conn;
pub(crate) mod forward;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod guard;
pub(crate) mod head;
mod http;
mod http2;
mod malformed_stream;
mod passthrough;
mod pieces;
pub(crate) mod ports;
pub(crate) mod proxy_protocol;
pub(crate) mod sockets;
mod stream;
pub mod tls;

#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::http::HeaderValue;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, spawn_local},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use self::conn::Connection;
use crate::{observe::metrics, worker::Worker};

/// Pause after the process ran out of file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(10);

/// What a listener's clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// HTTP/1.1, or HTTP/2 with prior knowledge.
    Plain,
    /// TLS, with the protocol chosen by ALPN.
    Tls,
}

/// The open client connections of a worker.
#[derive(Default)]
pub(crate) struct Connections {
    open: RefCell<HashMap<u64, Open>>,
    next: std::cell::Cell<u64>,
}

struct Open {
    connection: Arc<Connection>,
    counted: Rc<metrics::Connection>,
    task: AbortHandle,
}

impl Connections {
    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.borrow().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends connections whose peer has used up its time; when draining also those that are idle. They are cut
    /// without an answer, as the reference does. Counts those of which a head is being read.
    pub fn sweep(&self, worker: &Worker) {
        let live = worker.live();
        let limits = &live.settings.listener;
        let told = worker.draining_since();
        for open in self.open.borrow().values() {
            open.counted.set_reading(open.connection.is_read_from());
            let is_out = !live.settings.admits(open.connection.local.ip());
            let told = told.or(is_out.then_some(0));
            let ends = told.is_some_and(|told| open.connection.can_be_cut(told, limits));
            if ends || open.connection.overdue(limits) {
                open.task.abort();
            }
        }
    }

    /// Cuts all that are left.
    pub fn abort_all(&self) {
        for open in self.open.borrow().values() {
            open.task.abort();
        }
    }

    fn insert(&self, open: Open) -> u64 {
        let key = self.next.get();
        self.next.set(key + 1);
        self.open.borrow_mut().insert(key, open);
        key
    }
}

/// Takes a connection off the list when its task ends, however it ends.
struct Registration {
    connections: Rc<Connections>,
    key: Rc<std::cell::Cell<Option<u64>>>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(key) = self.key.get() {
            self.connections.open.borrow_mut().remove(&key);
        }
    }
}

/// Accepts connections until `stop`.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    connections: Rc<Connections>,
    listener: TcpListener,
    security: Security,
    stop: CancellationToken,
) {
    let bound = listener.local_addr().unwrap_or_else(|_| (Ipv4Addr::UNSPECIFIED, 0).into());
    let shown_port = match security {
        Security::Plain => HeaderValue::from(bound.port()),
        // Clients reach the TLS listener as 443, whatever it is bound to (annotations §3.15).
        Security::Tls => HeaderValue::from_static("443"),
    };
    let (mut exhausted, mut told) = (false, false);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let local = stream.local_addr().unwrap_or(bound);
                exhausted = false;
                if !worker.live().settings.admits(local.ip()) {
                    turn_away(&stream, local, &mut told);
                    continue;
                }
                // Only a latency hint: without it the connection still works.
                let _ = stream.set_nodelay(true);
                let is_tls = security == Security::Tls;
                let connection = Connection::new(peer, local, shown_port.clone(), is_tls);
                let connection = Arc::new(connection);
                start(&worker, &connections, stream, connection, security, &stop);
            }
            Err(error) => {
                worker.metrics.connection_refused();
                if !is_of_one_connection(&error) {
                    if !exhausted {
                        tracing::warn!(%error, "accepting is not possible for the moment");
                    }
                    exhausted = true;
                    sleep(EXHAUSTED_PAUSE).await;
                }
            }
        }
    }
}

fn start(
    worker: &Rc<Worker>,
    connections: &Rc<Connections>,
    stream: TcpStream,
    connection: Arc<Connection>,
    security: Security,
    stop: &CancellationToken,
) {
    let key = Rc::new(std::cell::Cell::new(None));
    let registration = Registration { connections: Rc::clone(connections), key: Rc::clone(&key) };
    let counted = Rc::new(worker.metrics.connection());
    let (worker, stop) = (Rc::clone(worker), stop.clone());
    let (state, count) = (Arc::clone(&connection), Rc::clone(&counted));
    let task = spawn_local(async move {
        let _registration = registration;
        http::serve(worker, state, stream, security, stop, count).await;
    });
    let open = Open { connection, counted, task: task.abort_handle() };
    key.set(Some(connections.insert(open)));
}

/// Resets a connection to an address at which nobody is served, as if nothing listened there. The first is told.
fn turn_away(stream: &TcpStream, local: SocketAddr, told: &mut bool) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    if !std::mem::replace(told, true) {
        tracing::warn!(
            %local,
            "connections to this address are reset: bind-address or disable-ipv6 leave it out"
        );
    }
}

/// Errors of `accept` that concern one connection only, and say nothing about the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
