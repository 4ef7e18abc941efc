//! The headers of the request that is sent upstream (annotations §3.15).
//!
//! They are written as bytes, straight from what the client sent: no map is built of them, and the client's own stay
//! as they are, for a second try and for the log.

mod bare;
mod client;
mod configured;
mod copy;
mod nominated;
mod question;
mod spelling;

use std::borrow::Cow;

use http::HeaderValue;

pub use self::{
    bare::{Bare, Names},
    client::Client,
    configured::ConfiguredHeaders,
    question::{Question, VIA, is_endless},
};
use self::{
    copy::{copy, is_about_certificate, is_odd},
    nominated::Nominated,
    spelling::Spelling,
};
use crate::field_name::is_alike;

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
    /// Pass on lines whose names are no names of headers, and odd names.
    pub keep_invalid: bool,
    /// Ask the upstream to upgrade with the client's `Upgrade`.
    pub upgrade: Option<&'a HeaderValue>,
    /// Ask the upstream to close the connection afterwards. Not with `upgrade`.
    pub close: bool,
    /// `Connection`, whatever the two above say. `Upgrade` is sent all the same.
    pub connection: Option<&'static str>,
    /// How the body is framed.
    pub framing: Framing,
    /// Whose values are sent as `X-Original-Forwarded-For` and `X-Original-Forwarded-Host`.
    pub originals: Originals<'a>,
    /// Headers that are decided elsewhere, whatever the client or the rules above say.
    pub overrides: &'a [Override<'a>],
    /// Headers of the configuration, beside the standard ones and in place of the client's.
    pub configured: &'a [Override<'a>],
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
    /// Whether a header of this name is decided elsewhere, or one that many an upstream takes for it.
    fn decides(&self, name: &str) -> bool {
        self.overrides.iter().any(|header| is_alike(&header.name, name))
    }

    /// Whether the client's header of this name gives way to a configured one.
    fn replaces(&self, name: &str) -> bool {
        self.configured.iter().any(|header| is_alike(&header.name, name))
    }

    /// Whether a configured header is sent: not where a policy says who the client is.
    fn sends(&self, configured: &Override<'_>) -> bool {
        let name = &configured.name;
        name.eq_ignore_ascii_case("authorization") || !self.decides(name)
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
    // A name that is standard as well is sent twice, as the reference does.
    for header in rules.configured.iter().filter(|header| rules.sends(header)) {
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
    }
    match rules.connection {
        Some(connection) => line(out, "Connection", connection.as_bytes()),
        None if rules.upgrade.is_some() => line(out, "Connection", b"upgrade"),
        None if rules.close => line(out, "Connection", b"close"),
        None => {}
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

#[cfg(test)]
mod tests;
