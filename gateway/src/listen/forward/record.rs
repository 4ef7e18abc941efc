//! What the log says about a stream, complete however it ends.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_config::StreamProtocol;

use crate::{
    live::LiveService,
    observe::access_log::{StreamRecord, StreamUpstream},
    pump::Moved,
    worker::Worker,
};

/// One connection, or one session of datagrams. Its line is written when it is dropped.
pub struct Record {
    worker: Rc<Worker>,
    service: Arc<LiveService>,
    /// The address that counts as the client's.
    client: Cell<SocketAddr>,
    /// The peer's own address.
    peer: SocketAddr,
    server: SocketAddr,
    /// What a PROXY header says about the client.
    pub proxied: Cell<Option<SocketAddr>>,
    begin: Instant,
    /// Whether there was a log when it began.
    is_logged: bool,
    /// What came of it, in the words of HTTP.
    pub status: Cell<u16>,
    /// Bytes of both directions.
    pub moved: Moved,
    /// Endpoints that were tried.
    pub tried: RefCell<Vec<SocketAddr>>,
    /// How long the last of them took.
    pub connect_time: Cell<Option<Duration>>,
}

impl Record {
    /// One that begins now.
    pub fn new(
        worker: &Rc<Worker>,
        service: &Arc<LiveService>,
        peer: SocketAddr,
        server: SocketAddr,
    ) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Self {
            worker: Rc::clone(worker),
            service: Arc::clone(service),
            client: Cell::new(peer),
            peer,
            server,
            proxied: Cell::new(None),
            begin: Instant::now(),
            is_logged: worker.live().settings.spec.stream.access_log,
            // Until there is an upstream.
            status: Cell::new(502),
            moved: Moved::default(),
            tried: RefCell::default(),
            connect_time: Cell::new(None),
        }
    }

    /// Notes whose connection it is, as a PROXY header has it. It counts as the client's address where such are believed
    /// (`enable-real-ip`, configmap-and-flags §4).
    pub fn set_proxied(&self, source: SocketAddr) {
        self.proxied.set(Some(source));
        let live = self.worker.live();
        let rules = &live.settings.spec.forwarded;
        let is_believed = || rules.peers.iter().any(|peers| peers.contains(self.peer.ip()));
        if rules.real_ip && is_believed() {
            self.client.set(source);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.is_logged {
            return;
        }
        let spec = &self.service.spec;
        self.worker.log_stream(&StreamRecord {
            client: self.client.get(),
            peer: self.peer,
            proxied: self.proxied.get(),
            server: self.server,
            protocol: match spec.protocol {
                StreamProtocol::Tcp => "TCP",
                StreamProtocol::Udp => "UDP",
            },
            status: self.status.get(),
            sent: self.moved.sent.get(),
            received: self.moved.received.get(),
            time: self.begin.elapsed(),
            upstream_name: &self.service.name,
            upstream: StreamUpstream {
                tried: &self.tried.borrow(),
                connect_time: self.connect_time.get(),
            },
        });
    }
}
