//! The headers of the request that is sent upstream (annotations §3.15).
//!
//! They are written as bytes, straight from what the client sent: no map is built of them, and the client's own stay
//! as they are, for a second try and for the log.

mod bare;
mod client;
mod question;
mod spelling;

use std::borrow::Cow;

use http::{
    HeaderMap, HeaderValue,
    header::{self, HeaderName},
};
use smallvec::SmallVec;

use self::spelling::Spelling;
pub use self::{
    bare::{Bare, Names},
    client::Client,
    question::{Question, VIA, is_endless},
};
use crate::{field_name::is_alike, upstream::h1::may_follow_request};

/// What decides about single headers. All values must be valid in a header.
pub struct Rules<'a> {
    /// `Host` for the upstream.
    pub host: &'a [u8],
    /// `X-Request-ID`, if there is one.
    pub request_id: Option<&'a [u8]>,
    /// `X-Forwarded-Prefix`, if a rewrite decides about it; empty to send none.
    pub prefix: Option<&'a [u8]>,
    /// `X-Original-URI`, if it is sent.
    pub original_uri: Option<&'a [u8]>,
    /// Drop names with characters outside `[A-Za-z0-9-]`; with `underscores`, `_` is fine.
    pub odd_names: bool,
    /// Names with `_` are fine.
    pub underscores: bool,
    /// Ask the upstream to upgrade with the client's `Upgrade`.
    pub upgrade: Option<&'a HeaderValue>,
    /// Ask the upstream to close the connection afterwards. Not with `upgrade`.
    pub close: bool,
    /// How the body is framed.
    pub framing: Framing,
    /// Whose values are sent as `X-Original-Forwarded-For` and `X-Original-Forwarded-Host`.
    pub originals: Originals<'a>,
    /// Headers that are decided elsewhere, whatever the client or the rules above say.
    pub overrides: &'a [Override<'a>],
    /// The client's head as it came, for the spelling of its names; empty where it had no text form.
    pub head: &'a [u8],
}

/// A header that is decided by a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value, which must be valid in a header; none is not sent at all.
    pub value: Option<Cow<'a, [u8]>>,
}

impl<'a> Override<'a> {
    /// A header with this value.
    pub fn set(name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { name: name.into(), value: Some(value.into()) }
    }

    /// No header of this name.
    pub fn remove(name: impl Into<Cow<'a, str>>) -> Self {
        Self { name: name.into(), value: None }
    }
}

/// The headers, in lower case, that a client's addresses and host come in.
#[derive(Clone, Copy, Debug)]
pub struct Originals<'a> {
    /// `forwarded-for-header`.
    pub addresses: &'a str,
    /// `forwarded-host-header`.
    pub host: &'a str,
}

/// What the head says about the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl Rules<'_> {
    /// Whether a header of this name is decided elsewhere.
    fn decides(&self, name: &str) -> bool {
        self.overrides.iter().any(|header| header.name.eq_ignore_ascii_case(name))
    }
}

/// Whether a text can be the value of a header.
pub fn is_value(text: &[u8]) -> bool {
    text.iter().all(|b| (*b >= 0x20 && *b != 0x7f) || *b == b'\t')
}

/// Writes the header lines for the upstream, and the empty line behind them.
pub fn write(client: &Client<'_>, rules: &Rules<'_>, out: &mut Vec<u8>) {
    // Empty for a client of HTTP/1.0 that names none: without the line the request would be malformed (RFC 9112 §3.2).
    line(out, "Host", rules.host);
    copy(client, rules, out);
    for (name, value) in [
        ("X-Request-ID", rules.request_id.unwrap_or_default()),
        ("X-Forwarded-For", client.chain.as_deref().unwrap_or(client.ip)),
        ("X-Real-IP", client.ip),
        ("X-Forwarded-Host", client.best_host),
        ("X-Forwarded-Port", client.port),
        ("X-Forwarded-Proto", client.scheme),
        ("X-Forwarded-Scheme", client.scheme),
        ("X-Scheme", client.scheme),
        ("X-Original-URI", rules.original_uri.unwrap_or_default()),
        ("X-Forwarded-Prefix", rules.prefix.unwrap_or_default()),
    ] {
        // What is empty is left out (annotations §3.15).
        if !value.is_empty() && !rules.decides(name) {
            line(out, name, value);
        }
    }
    for header in rules.overrides {
        if let Some(value) = &header.value {
            line(out, &*header.name, value);
        }
    }
    match rules.framing {
        Framing::None => {}
        Framing::Length(length) => line(out, "Content-Length", length.to_string().as_bytes()),
        Framing::Chunked => line(out, "Transfer-Encoding", b"chunked"),
    }
    if let Some(protocol) = rules.upgrade {
        line(out, "Upgrade", protocol.as_bytes());
        line(out, "Connection", b"upgrade");
    } else if rules.close {
        line(out, "Connection", b"close");
    }
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: impl AsRef<[u8]>, value: &[u8]) {
    let name = name.as_ref();
    debug_assert!(is_value(value), "{name:?} would break the head");
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes what the client sent and may send.
fn copy(client: &Client<'_>, rules: &Rules<'_>, out: &mut Vec<u8>) {
    let nominated = Nominated::new(client.headers);
    let mut spelling = Spelling::new(rules.head);
    let mut cookie: &[u8] = b"cookie";
    let mut cookies: SmallVec<[&[u8]; 4]> = SmallVec::new();
    for (name, value) in client.headers {
        if rules.decides(name.as_str()) {
            continue;
        }
        for (original, sent_as) in [
            (rules.originals.addresses, "X-Original-Forwarded-For"),
            (rules.originals.host, "X-Original-Forwarded-Host"),
        ] {
            if name == original && !value.is_empty() && !rules.decides(sent_as) {
                line(out, sent_as, value.as_bytes());
            }
        }
        match fate(name) {
            Fate::Drop => {}
            Fate::Cookie => {
                cookie = spelling.of(name, value.len());
                cookies.push(value.as_bytes());
            }
            // Without chunks there is no place for what it announces.
            Fate::Trailer if rules.framing != Framing::Chunked => {}
            Fate::Trailer => {
                let names = announced(value, rules);
                if !names.is_empty() {
                    line(out, spelling.of(name, value.len()), &names);
                }
            }
            Fate::Prefix if rules.prefix.is_some() => {}
            Fate::OriginalUri if rules.original_uri.is_some() => {}
            Fate::Keep | Fate::Prefix | Fate::OriginalUri => {
                let odd = rules.odd_names && is_odd(name, rules.underscores);
                if !odd && !nominated.drops(name) {
                    line(out, spelling.of(name, value.len()), value.as_bytes());
                }
            }
        }
    }
    // HTTP/2 splits cookies; upstreams of HTTP/1 expect one line (RFC 9113 §8.2.3).
    match cookies.as_slice() {
        [] => {}
        [one] => line(out, cookie, one),
        many => line(out, cookie, &many.join(&b"; "[..])),
    }
}

enum Fate {
    Keep,
    Drop,
    Cookie,
    Trailer,
    Prefix,
    OriginalUri,
}

/// What happens to a header of the client, by its name.
fn fate(name: &HeaderName) -> Fate {
    match name.as_str() {
        "host"
        | "connection"
        | "keep-alive"
        | "proxy-connection"
        | "te"
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
        | "x-forwarded-for"
        | "x-forwarded-host"
        | "x-original-forwarded-for"
        | "x-original-forwarded-host" => Fate::Drop,
        // Whatever an upstream makes of `-` and `_`: what it is told about certificates, it is told by the gateway.
        name if is_about_certificate(name) => Fate::Drop,
        "x-forwarded-prefix" => Fate::Prefix,
        "x-original-uri" => Fate::OriginalUri,
        "cookie" => Fate::Cookie,
        "trailer" => Fate::Trailer,
        _ => Fate::Keep,
    }
}

fn is_about_certificate(name: &str) -> bool {
    let prefix = b"ssl-client-";
    name.len() > prefix.len()
        && name
            .bytes()
            .zip(prefix)
            .all(|(byte, own)| byte == *own || (byte == b'_' && *own == b'-'))
}

/// The names of a client's `Trailer` that are passed on behind the body.
fn announced(value: &HeaderValue, rules: &Rules<'_>) -> Vec<u8> {
    let is_decided = |name: &HeaderName| {
        rules.overrides.iter().any(|header| is_alike(&header.name, name.as_str()))
    };
    let names: Vec<&[u8]> = value
        .as_bytes()
        .split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|name| {
            HeaderName::from_bytes(name)
                .is_ok_and(|name| may_follow_request(&name) && !is_decided(&name))
        })
        .collect();
    names.join(&b", "[..])
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

/// Names that are heeded of a client's `Connection`; real ones name one or two.
const MAX_NOMINATED: usize = 32;

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
                    && names.len() < MAX_NOMINATED
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

#[cfg(test)]
mod tests;
