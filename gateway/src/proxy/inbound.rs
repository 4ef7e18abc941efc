//! The request as the client sent it, checked once for all that comes later (routing §3.1).

use std::{cell::Cell, net::IpAddr};

use bytes::Bytes;
use headgate_config::ForwardedHeaders;
use http::{HeaderMap, HeaderValue, Request, Uri, Version, header, request::Parts};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use smallvec::SmallVec;

use super::{exchange::copied, tunnel::ClientUpgrade};
use crate::{
    error::ProxyError,
    filter::{
        client_address::{self, Hop},
        request_headers::Client,
    },
    listen::conn::{Connection, Head},
    route::{
        name::{HostName, routing_host},
        target::{Target, normalise, split_absolute},
    },
};

/// The address of a client, and how it is written.
#[derive(Clone)]
struct Address {
    ip: IpAddr,
    text: Box<str>,
}

/// The head of a request.
pub struct Inbound {
    /// As the HTTP library parsed it.
    pub parts: Parts,
    /// What the guard knows besides.
    pub head: Head,
    /// `Host`, or `:authority`.
    host: Option<HeaderValue>,
    /// Host of an absolute target that the library cannot hold.
    authority: Option<Bytes>,
    /// The target where it is not the one that the library holds; otherwise empty.
    raw_target: Bytes,
    /// The client's address, if it is not the peer's.
    address: Option<Box<Address>>,
    on_upgrade: Cell<Option<OnUpgrade>>,
}

impl Inbound {
    /// Takes a request of `connection` apart.
    pub fn split(
        mut request: Request<Incoming>,
        connection: &Connection,
        rules: &ForwardedHeaders,
    ) -> (Self, Incoming) {
        let head = connection.pop_head();
        let wants_upgrade = request.headers().contains_key(header::UPGRADE);
        let on_upgrade = Cell::new(wants_upgrade.then(|| hyper::upgrade::on(&mut request)));
        let (parts, body) = request.into_parts();
        let host = match parts.version {
            Version::HTTP_2 => parts
                .uri
                .authority()
                .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok())
                .or_else(|| parts.headers.get(header::HOST).cloned()),
            _ => parts.headers.get(header::HOST).cloned(),
        };
        let (authority, raw_target) = match &head.raw_target {
            Some(raw) => take_apart(raw),
            None => (None, completed(&parts.uri)),
        };
        let host = named_by_target(&parts.uri, authority.as_deref(), host);
        let address = forwarded_address(&parts.headers, connection, rules);
        (Self { parts, head, host, authority, raw_target, address, on_upgrade }, body)
    }

    /// What the record of the request needs, in memory of its own.
    pub fn compact(&self) -> Self {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = self.parts.method.clone();
        parts.version = self.parts.version;
        for name in [header::REFERER, header::USER_AGENT, header::AUTHORIZATION] {
            if let Some(value) = self.parts.headers.get(&name) {
                parts.headers.insert(name, copied(value));
            }
        }
        Self {
            parts,
            head: Head::default(),
            host: None,
            authority: None,
            raw_target: Bytes::copy_from_slice(self.raw_target()),
            address: self.address.clone(),
            on_upgrade: Cell::new(None),
        }
    }

    /// Refuses what cannot be routed, and says which host is asked for.
    pub fn check(&self) -> Result<HostName<'_>, ProxyError> {
        let Parts { method, uri, headers, version, .. } = &self.parts;
        if matches!(method.as_str(), "CONNECT" | "TRACE") {
            return Err(ProxyError::MethodNotAllowed);
        }
        if *version == Version::HTTP_2 {
            let upper =
                method.as_str().bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-'));
            // Both forms of the host at once are a duplicate Host (routing §3.1).
            let hosts = headers.get_all(header::HOST).iter().count();
            if !upper || hosts + usize::from(uri.authority().is_some()) > 1 {
                return Err(ProxyError::BadRequest);
            }
        }
        let authority = match &self.authority {
            Some(authority) => Some(&**authority),
            None => uri.authority().map(|authority| authority.as_str().as_bytes()),
        };
        let host = match (&self.host, authority) {
            // The absolute form wins for routing (routing §3.1).
            (_, Some(authority)) => authority,
            (Some(host), None) => host.as_bytes(),
            // HTTP/1.0 without Host: the default host. HTTP/1.1 was refused before.
            (None, None) if *version == Version::HTTP_10 => return Ok(HostName::none()),
            (None, None) => return Err(ProxyError::BadRequest),
        };
        // User information has no place here, and of two ports one side would believe the first.
        let after_name =
            host.strip_prefix(b"[").and_then(|rest| rest.splitn(2, |b| *b == b']').nth(1));
        let ports = after_name.unwrap_or(host).iter().filter(|b| **b == b':').count();
        if host.contains(&b'@') || ports > 1 {
            return Err(ProxyError::BadRequest);
        }
        routing_host(host).map_err(|_| ProxyError::BadRequest)
    }

    /// The path that is matched, and the query.
    pub fn normalise(&self) -> Result<Target<'_>, ProxyError> {
        normalise(self.raw_target()).map_err(|_| ProxyError::BadRequest)
    }

    /// The target as the client sent it; of the absolute form its path and query.
    pub fn raw_target(&self) -> &[u8] {
        if !self.raw_target.is_empty() {
            return &self.raw_target;
        }
        self.parts.uri.path_and_query().map_or(b"/", |target| target.as_str().as_bytes())
    }

    /// The `Host` header as sent; empty if there is none.
    pub fn host_header(&self) -> &[u8] {
        self.host.as_ref().map_or(b"", |host| host.as_bytes())
    }

    /// The client's address, if it is not the peer's of the connection.
    pub fn forwarded_address(&self) -> Option<&str> {
        self.address.as_ref().map(|address| &*address.text)
    }

    /// The client's address.
    pub fn client_address(&self, connection: &Connection) -> IpAddr {
        self.address.as_ref().map_or(connection.peer.ip(), |address| address.ip)
    }

    /// The client as far as its headers are believed.
    pub fn client<'a>(
        &'a self,
        connection: &'a Connection,
        rules: &ForwardedHeaders,
    ) -> Client<'a> {
        let peer = connection.peer_ip.as_bytes();
        let ip = self.forwarded_address().map_or(peer, str::as_bytes);
        let client = Client::direct(connection, ip, self.host_header(), &self.parts.headers);
        let hop = Hop::of(connection, rules);
        if client_address::believes(rules, hop.ip) {
            client.behind_proxy(connection, rules.append_for.then_some(hop.text))
        } else {
            client
        }
    }

    /// The protocol that the client wants to change to. Only HTTP/1.1 can (RFC 9110 §7.8).
    pub fn upgrade(&self) -> Option<&HeaderValue> {
        if self.parts.version != Version::HTTP_11 {
            return None;
        }
        let mut lines = self.parts.headers.get_all(header::UPGRADE).iter();
        let (Some(value), None) = (lines.next(), lines.next()) else { return None };
        // Another version of HTTP would be a tunnel for requests that nobody checks.
        let is_http = |token: &[u8]| {
            let token = token.trim_ascii().to_ascii_lowercase();
            token.starts_with(b"h2") || token.starts_with(b"http")
        };
        let fine = !value.is_empty() && !value.as_bytes().split(|b| *b == b',').any(is_http);
        fine.then_some(value)
    }

    /// The client's side of an upgrade, to be taken once, if it wants one.
    pub fn take_upgrade(&self) -> Option<ClientUpgrade> {
        let wanted = self.upgrade()?.clone();
        self.on_upgrade.take().map(|ready| ClientUpgrade { wanted, ready })
    }
}

/// The address that a trusted proxy names as the client's.
fn forwarded_address(
    headers: &HeaderMap,
    connection: &Connection,
    rules: &ForwardedHeaders,
) -> Option<Box<Address>> {
    let hop = Hop::of(connection, rules);
    let peer = connection.peer.ip();
    // Behind a PROXY header nothing else is asked unless all that is forwarded is believed (configmap-and-flags §4).
    let walks = rules.trusted || (rules.real_ip && connection.proxied().is_none());
    let client = if walks {
        let lines = headers.get_all(&*rules.for_header).iter().map(HeaderValue::as_bytes);
        // Of other headers only the first line counts.
        let most = if rules.for_header == "x-forwarded-for" { usize::MAX } else { 1 };
        let lines: SmallVec<[&[u8]; 4]> = lines.take(most).collect();
        client_address::walk(hop.ip, lines.into_iter(), &rules.peers)
    } else {
        hop.ip
    };
    (client != peer).then(|| Box::new(Address { ip: client, text: client.to_string().into() }))
}

/// Authority and origin form of a target that the library cannot hold.
fn take_apart(raw: &Bytes) -> (Option<Bytes>, Bytes) {
    match split_absolute(raw) {
        Ok(None) => (None, raw.clone()),
        Ok(Some(absolute)) => (
            Some(Bytes::copy_from_slice(absolute.authority)),
            Bytes::copy_from_slice(&absolute.rest),
        ),
        // No target begins like this: it is refused with all others that do not.
        Err(_) => (None, Bytes::from_static(b"*")),
    }
}

/// The origin form of an absolute target without a path (`http://host?query`); empty if nothing has to be completed.
fn completed(uri: &Uri) -> Bytes {
    match uri.path_and_query().map(|target| target.as_str()) {
        Some(target) if target.starts_with('?') => Bytes::from(format!("/{target}")),
        _ => Bytes::new(),
    }
}

/// The `Host` of a request whose target names a host as well: the target's, if they differ (RFC 9112 §3.2.2). The
/// upstream must not be told another host than the one that was routed by.
fn named_by_target(
    uri: &Uri,
    odd: Option<&[u8]>,
    host: Option<HeaderValue>,
) -> Option<HeaderValue> {
    let authority = odd.or_else(|| uri.authority().map(|authority| authority.as_str().as_bytes()));
    match (authority, host) {
        (Some(authority), Some(host)) if host.as_bytes().eq_ignore_ascii_case(authority) => {
            Some(host)
        }
        (Some(authority), _) => HeaderValue::from_bytes(authority).ok(),
        (None, host) => host,
    }
}
