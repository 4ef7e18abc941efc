//! The ports of TCP and UDP services: bound when a configuration is published, one socket for each worker, which takes its
//! own ([`super::forward`]). A port that is configured before and after a change stays bound.

use std::{
    collections::HashMap,
    net::{IpAddr, TcpListener, UdpSocket},
    sync::{Arc, atomic::AtomicUsize},
};

use headgate_config::StreamProtocol;
use parking_lot::Mutex;

use super::sockets;

/// A port of this machine.
pub type PortKey = (StreamProtocol, u16);

/// A port that is bound.
#[derive(Debug)]
pub struct Bound {
    /// Which it is.
    pub key: PortKey,
    sockets: Box<[Mutex<Option<PortSocket>>]>,
    /// Which endpoint is next. It belongs to the port, because that outlives its configurations.
    pub next: AtomicUsize,
}

/// A worker's socket of a port.
#[derive(Debug)]
pub enum PortSocket {
    /// For connections.
    Tcp(TcpListener),
    /// For datagrams.
    Udp(UdpSocket),
}

impl Bound {
    /// The socket of one worker, the first time.
    pub fn take(&self, worker: usize) -> Option<PortSocket> {
        self.sockets.get(worker)?.lock().take()
    }
}

/// All ports, and what they are bound with.
#[derive(Debug, Default)]
pub struct Ports {
    /// Address, and number of workers; nothing is bound before they are known.
    place: Option<(IpAddr, usize)>,
    bound: HashMap<PortKey, Arc<Bound>>,
}

impl Ports {
    /// Says where to bind, and for how many workers.
    pub fn set_place(&mut self, address: IpAddr, workers: usize) {
        self.place = Some((address, workers.max(1)));
    }

    /// Lets go of all ports but these. Workers close their sockets when they hear of it.
    pub fn retain(&mut self, wanted: impl Fn(&PortKey) -> bool) {
        self.bound.retain(|key, _| wanted(key));
    }

    /// The port, bound now if it is not; `None` if it is too early to bind anything.
    ///
    /// # Errors
    /// Why it cannot be bound.
    pub fn open(&mut self, key: PortKey) -> Result<Option<Arc<Bound>>, String> {
        if let Some(bound) = self.bound.get(&key) {
            return Ok(Some(Arc::clone(bound)));
        }
        let Some((address, workers)) = self.place else { return Ok(None) };
        let (protocol, port) = key;
        let sockets = match protocol {
            StreamProtocol::Tcp => sockets::bind(address, port, workers, "TCP service")
                .map(|sockets| sockets.into_iter().map(PortSocket::Tcp).collect()),
            StreamProtocol::Udp => sockets::bind_udp(address, port, workers)
                .map(|sockets| sockets.into_iter().map(PortSocket::Udp).collect()),
        };
        let sockets: Vec<_> = sockets.map_err(|error| error.to_string())?;
        let bound = Arc::new(Bound {
            key,
            sockets: sockets.into_iter().map(|socket| Mutex::new(Some(socket))).collect(),
            next: AtomicUsize::new(fastrand::usize(..)),
        });
        self.bound.insert(key, Arc::clone(&bound));
        Ok(Some(bound))
    }
}
