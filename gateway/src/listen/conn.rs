//! What the parts of one client connection share: the accepting task, the guarded stream under the HTTP library, the
//! requests above it, and the sweeper that ends connections whose peer is silent for too long.

mod timing;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use parking_lot::Mutex;

pub use self::timing::Phase;
use super::{
    proxy_protocol::{HTTPS, Proxied},
    tls::Session,
};
use crate::{client_certificate::policy::Judged, clock};

/// How long it is believed what came of looking at a certificate.
const JUDGED_FOR: Duration = Duration::from_secs(60);
/// Connections accepted so far.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Shared state of one client connection. All of it is touched by one thread; the atomics are there because the
/// HTTP library asks upgraded streams to be `Send`.
#[derive(Debug)]
pub struct Connection {
    /// The peer's address.
    pub peer: SocketAddr,
    /// The address that it was accepted on.
    pub local: SocketAddr,
    /// The peer's IP address as a header value, shared by all requests of the connection.
    pub peer_ip: HeaderValue,
    /// The port that clients believe to have reached (`X-Forwarded-Port`).
    pub port: HeaderValue,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Which connection of the process it is, from 1.
    pub number: u64,
    session: OnceLock<Session>,
    judged: Mutex<Option<(u32, Judged)>>,
    proxied: OnceLock<Proxied>,
    phase: AtomicU8,
    since: AtomicU32,
    write_blocked_since: AtomicU32,
    tunnel: AtomicBool,
    linger: AtomicBool,
    received: AtomicU64,
    active: AtomicU32,
    handed_over_at: AtomicU32,
    requests: AtomicU64,
    misdirected: AtomicBool,
    malformed: AtomicBool,
    heads: Mutex<VecDeque<Head>>,
    /// Set while `reader` waits for the answer to a request that wants to change the protocol.
    paused: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

/// What the guard knows about a request head that the HTTP library does not tell.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Bytes of the request line and the header lines.
    pub length: u32,
    /// The head as it came, for the spelling of its names; empty over HTTP/2.
    pub text: Box<[u8]>,
    /// Some header names have characters outside `[A-Za-z0-9-]`.
    pub odd_names: bool,
    /// The target as received, where the library cannot hold it.
    pub raw_target: Option<Bytes>,
    /// The request is refused with this status; the library was shown a stand-in.
    pub refusal: Option<u16>,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(peer: SocketAddr, local: SocketAddr, port: HeaderValue, tls: bool) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let text = peer.ip().to_string();
        Self {
            peer,
            local,
            peer_ip: HeaderValue::from_str(&text).expect("an IP address is a header value"),
            port,
            tls,
            number: COUNT.fetch_add(1, Relaxed) + 1,
            session: OnceLock::new(),
            judged: Mutex::new(None),
            proxied: OnceLock::new(),
            phase: AtomicU8::new(Phase::Handshake as u8),
            since: AtomicU32::new(clock::tick()),
            write_blocked_since: AtomicU32::new(0),
            tunnel: AtomicBool::new(false),
            linger: AtomicBool::new(false),
            received: AtomicU64::new(0),
            active: AtomicU32::new(0),
            handed_over_at: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            misdirected: AtomicBool::new(false),
            malformed: AtomicBool::new(false),
            heads: Mutex::new(VecDeque::new()),
            paused: AtomicBool::new(false),
            reader: Mutex::new(None),
        }
    }

    /// The scheme of what comes over it.
    pub fn scheme(&self) -> &'static [u8] {
        if self.tls { b"https" } else { b"http" }
    }

    /// Notes the outcome of the TLS handshake.
    pub fn set_session(&self, session: Session) {
        // There is one handshake to a connection.
        let _ = self.session.set(session);
    }

    /// The outcome of the TLS handshake, if there was one.
    pub fn session(&self) -> Option<&Session> {
        self.session.get()
    }

    /// What came of looking at the client's certificate, if that is known, `same` holds for it, and it is not old;
    /// otherwise `judge` looks again. A certificate may expire while its connection goes on.
    pub fn judged<T>(
        &self,
        same: impl FnOnce(&Judged) -> bool,
        read: impl FnOnce(&Judged) -> T,
        judge: impl FnOnce() -> Judged,
    ) -> T {
        let now = clock::tick();
        let mut judged = self.judged.lock();
        let fresh = |at: u32| clock::elapsed(at, now) < JUDGED_FOR;
        match &*judged {
            Some((at, known)) if fresh(*at) && same(known) => read(known),
            _ => read(&judged.insert((now, judge())).1),
        }
    }

    /// What came of looking at the client's certificate last (`$ssl_client_verify`).
    pub fn client_verify(&self) -> Option<&'static str> {
        if self.session()?.client.is_none() {
            return Some("NONE");
        }
        self.judged.lock().as_ref().map(|(_, judged)| judged.text())
    }

    /// Notes whose connection a load balancer passes on.
    pub fn set_proxied(&self, proxied: Proxied) {
        // There is one header to a connection.
        let _ = self.proxied.set(proxied);
    }

    /// Whose connection a load balancer passes on, if it says so.
    pub fn proxied(&self) -> Option<&Proxied> {
        self.proxied.get()
    }

    /// The port that clients believe to have reached, as far as is known.
    pub fn shown_port(&self) -> &[u8] {
        match self.proxied() {
            // Our own port for TLS is shown as the one that leads to it (configmap-and-flags §5.2).
            Some(proxied) if !(self.tls && proxied.port == self.local.port()) => {
                proxied.port_text.as_bytes()
            }
            _ => self.port.as_bytes(),
        }
    }

    /// Whether the client's connection is encrypted, here or where it was passed on.
    pub fn is_secure(&self) -> bool {
        self.tls || self.proxied().is_some_and(|proxied| proxied.port == HTTPS)
    }

    /// From now on bytes are passed through unseen: HTTP/2, or an upgraded connection.
    pub fn tunnel(&self) {
        self.tunnel.store(true, Relaxed);
    }

    /// Whether bytes are passed through unseen.
    pub fn is_tunnel(&self) -> bool {
        self.tunnel.load(Relaxed)
    }

    /// The connection ends after the current answer; what the peer still sends is read and thrown away, so that the
    /// answer is not lost to a reset.
    pub fn linger(&self) {
        self.linger.store(true, Relaxed);
    }

    /// Whether the peer's last bytes are to be thrown away.
    pub fn is_lingering(&self) -> bool {
        self.linger.load(Relaxed)
    }

    /// Counts received bytes.
    pub fn count_received(&self, bytes: usize) {
        self.received.store(self.received.load(Relaxed) + bytes as u64, Relaxed);
    }

    /// Queues what is known about the next head.
    pub fn push_head(&self, head: Head) {
        self.heads.lock().push_back(head);
    }

    /// What is known about the request that the HTTP library has just parsed.
    pub fn pop_head(&self) -> Head {
        let unknown = || Head {
            // Over HTTP/2 nothing is known. Over HTTP/1 every request has passed the guard; one that has not is none.
            refusal: (!self.is_tunnel()).then_some(400),
            ..Head::default()
        };
        self.heads.lock().pop_front().unwrap_or_else(unknown)
    }

    /// Plain HTTP arrived at a TLS port: every request is refused.
    pub fn misdirect(&self) {
        self.misdirected.store(true, Relaxed);
    }

    /// The framing of a body is broken: what follows cannot be told apart.
    pub fn set_malformed(&self) {
        self.malformed.store(true, Relaxed);
        self.linger();
    }

    /// Whether the framing of a body is broken.
    pub fn is_malformed(&self) -> bool {
        self.malformed.load(Relaxed)
    }

    /// Whether every request is refused.
    pub fn is_misdirected(&self) -> bool {
        self.misdirected.load(Relaxed)
    }

    /// A request begins.
    pub fn request_began(&self) {
        self.requests.store(self.requests() + 1, Relaxed);
        self.active.store(self.active.load(Relaxed) + 1, Relaxed);
        if self.phase() != Phase::Body {
            self.enter(Phase::Serving);
        }
    }

    /// The last byte of a request's answer is on its way.
    pub fn request_ended(&self) {
        let active = self.active.load(Relaxed).saturating_sub(1);
        self.active.store(active, Relaxed);
        // The rest of a body that the answer did not wait for is still owed.
        if active == 0 && !matches!(self.phase(), Phase::Lingering | Phase::Body) {
            self.enter(Phase::Idle);
        }
        if self.paused.swap(false, Relaxed)
            && let Some(reader) = self.reader.lock().take()
        {
            reader.wake();
        }
    }

    /// Wakes the reader when the request at hand has its answer.
    pub fn pause(&self, cx: &Context<'_>) {
        *self.reader.lock() = Some(cx.waker().clone());
        self.paused.store(true, Relaxed);
    }

    /// Whether every request that came has its answer.
    pub fn is_answered(&self) -> bool {
        self.active.load(Relaxed) == 0 && self.heads.lock().is_empty()
    }

    /// How many requests have begun.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }
}
