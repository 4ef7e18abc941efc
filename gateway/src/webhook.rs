//! An HTTPS server that hands the body of every request, whatever its path and method, to a callback and sends back
//! what that answers (operations §9.1). It knows nothing of what is asked; whoever starts it does.
//!
//! It runs on a thread of its own: reading large bodies must not hold up the admin server, and nothing that is sent
//! here may hold up traffic. Whoever can reach it can send anything, so that everything about it is bounded: the
//! connections, the time that each step may take, the size of a body, and how many large ones are held at a time.

mod connection;
mod crowd;
mod identity;
mod server;

#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use identity::Identity;

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body: JSON if the status is 200, a text otherwise.
    pub body: Bytes,
}

/// Answers a body. Called on the server's thread.
pub type Respond = Arc<dyn Fn(Bytes) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// How much, and how long.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// For a TLS handshake.
    handshake: Duration,
    /// For the pause before a request.
    idle: Duration,
    /// For the head of a request, from its first byte on.
    head: Duration,
    /// For a body.
    body: Duration,
    /// For the callback.
    answer: Duration,
    /// For sending an answer.
    answer_sent: Duration,
    /// For what is under way when the server stops.
    farewell: Duration,
    /// Connections at a time. One more ends the one that has sent the least of a request, of these the oldest; it is
    /// refused if all of them wait for an answer.
    connections: usize,
    /// A body of this size is too large (the reference's 9 MiB).
    body_size: usize,
    /// A body of up to this size needs no leave.
    small_body: usize,
    /// Larger bodies at a time.
    large_bodies: usize,
}

impl Default for Limits {
    /// Altogether 64 · 256 KiB and 2 · 9 MiB of bodies: 34 MiB.
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            // An API server keeps a connection for 90 s. It must not be the one that finds it closed.
            idle: Duration::from_secs(120),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            answer: Duration::from_secs(15),
            answer_sent: Duration::from_secs(10),
            farewell: Duration::from_secs(5),
            connections: 64,
            body_size: 9 << 20,
            small_body: 256 << 10,
            large_bodies: 2,
        }
    }
}

/// A running server. Dropping it ends it at once, whatever is under way; [`Webhook::shut_down`] does not.
#[derive(Debug)]
pub struct Webhook {
    address: SocketAddr,
    /// Accept nothing more, and end when what is under way is answered.
    stop: CancellationToken,
    /// End at once.
    cut: CancellationToken,
    /// Closed when its thread ends.
    ended: oneshot::Receiver<Infallible>,
    thread: Option<JoinHandle<()>>,
}

/// Listens on `host:port`; without a host on all addresses of the machine.
///
/// # Errors
///
/// If the text has another form, or the address cannot be listened on.
pub fn bind(address: &str) -> io::Result<TcpListener> {
    match address.strip_prefix(':') {
        // IPv4 as well, unless there is no IPv6 at all.
        Some(port) => TcpListener::bind(format!("[::]:{port}")).or_else(|error| {
            if error.kind() == io::ErrorKind::AddrInUse {
                return Err(error);
            }
            TcpListener::bind(format!("0.0.0.0:{port}"))
        }),
        None => TcpListener::bind(address),
    }
}

/// Serves on a listener, with the certificate that `identity` has at the time of each handshake.
///
/// # Errors
///
/// If its thread cannot start.
pub fn start(
    listener: TcpListener,
    identity: Arc<Identity>,
    respond: Respond,
) -> io::Result<Webhook> {
    start_within(Limits::default(), listener, identity, respond)
}

fn start_within(
    limits: Limits,
    listener: TcpListener,
    identity: Arc<Identity>,
    respond: Respond,
) -> io::Result<Webhook> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
    let (stopped, is_cut) = (stop.clone(), cut.clone());
    let (ends, ended) = oneshot::channel();
    let tls = identity::server_config(identity);
    let thread = thread::Builder::new().name("webhook".into()).spawn(move || {
        // Dropped at the end, after the runtime.
        let _ends: oneshot::Sender<Infallible> = ends;
        let runtime = runtime;
        runtime.block_on(async {
            let server = server::Server::new(limits, tls, respond, stopped);
            tokio::select! {
                served = server.serve(listener) => {
                    if let Err(error) = served {
                        tracing::error!(%error, "the webhook cannot listen");
                    }
                }
                () = is_cut.cancelled() => {}
            }
        });
        // Connections that are left end with the runtime.
    })?;
    Ok(Webhook { address, stop, cut, ended, thread: Some(thread) })
}

impl Webhook {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether its thread has ended although nobody asked for it.
    pub fn has_died(&self) -> bool {
        !self.stop.is_cancelled() && self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Accepts nothing more, lets the requests under way be answered, for a few seconds at most, and ends.
    pub async fn shut_down(mut self) {
        self.stop.cancel();
        // Nothing is ever sent.
        let _ = (&mut self.ended).await;
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.cut.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread \"webhook\" has panicked");
        }
    }
}
