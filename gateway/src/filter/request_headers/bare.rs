//! The head of a request that the gateway makes beside the client's: to an error backend, or as a copy (annotations §3.19,
//! §3.20). It has the client's headers and only those of the gateway's own that it is given; and as the reference sends it,
//! it is HTTP/1.0.

use headgate_config::senders_own;
use http::{HeaderMap, HeaderName};
use smallvec::SmallVec;

use super::{Framing, Nominated, Override, Spelling, is_about_certificate, is_odd, is_value, line};
use crate::field_name::is_alike;

/// Which names of a client are dropped, and how the others are spelled.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Drop names with characters outside `[A-Za-z0-9-]`; with `underscores`, `_` is fine.
    pub odd: bool,
    /// Names with `_` are fine.
    pub underscores: bool,
    /// The client's head as it came; empty where it had no text form.
    pub head: &'a [u8],
}

/// A request beside the client's.
pub struct Bare<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its target.
    pub target: &'a [u8],
    /// Its `Host`.
    pub host: &'a [u8],
    /// Headers that are decided here, whatever the client says.
    pub own: &'a [Override<'a>],
    /// How its body is framed; there are no chunks in HTTP/1.0.
    pub framing: Framing,
    /// Names of the client's headers.
    pub names: Names<'a>,
}

impl Bare<'_> {
    /// Appends the head. Values of `own` that would break it are left out.
    pub fn write(&self, client: &HeaderMap, out: &mut Vec<u8>) {
        debug_assert!(self.framing != Framing::Chunked, "nobody would understand it");
        for part in [self.method.as_bytes(), b" ", self.target, b" HTTP/1.0\r\n"] {
            out.extend_from_slice(part);
        }
        line(out, "Host", self.host);
        line(out, "Connection", b"close");
        if let Framing::Length(length) = self.framing {
            line(out, "Content-Length", length.to_string().as_bytes());
        }
        for header in self.own {
            if let Some(value) = header.value.as_ref().filter(|value| is_value(value)) {
                line(out, &*header.name, value);
            }
        }
        copy(client, self.names, |name| self.may_send(name), out);
        out.extend_from_slice(b"\r\n");
    }

    /// Whether the client's header of this name is passed on.
    fn may_send(&self, name: &HeaderName) -> bool {
        !is_of_connection(name.as_str())
            && !is_about_certificate(name.as_str())
            && !self.own.iter().any(|header| is_alike(&header.name, name.as_str()))
    }
}

/// Whether a header belongs to the connection that it came on, or to the framing of its message.
pub(super) fn is_of_connection(name: &str) -> bool {
    matches!(name, senders_own!() | "proxy" | "http2-settings")
}

/// Writes what the client sent and may send.
pub(super) fn copy(
    client: &HeaderMap,
    names: Names<'_>,
    may_send: impl Fn(&HeaderName) -> bool,
    out: &mut Vec<u8>,
) {
    let nominated = Nominated::new(client);
    let mut spelling = Spelling::new(names.head);
    let mut cookie: &[u8] = b"cookie";
    let mut cookies: SmallVec<[&[u8]; 4]> = SmallVec::new();
    for (name, value) in client {
        let odd = names.odd && is_odd(name, names.underscores);
        if odd || !may_send(name) || nominated.drops(name) {
            continue;
        }
        let spelled = spelling.of(name, value.len());
        if *name == http::header::COOKIE {
            cookie = spelled;
            cookies.push(value.as_bytes());
        } else {
            line(out, spelled, value.as_bytes());
        }
    }
    // HTTP/2 splits cookies (RFC 9113 §8.2.3).
    if !cookies.is_empty() {
        line(out, cookie, &cookies.join(&b"; "[..]));
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn written(own: &[Override<'_>], framing: Framing, client: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in client {
            headers.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let names = Names { odd: true, underscores: false, head: b"" };
        let (target, host) = (&b"/?q"[..], &b"a.test"[..]);
        let mut out = Vec::new();
        Bare { method: "POST", target, host, own, framing, names }.write(&headers, &mut out);
        String::from_utf8(out).expect("a text")
    }

    #[test]
    fn it_has_the_clients_headers_and_its_own() {
        let own = [Override::set("X-Code", &b"404"[..]), Override::remove("Authorization")];
        let client = [
            ("x-code", "200"),
            ("authorization", "Bearer t"),
            ("x-forwarded-host", "forged"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ];
        let expected = "POST /?q HTTP/1.0\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 3\r\n\
                        X-Code: 404\r\nx-forwarded-host: forged\r\ncookie: a=1; b=2\r\n\r\n";
        assert_eq!(written(&own, Framing::Length(3), &client), expected);
    }

    #[test]
    fn what_belongs_to_the_clients_connection_is_not_sent() {
        let client = [
            ("connection", "hop, close"),
            ("hop", "1"),
            ("upgrade", "websocket"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("expect", "100-continue"),
            ("te", "trailers"),
            ("ssl-client-verify", "SUCCESS"),
            ("x_odd", "1"),
        ];
        let expected = "POST /?q HTTP/1.0\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        assert_eq!(written(&[], Framing::None, &client), expected);
    }

    #[test]
    fn no_value_breaks_the_head() {
        let own = [Override::set("X-A", &b"1\r\nX-B: 2"[..])];
        let expected = "POST /?q HTTP/1.0\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        assert_eq!(written(&own, Framing::None, &[]), expected);
    }
}
