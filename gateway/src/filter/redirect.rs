//! Redirects that the gateway makes: app-root, the slash redirect, to another host, and to HTTPS.

pub mod fixed;

use headgate_config::{HttpsRedirect, Location, Redirect};
use http::{HeaderValue, StatusCode};

use crate::route::rewrite::escape_path;

/// Bytes of a redirect's `Location`, assembled from pieces.
fn location(pieces: &[&[u8]]) -> Option<HeaderValue> {
    header(pieces.concat())
}

/// `Location` of a URL.
fn header(url: Vec<u8>) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(bytes::Bytes::from(url)).ok()
}

/// The name of a scheme with its separator.
fn scheme(tls: bool) -> &'static [u8] {
    if tls { b"https://" } else { b"http://" }
}

/// The `Host` header without its port: up to the first `:`, but an IPv6 literal stays whole (routing §9.2).
fn without_port(host: &[u8]) -> &[u8] {
    let name_end = if host.first() == Some(&b'[') {
        host.iter().position(|b| *b == b']').map_or(host.len(), |at| at + 1)
    } else {
        host.iter().position(|b| *b == b':').unwrap_or(host.len())
    };
    &host[..name_end]
}

/// `Location` of the redirect from `/` to the host's app-root: the listener's scheme, the `Host` header as sent, no
/// query (annotations §3.2).
pub fn app_root(tls: bool, host_header: &[u8], target: &str) -> Option<HeaderValue> {
    location(&[scheme(tls), host_header, target.as_bytes()])
}

/// The address that a client has reached, for redirects to another path of it.
pub struct Own<'a> {
    /// Whether the client's connection is encrypted.
    pub tls: bool,
    /// The routing host: lower-case, without port.
    pub host: &'a [u8],
    /// The listener's port.
    pub port: &'a str,
}

impl Own<'_> {
    /// `Location` of a path and what is behind it, given in pieces.
    pub fn location(&self, form: Redirect, path: &[&[u8]]) -> Option<HeaderValue> {
        header(self.url(form, path))
    }

    /// The URL of a path and what is behind it, given in pieces; the path alone where that is wanted.
    pub fn url(&self, form: Redirect, path: &[&[u8]]) -> Vec<u8> {
        if form.relative {
            return path.concat();
        }
        let usual_port = if self.tls { "443" } else { "80" };
        let (colon, port): (&[u8], &[u8]) = if form.with_port && self.port != usual_port {
            (b":", self.port.as_bytes())
        } else {
            (b"", b"")
        };
        let address = [scheme(self.tls), self.host, colon, port];
        [&address[..], path].concat().concat()
    }

    /// `Location` of the redirect to a path that ends in a slash (routing §5.3). A lone `?` is lost.
    pub fn with_slash(
        &self,
        form: Redirect,
        path: &[u8],
        query: Option<&[u8]>,
    ) -> Option<HeaderValue> {
        let path = escape_path(path);
        match query.filter(|query| !query.is_empty()) {
            None => self.location(form, &[&path]),
            Some(query) => self.location(form, &[&path, b"?", query]),
        }
    }
}

/// What decides about the redirect to HTTPS.
pub struct HttpsDecision<'a> {
    /// Scheme of the request as far as it is believed: `http`, `https`, or what a trusted proxy said.
    pub scheme: &'a [u8],
    /// Whether the request's host has a certificate; asked only if it matters.
    pub has_certificate: &'a dyn Fn() -> bool,
}

impl HttpsDecision<'_> {
    /// Whether a request for `location` is redirected (routing §9.1).
    pub fn redirects(&self, location: &Location) -> bool {
        match location.https_redirect {
            HttpsRedirect::Never => false,
            HttpsRedirect::Always => self.scheme == b"http",
            HttpsRedirect::IfCertificate => self.scheme == b"http" && (self.has_certificate)(),
        }
    }
}

/// `Location` of the redirect to HTTPS (routing §9.2). `port` is the HTTPS listener's.
pub fn https(
    target: &Location,
    host_header: &[u8],
    raw_target: &[u8],
    port: u16,
) -> Option<HeaderValue> {
    let path =
        if target.redirect.keep_trailing_slash { raw_target } else { without_slash(raw_target) };
    let port = if target.redirect.with_port { format!(":{port}") } else { String::new() };
    location(&[b"https://", without_port(host_header), port.as_bytes(), path])
}

/// `Location` of the redirect from a host with `www.` to the one without, or back (routing §2.7). The port is always
/// named.
pub fn to_host(host: &str, scheme: &[u8], port: &[u8], raw_target: &[u8]) -> Option<HeaderValue> {
    location(&[scheme, b"://", host.as_bytes(), b":", port, without_slash(raw_target)])
}

/// A request target without the one slash that it may end in, be it of the path or of the query.
fn without_slash(raw_target: &[u8]) -> &[u8] {
    raw_target.strip_suffix(b"/").unwrap_or(raw_target)
}

/// The status of a redirect as configured; 308 if it is none.
pub fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::PERMANENT_REDIRECT)
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn ports_are_cut_but_not_out_of_addresses() {
        assert_eq!(without_port(b"A.test:8080"), b"A.test");
        assert_eq!(without_port(b"[::1]:80"), b"[::1]");
        assert_eq!(without_port(b"a.test"), b"a.test");
    }
}
