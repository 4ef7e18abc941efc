//! One finished request as a span of OTLP: `opentelemetry.proto.trace.v1.Span`, with the attributes of the reference's
//! module and those that took their place in the semantic conventions for HTTP. Pure.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::Version;

use super::{context::SpanId, proto, span::Span};

/// Bytes of a text that are kept; what is behind them is cut off.
const LONGEST: usize = 2048;
/// The span is a server's.
const SERVER: u64 = 2;
/// The span's status is that of a failure.
const ERROR: u64 = 2;
/// The flag of traces that are recorded.
const SAMPLED: u32 = 1;
/// It is said whether the parent is in another process,
const SAYS_WHERE: u32 = 0x100;
/// … and it is.
const IS_ELSEWHERE: u32 = 0x200;

/// What is said about a request. All of it is borrowed.
pub struct Record<'a> {
    /// Its place in its trace.
    pub span: &'a Span,
    /// Name of the span.
    pub name: &'a [u8],
    /// When it ended.
    pub end: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// Status of the answer.
    pub status: u16,
    /// Method.
    pub method: &'a str,
    /// Version of HTTP.
    pub version: Version,
    /// Path and query as sent.
    pub target: &'a [u8],
    /// Path of the rule that it was led by.
    pub route: &'a str,
    /// Scheme of the connection.
    pub scheme: &'a str,
    /// `Host`, or the routing host where that is not known any more.
    pub host: &'a [u8],
    /// Routing host.
    pub server_address: &'a [u8],
    /// Name of the host in the configuration.
    pub server_name: &'a str,
    /// Port that it came to.
    pub server_port: u16,
    /// The client's address.
    pub client_address: &'a str,
    /// Address of the peer of the connection.
    pub peer_address: &'a str,
    /// Port of the peer of the connection.
    pub peer_port: u16,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
}

impl Record<'_> {
    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>) {
        let nanoseconds = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            u64::try_from(since).unwrap_or(u64::MAX)
        };
        let span = self.span;
        let begin = self.end.checked_sub(self.elapsed).unwrap_or(UNIX_EPOCH);
        proto::bytes(out, 1, &span.trace);
        proto::bytes(out, 2, &span.id);
        if !span.state.text().is_empty() {
            proto::bytes(out, 3, span.state.text().as_bytes());
        }
        if let Some(parent) = &span.parent {
            proto::bytes(out, 4, parent);
        }
        proto::bytes(out, 5, text(self.name).as_bytes());
        proto::number(out, 6, SERVER);
        proto::fixed64(out, 7, nanoseconds(begin));
        proto::fixed64(out, 8, nanoseconds(self.end));
        self.write_attributes(&mut Attributes(out));
        if self.status >= 500 {
            let mut status = Vec::with_capacity(2);
            proto::number(&mut status, 3, ERROR);
            proto::bytes(out, 15, &status);
        }
        proto::fixed32(out, 16, flags(span.parent.as_ref()));
    }

    fn write_attributes(&self, out: &mut Attributes<'_>) {
        let (http1, http2) = match self.version {
            Version::HTTP_10 => ("1.0", "1.0"),
            Version::HTTP_2 => ("2.0", "2"),
            Version::HTTP_3 => ("3.0", "3"),
            _ => ("1.1", "1.1"),
        };
        let (status, host, user_agent) =
            (self.status.into(), text(self.host), self.user_agent.map(text));
        // Those of the reference's module, …
        out.text("http.method", self.method);
        out.text("http.flavor", http1);
        out.text("http.target", &text(self.target));
        out.text("http.server_name", self.server_name);
        out.text("http.host", &host);
        out.text("http.scheme", self.scheme);
        out.number("http.status_code", status);
        out.number("net.host.port", self.server_port.into());
        out.text("net.peer.ip", self.client_address);
        out.number("net.peer.port", self.peer_port.into());
        if let Some(user_agent) = &user_agent {
            out.text("http.user_agent", user_agent);
            out.text("user_agent.original", user_agent);
        }
        // … and those of the conventions since.
        match known_method(self.method) {
            true => out.text("http.request.method", self.method),
            false => {
                out.text("http.request.method", "_OTHER");
                out.text("http.request.method_original", self.method);
            }
        }
        out.number("http.response.status_code", status);
        out.text("http.route", self.route);
        let (path, query) = split(self.target);
        out.text("url.path", &text(path));
        if let Some(query) = query {
            out.text("url.query", &text(query));
        }
        out.text("url.scheme", self.scheme);
        out.text("server.address", &text(self.server_address));
        out.number("server.port", self.server_port.into());
        out.text("client.address", self.client_address);
        out.text("network.peer.address", self.peer_address);
        out.number("network.peer.port", self.peer_port.into());
        out.text("network.protocol.version", http2);
        if self.status >= 500 {
            out.text("error.type", &self.status.to_string());
        }
    }
}

/// Writes attributes of a span: messages `KeyValue`.
struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    /// Empty ones are left out.
    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.head(name, proto::bytes_length(value.len()));
            proto::bytes(self.0, 1, value.as_bytes());
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.head(name, 1 + proto::varint_length(value));
        proto::number(self.0, 3, value);
    }

    /// All but the value itself, which has so many bytes.
    fn head(&mut self, name: &str, value: usize) {
        proto::length(self.0, 9, proto::bytes_length(name.len()) + proto::bytes_length(value));
        proto::bytes(self.0, 1, name.as_bytes());
        proto::length(self.0, 2, value);
    }
}

/// A pair of texts as a message `KeyValue`.
pub fn pair(out: &mut Vec<u8>, name: &str, value: &str) {
    proto::bytes(out, 1, name.as_bytes());
    proto::length(out, 2, proto::bytes_length(value.len()));
    proto::bytes(out, 1, value.as_bytes());
}

fn flags(parent: Option<&SpanId>) -> u32 {
    let place = if parent.is_some() { IS_ELSEWHERE } else { 0 };
    SAMPLED | SAYS_WHERE | place
}

/// What protocol buffers take for a text, and not too much of it.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let kept = &bytes[..bytes.len().min(LONGEST)];
    match std::str::from_utf8(kept) {
        Ok(text) => Cow::Borrowed(text),
        // A character that was cut through is not shown as a wrong one.
        Err(error) if error.error_len().is_none() && kept.len() < bytes.len() => {
            String::from_utf8_lossy(&kept[..error.valid_up_to()])
        }
        Err(_) => String::from_utf8_lossy(kept),
    }
}

/// Path and query.
fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}

/// The methods of RFC 9110 and RFC 5789, which the conventions know.
fn known_method(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH"
    )
}

#[cfg(test)]
mod tests;
