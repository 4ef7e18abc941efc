//! Datagrams of a UDP service. What a client sends is a session with one endpoint, until it was answered as often as it is to
//! be (`proxy-stream-responses`) or nobody has said anything for a while.
//!
//! A datagram that there is no room for is dropped, as anywhere on its way. Sessions end with their port.

mod sessions;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use headgate_config::StreamSettings;
use socket2::SockRef;
use tokio::{io::Interest, net::UdpSocket, sync::Notify, task::JoinSet, time::sleep};

pub use self::sessions::Sessions;
use self::sessions::{Kept, Registered};
use super::{Current, connect::in_turn, record::Record};
use crate::{listen::EXHAUSTED_PAUSE, worker::Worker};

/// The longest datagram there can be.
const LONGEST: usize = 64 * 1024;
/// How long a session may be silent whose limit is switched off: nobody says when it is over.
const FOREVER: Duration = Duration::from_secs(3600);

/// A port with its sessions.
struct Port {
    socket: UdpSocket,
    address: SocketAddr,
    sessions: RefCell<HashMap<SocketAddr, Rc<Session>>>,
    /// Those of all ports.
    all: Rc<Sessions>,
}

impl Port {
    /// A client's next datagram begins another session.
    fn forget(&self, session: &Rc<Session>) {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.get(&session.client).is_some_and(|known| Rc::ptr_eq(known, session)) {
            sessions.remove(&session.client);
        }
    }
}

/// Receives datagrams until it is dropped. `all` are the sessions of all ports of the worker.
pub async fn receive(
    worker: Rc<Worker>,
    socket: std::net::UdpSocket,
    current: Current,
    all: Rc<Sessions>,
) {
    let bound = UdpSocket::from_std(socket).and_then(|socket| Ok((socket.local_addr()?, socket)));
    let port = match bound {
        Ok((address, socket)) => {
            Rc::new(Port { socket, address, sessions: RefCell::default(), all })
        }
        Err(error) => {
            tracing::error!(%error, "a UDP service cannot be served");
            return;
        }
    };
    // With them go the sessions.
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; LONGEST];
    loop {
        let received = tokio::select! {
            Some(_) = tasks.join_next() => continue,
            received = port.socket.recv_from(&mut buffer) => received,
        };
        let (length, client) = match received {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "no datagram");
                sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        let datagram = &buffer[..length];
        let known = port.sessions.borrow().get(&client).map(Rc::clone);
        if let Some(session) = known {
            session.send(datagram);
        } else {
            port.all.make_room();
            let session = Session::new(&worker, &port, &current, client);
            if session.begin(datagram) {
                tasks.spawn_local(run(Registered::new(&port, session)));
            }
        }
    }
}

/// What a client and an endpoint have to say to each other.
struct Session {
    client: SocketAddr,
    port: Weak<Port>,
    all: Rc<Sessions>,
    record: Record,
    settings: StreamSettings,
    /// Endpoints that were not tried yet, the next one last.
    left: RefCell<Vec<SocketAddr>>,
    upstream: RefCell<Option<Rc<UdpSocket>>>,
    /// Datagrams of the client, and of the upstream.
    asked: Cell<u64>,
    answered: Cell<u64>,
    /// The last datagram of the client, until anything is answered, where another endpoint may have to be asked.
    unanswered: RefCell<Option<Kept>>,
    /// Told when it has to end.
    over: Notify,
    last: Cell<Instant>,
    begin: Instant,
}

impl Session {
    fn new(worker: &Rc<Worker>, port: &Rc<Port>, current: &Current, client: SocketAddr) -> Self {
        let (service, next) = current.next();
        let settings = worker.live().settings.spec.stream.clone();
        let addresses = service.upstream.addresses();
        let mut left: Vec<_> = in_turn(&addresses, next, &settings).collect();
        left.reverse();
        let begin = Instant::now();
        Self {
            client,
            port: Rc::downgrade(port),
            all: Rc::clone(&port.all),
            record: Record::new(worker, &service, client, port.address),
            settings,
            left: RefCell::new(left),
            upstream: RefCell::default(),
            asked: Cell::new(0),
            answered: Cell::new(0),
            unanswered: RefCell::default(),
            over: Notify::new(),
            last: Cell::new(begin),
            begin,
        }
    }

    /// Sends the first datagram; says whether that was possible.
    fn begin(&self, datagram: &[u8]) -> bool {
        let is_begun = self.next_endpoint();
        if is_begun {
            self.send(datagram);
        }
        is_begun
    }

    /// Turns to the next endpoint, if there is one that can be sent to.
    fn next_endpoint(&self) -> bool {
        loop {
            let Some(address) = self.left.borrow_mut().pop() else { return false };
            self.record.tried.borrow_mut().push(address);
            match connect(address) {
                Ok(socket) => {
                    self.upstream.replace(Some(Rc::new(socket)));
                    self.record.status.set(200);
                    return true;
                }
                Err(error) => tracing::debug!(%address, %error, "an endpoint cannot be sent to"),
            }
        }
    }

    /// Sends a datagram of the client.
    fn send(&self, datagram: &[u8]) {
        self.last.set(Instant::now());
        self.asked.set(self.asked.get() + 1);
        let received = &self.record.moved.received;
        received.set(received.get() + datagram.len() as u64);
        // What was kept before makes room.
        self.unanswered.take();
        if self.answered.get() == 0 && !self.left.borrow().is_empty() {
            self.unanswered.replace(self.all.keep(datagram));
        }
        self.pass_on(datagram);
    }

    fn pass_on(&self, datagram: &[u8]) {
        if let Some(upstream) = &*self.upstream.borrow() {
            // An endpoint that refuses is noticed where its answers are read.
            let _ = SockRef::from(&**upstream).send(datagram);
        }
    }

    /// Others need the room.
    fn end(self: &Rc<Self>) {
        self.upstream.take();
        self.over.notify_one();
        if let Some(port) = self.port.upgrade() {
            port.forget(self);
        }
    }

    /// Whether everything that was asked is answered.
    fn is_complete(&self) -> bool {
        self.answered.get() >= self.settings.responses.saturating_mul(self.asked.get())
    }

    /// Passes on what is there; says whether the session goes on.
    fn read(&self, upstream: &UdpSocket, port: &Port, buffer: &mut Vec<u8>) -> bool {
        if has_failed(upstream) {
            return self.ask_another();
        }
        buffer.resize(LONGEST, 0);
        let answer = upstream.try_recv(buffer);
        let goes_on = match &answer {
            Ok(length) => {
                self.last.set(Instant::now());
                self.answered.set(self.answered.get() + 1);
                self.unanswered.take();
                let client = self.client.into();
                if let Ok(sent) = SockRef::from(&port.socket).send_to(&buffer[..*length], &client) {
                    let count = &self.record.moved.sent;
                    count.set(count.get() + sent as u64);
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(_) => self.ask_another(),
        };
        // Sessions wait for long, and there may be many of them.
        *buffer = Vec::new();
        goes_on
    }

    /// Sends what was not answered to another endpoint; says whether that is possible.
    fn ask_another(&self) -> bool {
        let budget = self.settings.next_upstream_timeout;
        let is_late = !budget.is_zero() && self.begin.elapsed() >= budget;
        if self.answered.get() > 0 {
            return false;
        }
        if is_late || !self.next_endpoint() {
            self.record.status.set(502);
            return false;
        }
        let kept = self.unanswered.take();
        if let Some(datagram) = &kept {
            self.pass_on(datagram);
        }
        if !self.left.borrow().is_empty() {
            self.unanswered.replace(kept);
        }
        true
    }
}

/// Passes answers on until the session is over.
async fn run(registered: Registered) {
    let Registered { session, port } = &registered;
    let mut buffer = Vec::new();
    while !session.is_complete() {
        let Some(upstream) = session.upstream.borrow().clone() else { break };
        let limit = Some(session.settings.timeout).filter(|limit| !limit.is_zero());
        let limit = limit.unwrap_or(FOREVER);
        let left = limit.saturating_sub(session.last.get().elapsed());
        let is_silent = tokio::select! {
            biased;
            () = session.over.notified() => break,
            // That nobody listens there is an error of the socket, and nothing to read.
            _ = upstream.ready(Interest::READABLE | Interest::ERROR) => false,
            () = sleep(left) => true,
        };
        if is_silent {
            if session.last.get().elapsed() >= limit {
                break;
            }
        } else if !session.read(&upstream, port, &mut buffer) {
            break;
        }
    }
}

/// Whether the endpoint has refused what it was sent.
fn has_failed(upstream: &UdpSocket) -> bool {
    let error =
        upstream.try_io(Interest::ERROR, || match SockRef::from(upstream).take_error()? {
            Some(error) => Ok(error),
            None => Err(io::ErrorKind::WouldBlock.into()),
        });
    error.is_ok()
}

/// A socket that only hears the endpoint.
fn connect(endpoint: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match endpoint {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect(endpoint)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}
