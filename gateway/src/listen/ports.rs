//! The ports of TCP and UDP services: bound when a configuration is published, one socket for each worker, which takes its
//! own ([`super::forward`]). A port that is configured before and after a change stays bound.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket},
    sync::{Arc, atomic::AtomicUsize},
};

use headgate_config::{Entrances, StreamProtocol};
use parking_lot::Mutex;

use super::sockets;

/// A port of this machine, at one of its addresses or at all.
pub type PortKey = (StreamProtocol, u16, Place);

/// Addresses of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    address: IpAddr,
    /// It stands for IPv6 addresses only, where it is the unspecified one.
    only_v6: bool,
}

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

    /// Where ports are bound so that clients come to nothing but these addresses; without a limit, or before it is known where
    /// to bind, that is one place.
    pub fn places(&self, entrances: &Entrances) -> Vec<Place> {
        let any = Ipv4Addr::UNSPECIFIED.into();
        places(self.place.map_or(any, |(address, _)| address), entrances)
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
        let Some((_, workers)) = self.place else { return Ok(None) };
        let (protocol, port, place) = key;
        let only_v6 = place.only_v6;
        let sockets = match protocol {
            StreamProtocol::Tcp => {
                sockets::bind_at((place.address, only_v6), port, workers, "TCP service")
                    .map(|sockets| sockets.into_iter().map(PortSocket::Tcp).collect())
            }
            StreamProtocol::Udp => sockets::bind_udp((place.address, only_v6), port, workers)
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

/// Those places of `base`, which the process listens on, at which clients are served.
fn places(base: IpAddr, entrances: &Entrances) -> Vec<Place> {
    let is_all = |address: IpAddr| address.is_unspecified();
    let Some(only) = &entrances.only else {
        return match base {
            IpAddr::V6(_) if entrances.no_ipv6 && is_all(base) => {
                vec![Place { address: Ipv4Addr::UNSPECIFIED.into(), only_v6: false }]
            }
            IpAddr::V6(_) if entrances.no_ipv6 => Vec::new(),
            address => vec![Place { address, only_v6: false }],
        };
    };
    let is_dual = base.is_ipv6() && is_all(base);
    let mut places: Vec<_> = only
        .iter()
        .filter_map(|address| {
            let is_within = is_dual || (is_all(base) && address.is_ipv4()) || *address == base;
            let takes_base = is_all(*address) && address.is_ipv4() == base.is_ipv4();
            match () {
                () if is_within => Some(*address),
                () if takes_base => Some(base),
                () => None,
            }
        })
        .filter(|address| !(entrances.no_ipv6 && address.is_ipv6()))
        .map(|address| Place { address, only_v6: address.is_ipv6() })
        .collect();
    // What is at all addresses of a family is at each of them.
    for family in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
        if places.iter().any(|place| is_all(place.address) && family(&place.address)) {
            places.retain(|place| is_all(place.address) || !family(&place.address));
        }
    }
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(base: &str, only: Option<&[&str]>, no_ipv6: bool) -> Vec<String> {
        let parse = |text: &&str| text.parse().expect("an address");
        let entrances =
            Entrances { only: only.map(|only| only.iter().map(parse).collect()), no_ipv6 };
        let places = places(parse(&base), &entrances);
        places.iter().map(|place| place.address.to_string()).collect()
    }

    #[test]
    fn services_are_bound_where_clients_are_served_and_nowhere_else() {
        assert_eq!(bound("::", None, false), ["::"]);
        assert_eq!(bound("::", None, true), ["0.0.0.0"]);
        assert_eq!(bound("::1", None, true), [""; 0]);
        assert_eq!(bound("::", Some(&["10.0.0.1", "::1"]), false), ["10.0.0.1", "::1"]);
        assert_eq!(bound("::", Some(&["10.0.0.1", "::1"]), true), ["10.0.0.1"]);
        assert_eq!(bound("0.0.0.0", Some(&["10.0.0.1", "::1"]), false), ["10.0.0.1"]);
        assert_eq!(bound("127.0.0.1", Some(&["10.0.0.1"]), false), [""; 0]);
        assert_eq!(bound("127.0.0.1", Some(&["0.0.0.0"]), false), ["127.0.0.1"]);
        assert_eq!(bound("::", Some(&["::", "0.0.0.0", "::1"]), false), ["0.0.0.0", "::"]);
        assert_eq!(bound("::", Some(&[]), false), [""; 0]);
    }
}
