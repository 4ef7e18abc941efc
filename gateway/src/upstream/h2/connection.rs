//! One connection of HTTP/2. It lives as long as its pool or a stream holds it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::Request;
use tokio::{sync::Notify, task::spawn_local, time::sleep};

use crate::{
    clock,
    error::ProxyError,
    upstream::{pool::KeepAlive, wire::Wire},
};

/// Streams that one connection carries at once, if its peer does not want fewer.
const MOST_STREAMS: usize = 100;
/// What is held of an answer whose client is slow, in bytes.
const WINDOW: u32 = 64 * 1024;
/// A slow client must not hold up others over the same connection.
const CONNECTION_WINDOW: u32 = WINDOW * MOST_STREAMS as u32;
/// Largest head of an answer, in bytes.
const MOST_HEAD: u32 = 64 * 1024;
/// How long a connection that nobody needs may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(5);

/// One connection.
pub struct Connection {
    sender: RefCell<SendRequest<Bytes>>,
    streams: Cell<usize>,
    used: Cell<u64>,
    born: u32,
    idle_since: Cell<u32>,
    /// It takes no more streams.
    is_over: Cell<bool>,
    /// Told when nobody needs it any more.
    dropped: Rc<Notify>,
    /// Told when a stream ends: somebody may wait for its place.
    room: Rc<Notify>,
}

/// The right to a stream. The connection stays while there is one.
pub struct Slot {
    connection: Rc<Connection>,
}

impl Connection {
    /// Speaks HTTP/2 over a stream that was just made. `room` is told of each of its streams that ends.
    pub async fn new(wire: Wire, room: &Rc<Notify>) -> Result<Rc<Self>, ProxyError> {
        let handshake = Builder::new()
            .enable_push(false)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(MOST_STREAMS)
            .max_header_list_size(MOST_HEAD)
            .handshake(wire);
        let (sender, driver) = handshake.await.map_err(|_| ProxyError::Connect)?;
        let dropped = Rc::new(Notify::new());
        let nobody_needs_it = Rc::clone(&dropped);
        spawn_local(async move {
            tokio::select! {
                // Its streams know what went wrong.
                _ = driver => {}
                () = async { nobody_needs_it.notified().await; sleep(FAREWELL).await } => {}
            }
        });
        Ok(Rc::new(Self {
            sender: RefCell::new(sender),
            streams: Cell::new(0),
            used: Cell::new(0),
            born: clock::tick(),
            idle_since: Cell::new(clock::tick()),
            is_over: Cell::new(false),
            dropped,
            room: Rc::clone(room),
        }))
    }

    /// Whether it takes more streams than it has, now or later.
    pub fn is_usable(&self, limits: &KeepAlive) -> bool {
        !self.is_over.get()
            && self.used.get() < limits.requests
            && clock::elapsed(self.born, clock::tick()) < limits.age
            && self.is_open()
    }

    /// Whether its peer neither closed it nor wants it to end.
    fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        !matches!(self.sender.borrow_mut().poll_ready(&mut cx), std::task::Poll::Ready(Err(_)))
    }

    /// Whether it takes one more stream at once.
    pub fn has_room(&self) -> bool {
        self.streams.get() < MOST_STREAMS.min(self.sender.borrow().current_max_send_streams())
    }

    /// Whether it has carried nothing for so long.
    pub fn is_idle_for(&self, limit: Duration) -> bool {
        self.streams.get() == 0 && clock::elapsed(self.idle_since.get(), clock::tick()) >= limit
    }

    /// Takes a stream.
    pub fn slot(self: &Rc<Self>) -> Slot {
        self.streams.set(self.streams.get() + 1);
        self.used.set(self.used.get() + 1);
        Slot { connection: Rc::clone(self) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Kept for a task that comes to wait for it later.
        self.dropped.notify_one();
    }
}

impl Slot {
    /// Sends the head of a request; `is_all` if nothing follows it.
    pub fn send(
        &self,
        request: Request<()>,
        is_all: bool,
    ) -> Result<(ResponseFuture, h2::SendStream<Bytes>), h2::Error> {
        // Streams that have just ended may take their places for a moment still, or the peer now wants fewer of them: then
        // this one waits in the connection. A sender of its own is not refused because another's waits there.
        let mut sender = self.connection.sender.borrow().clone();
        sender.send_request(request, is_all)
    }

    /// The connection takes no more streams: this one got no answer in time.
    pub fn distrust(&self) {
        self.connection.is_over.set(true);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let streams = self.connection.streams.get().saturating_sub(1);
        self.connection.streams.set(streams);
        if streams == 0 {
            self.connection.idle_since.set(clock::tick());
        }
        self.connection.room.notify_one();
    }
}
