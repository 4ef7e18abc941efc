//! Who the client is where proxies stand in front of the gateway, and which peers are believed (configmap-and-flags
//! §4, §5.2). No I/O.

use std::net::{IpAddr, SocketAddr};

use headgate_config::{ForwardedHeaders, Network};
use http::HeaderValue;

use crate::listen::conn::Connection;

/// The client's address: the first one that is not trusted, from `peer` on and then from the end of `chain` to its
/// begin; if all are trusted, the left-most. `chain` are the values of the header, in their order. What is no address
/// ends the search at the address before it.
pub fn walk<'a>(
    peer: IpAddr,
    chain: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[Network],
) -> IpAddr {
    let mut client = peer;
    let items = chain.rev().flat_map(|line| line.rsplit(|b| matches!(b, b',' | b' ')));
    for item in items.filter(|item| !item.is_empty()) {
        if !is_trusted(client, trusted) {
            break;
        }
        let Some(next) = parse(item) else { break };
        client = next;
    }
    client
}

/// Who has sent us the requests of a connection: its peer, or whom a trusted peer passes them on for.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// Its address.
    pub ip: IpAddr,
    /// The same as a header value.
    pub text: &'a HeaderValue,
}

impl<'a> Hop<'a> {
    /// The last one that is believed of a connection.
    pub fn of(connection: &'a Connection, rules: &ForwardedHeaders) -> Self {
        match connection.proxied() {
            Some(proxied) if is_trusted(connection.peer.ip(), &rules.peers) => {
                Self { ip: proxied.source.ip(), text: &proxied.source_ip }
            }
            _ => Self { ip: connection.peer.ip(), text: &connection.peer_ip },
        }
    }
}

/// Whether the headers of `peer` about the request (`X-Forwarded-Host`, `-Proto`, `-Port`) are believed.
///
/// The reference asks the list about addresses only, and believes these headers of everybody. Where the list names
/// peers it counts for all headers here; its default names nobody, and must not part IPv4 from IPv6.
pub fn believes(rules: &ForwardedHeaders, peer: IpAddr) -> bool {
    let unlimited = || rules.peers.contains(&Network::EVERY_IPV4);
    rules.trusted && (is_trusted(peer, &rules.peers) || unlimited())
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// An address, perhaps with a port (`192.0.2.1:80`, `[2001:db8::1]:80`). IPv4 within IPv6 is IPv4.
fn parse(item: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(item).ok()?;
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => text.parse::<SocketAddr>().ok().filter(|address| address.port() > 0)?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests;
