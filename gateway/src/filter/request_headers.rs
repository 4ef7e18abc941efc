//! The headers of the request that is sent upstream (annotations §3.15).
//!
//! They are collected into a new map: the client's own stay as they are, for a second try, for the log, and because
//! copying the wanted ones costs no more than taking out the unwanted.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderValue,
    header::{self, HeaderName},
};

use crate::listen::conn::Connection;

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_SCHEME: HeaderName = HeaderName::from_static("x-forwarded-scheme");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_SCHEME: HeaderName = HeaderName::from_static("x-scheme");
const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const X_ORIGINAL_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-original-forwarded-for");
const X_ORIGINAL_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-original-forwarded-host");
const UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");

/// Headers added beside the client's, at most.
const ADDED: usize = 14;

/// What is known about the client and its connection, as far as it is believed.
pub struct Client<'a> {
    /// The client's address (`X-Real-IP`, `X-Forwarded-For`).
    pub ip: HeaderValue,
    /// The whole chain, if it is kept (`compute-full-forwarded-for`).
    pub chain: Option<HeaderValue>,
    /// `Host` as the client wrote it, or `X-Forwarded-Host` of a trusted proxy.
    pub best_host: HeaderValue,
    /// `X-Forwarded-Port`.
    pub port: HeaderValue,
    /// Scheme (`X-Forwarded-Proto`, `X-Forwarded-Scheme`, `X-Scheme`).
    pub scheme: HeaderValue,
    /// The client's own headers.
    pub headers: &'a HeaderMap,
}

impl<'a> Client<'a> {
    /// Believes nothing that the client says but its `Host`.
    pub fn direct(connection: &Connection, host: HeaderValue, headers: &'a HeaderMap) -> Self {
        Self {
            ip: connection.peer_ip.clone(),
            chain: None,
            best_host: host,
            port: connection.port.clone(),
            scheme: HeaderValue::from_static(if connection.tls { "https" } else { "http" }),
            headers,
        }
    }

    /// Believes `X-Forwarded-*` (`use-forwarded-headers`). As every address is trusted by default, the left-most
    /// address of the chain is the client's (annotations §1.14).
    pub fn behind_proxy(
        connection: &Connection,
        host: HeaderValue,
        headers: &'a HeaderMap,
        append: bool,
    ) -> Self {
        let mut client = Self::direct(connection, host, headers);
        if let Some(chain) = headers.get(X_FORWARDED_FOR) {
            if let Some(first) = first_item(chain).filter(|item| is_address(item)) {
                client.ip = first;
            }
            if append {
                let joined = [chain.as_bytes(), b", ", connection.peer_ip.as_bytes()].concat();
                client.chain = HeaderValue::from_bytes(&joined).ok();
            }
        }
        if let Some(host) = headers.get(X_FORWARDED_HOST).and_then(first_item) {
            client.best_host = host;
        }
        if let Some(port) = headers.get(X_FORWARDED_PORT) {
            client.port = port.clone();
        }
        if let Some(scheme) = headers.get(X_FORWARDED_PROTO) {
            client.scheme = scheme.clone();
        }
        client
    }
}

/// The first item of a comma-separated list.
fn first_item(value: &HeaderValue) -> Option<HeaderValue> {
    let item = value.as_bytes().split(|b| *b == b',').next()?.trim_ascii();
    if item.is_empty() { None } else { HeaderValue::from_bytes(item).ok() }
}

fn is_address(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| text.parse::<IpAddr>().is_ok())
}

/// What decides about single headers.
pub struct Rules<'a> {
    /// `Host` for the upstream.
    pub host: HeaderValue,
    /// `X-Request-ID`, if there is one.
    pub request_id: Option<HeaderValue>,
    /// `X-Forwarded-Prefix`, if a rewrite sets it.
    pub prefix: Option<HeaderValue>,
    /// `X-Original-URI`, if it is sent.
    pub original_uri: Option<HeaderValue>,
    /// Drop names with characters outside `[A-Za-z0-9-]`; with `underscores`, `_` is fine.
    pub odd_names: bool,
    /// Names with `_` are fine.
    pub underscores: bool,
    /// Ask the upstream to upgrade with the client's `Upgrade`.
    pub upgrade: Option<&'a HeaderValue>,
    /// `Content-Length`, if the length of the body is known.
    pub content_length: Option<u64>,
}

/// Collects the headers for the upstream.
pub fn collect(client: &Client<'_>, mut rules: Rules<'_>) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(client.headers.len() + ADDED);
    out.insert(header::HOST, std::mem::replace(&mut rules.host, HeaderValue::from_static("")));
    let nominated = Nominated::new(client.headers);
    copy(client, &rules, &nominated, &mut out);
    if let Some(id) = rules.request_id {
        out.insert(X_REQUEST_ID, id);
    }
    out.insert(X_FORWARDED_FOR, client.chain.clone().unwrap_or_else(|| client.ip.clone()));
    out.insert(X_REAL_IP, client.ip.clone());
    out.insert(X_FORWARDED_HOST, client.best_host.clone());
    out.insert(X_FORWARDED_PORT, client.port.clone());
    out.insert(X_FORWARDED_PROTO, client.scheme.clone());
    out.insert(X_FORWARDED_SCHEME, client.scheme.clone());
    out.insert(X_SCHEME, client.scheme.clone());
    if let Some(uri) = rules.original_uri {
        out.insert(X_ORIGINAL_URI, uri);
    }
    if let Some(prefix) = rules.prefix {
        out.insert(X_FORWARDED_PREFIX, prefix);
    }
    if let Some(length) = rules.content_length {
        out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(protocol) = rules.upgrade {
        out.insert(header::UPGRADE, protocol.clone());
        out.insert(header::CONNECTION, UPGRADE);
    }
    out
}

/// Copies what the client sent and may send.
fn copy(client: &Client<'_>, rules: &Rules<'_>, nominated: &Nominated, out: &mut HeaderMap) {
    let mut cookies: Vec<&[u8]> = Vec::new();
    for (name, value) in client.headers {
        match fate(name) {
            Fate::Drop => {}
            Fate::Cookie => cookies.push(value.as_bytes()),
            Fate::Rename(original) => {
                if !value.is_empty() {
                    let _ = out.try_append(original, value.clone());
                }
            }
            Fate::Prefix if rules.prefix.is_some() => {}
            Fate::Keep | Fate::Prefix => {
                let odd = rules.odd_names && is_odd(name, rules.underscores);
                // The library itself bounds the number of header lines.
                if !odd && !nominated.drops(name) {
                    let _ = out.try_append(name, value.clone());
                }
            }
        }
    }
    // HTTP/2 splits cookies; upstreams of HTTP/1 expect one line (RFC 9113 §8.2.3).
    let cookie = match cookies.as_slice() {
        [] => return,
        [one] => HeaderValue::from_bytes(one),
        many => HeaderValue::from_bytes(&many.join(&b"; "[..])),
    };
    if let Ok(cookie) = cookie {
        out.insert(header::COOKIE, cookie);
    }
}

enum Fate {
    Keep,
    Drop,
    Cookie,
    Prefix,
    Rename(HeaderName),
}

/// What happens to a header of the client, by its name.
fn fate(name: &HeaderName) -> Fate {
    match name.as_str() {
        "host"
        | "connection"
        | "keep-alive"
        | "proxy-connection"
        | "te"
        | "trailer"
        | "transfer-encoding"
        | "upgrade"
        | "expect"
        | "content-length"
        | "proxy"
        | "http2-settings"
        | "x-real-ip"
        | "x-request-id"
        | "x-forwarded-port"
        | "x-forwarded-proto"
        | "x-forwarded-scheme"
        | "x-scheme"
        | "x-original-forwarded-for"
        | "x-original-forwarded-host" => Fate::Drop,
        "x-forwarded-for" => Fate::Rename(X_ORIGINAL_FORWARDED_FOR),
        "x-forwarded-host" => Fate::Rename(X_ORIGINAL_FORWARDED_HOST),
        "x-forwarded-prefix" => Fate::Prefix,
        "cookie" => Fate::Cookie,
        _ => Fate::Keep,
    }
}

fn is_odd(name: &HeaderName, underscores: bool) -> bool {
    !name
        .as_str()
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || (underscores && b == b'_'))
}

/// Names that the client's `Connection` nominates as hop-by-hop (RFC 9110 §7.6.1).
struct Nominated {
    names: Vec<HeaderName>,
}

impl Nominated {
    fn new(headers: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for value in headers.get_all(header::CONNECTION) {
            for token in value.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                if token.eq_ignore_ascii_case(b"keep-alive")
                    || token.eq_ignore_ascii_case(b"close")
                    || token.eq_ignore_ascii_case(b"upgrade")
                {
                    continue;
                }
                if let Ok(name) = HeaderName::from_bytes(token)
                    && !is_protected(&name)
                {
                    names.push(name);
                }
            }
        }
        Self { names }
    }

    fn drops(&self, name: &HeaderName) -> bool {
        !self.names.is_empty() && self.names.contains(name)
    }
}

/// End-to-end headers that carry identity or decisions: a client must not be able to make the gateway drop them.
fn is_protected(name: &HeaderName) -> bool {
    let text = name.as_str();
    text.starts_with("x-")
        || text.starts_with("ssl-client")
        || matches!(
            text,
            "authorization"
                | "cookie"
                | "forwarded"
                | "content-type"
                | "content-encoding"
                | "cache-control"
                | "host"
        )
}
