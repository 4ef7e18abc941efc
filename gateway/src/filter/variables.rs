//! Values of `$variables` in configured texts (annotations, appendix A).

mod template;

use std::{borrow::Cow, time::SystemTime};

use headgate_config::Origin;
use http::{HeaderMap, HeaderValue, Method, header};

pub use self::template::Template;
use super::sign_in;
use crate::{
    listen::conn::Connection,
    observe::{
        access_log::{basic_user, time_text},
        spans::Span,
    },
};

/// What variables are taken from.
pub struct Variables<'a> {
    /// Method of the request.
    pub method: &'a Method,
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// Whether names of headers may have `_`: else lines of such a name are none, as for upstreams.
    pub underscores: bool,
    /// Routing host.
    pub host: &'a [u8],
    /// `Host` header as sent.
    pub http_host: &'a [u8],
    /// `Host` header as it counts.
    pub best_host: &'a [u8],
    /// Scheme of the request, as far as it is believed.
    pub scheme: &'a [u8],
    /// Scheme of the listener.
    pub listener_scheme: &'a [u8],
    /// Port of the listener.
    pub listener_port: &'a [u8],
    /// The client's address.
    pub client_ip: &'a [u8],
    /// Raw target.
    pub target: &'a [u8],
    /// Normalised path.
    pub path: &'a [u8],
    /// Query.
    pub query: &'a [u8],
    /// Request id.
    pub request_id: &'a [u8],
    /// What the location was made from.
    pub origin: &'a Origin,
    /// The client's connection, where there is one.
    pub connection: Option<&'a Connection>,
    /// The request's place in a trace, if it has one.
    pub span: Option<&'a Span>,
}

impl<'a> Variables<'a> {
    /// The value of a variable as far as it need not be put together; `None` if there is no such variable.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        Some(match name {
            "host" | "http_host_name" => self.host,
            "http_host" => self.http_host,
            "best_http_host" => self.best_host,
            "scheme" => self.listener_scheme,
            "pass_access_scheme" => self.scheme,
            "server_port" => self.listener_port,
            "remote_addr" | "the_real_ip" => self.client_ip,
            "request_uri" => self.target,
            "uri" | "document_uri" => self.path,
            "args" | "query_string" => self.query,
            "is_args" if self.query.is_empty() => b"",
            "is_args" => b"?",
            "request_method" => self.method.as_str().as_bytes(),
            "req_id" | "request_id" => self.request_id,
            "namespace" => {
                self.origin.object.as_ref().map_or("", |object| &object.namespace).as_bytes()
            }
            "ingress_name" => {
                self.origin.object.as_ref().map_or("", |object| &object.name).as_bytes()
            }
            "service_name" => self.origin.service.as_bytes(),
            "service_port" => self.origin.port.as_bytes(),
            "location_path" => self.origin.path.as_bytes(),
            "ssl_protocol" | "ssl_cipher" | "ssl_server_name" => self.session(name).as_bytes(),
            _ => {
                if let Some(name) = name.strip_prefix("arg_") {
                    return Some(self.argument(name));
                }
                if name.starts_with("opentelemetry_") {
                    return Span::variable(self.span, name);
                }
                if let Some(name) = name.strip_prefix("cookie_") {
                    return Some(self.cookie(name));
                }
                let header = name.strip_prefix("http_")?.replace('_', "-");
                self.headers.get(header).map_or(&b""[..], |value| value.as_bytes())
            }
        })
    }

    /// The value of a variable; `None` if there is no such variable.
    pub fn text(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        match name {
            "escaped_request_uri" => return Some(Cow::Owned(sign_in::escape(self.target))),
            "remote_user" => return Some(Cow::Owned(self.user())),
            "remote_port" => {
                let port = self.connection.map(|connection| connection.peer.port().to_string());
                return Some(Cow::Owned(port.unwrap_or_default().into_bytes()));
            }
            "msec" | "time_iso8601" => {
                let text = time_text(SystemTime::now(), name == "msec");
                return Some(Cow::Owned(text.into_bytes()));
            }
            "http_host" | "http_host_name" => {}
            _ => {
                if let Some(header) = name.strip_prefix("http_") {
                    return Some(self.lines(header));
                }
            }
        }
        self.value(name).map(Cow::Borrowed)
    }

    /// A text with its variables replaced. Unknown ones are empty.
    pub fn expand(&self, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 32);
        for part in parts(text) {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(name) => {
                    out.extend_from_slice(&self.text(name).unwrap_or_default());
                }
            }
        }
        out
    }

    /// What the TLS handshake has settled; empty without one.
    fn session(&self, name: &str) -> &'a str {
        let session = self.connection.and_then(Connection::session);
        session.map_or("", |session| match name {
            "ssl_protocol" => session.protocol,
            "ssl_cipher" => session.cipher,
            _ => session.server_name.as_deref().unwrap_or_default(),
        })
    }

    /// All lines of a header, whose name is given in lower case and with `_` in place of `-`.
    fn lines(&self, name: &str) -> Cow<'a, [u8]> {
        let is_meant = |found: &str| {
            (self.underscores || !found.contains('_'))
                && found.len() == name.len()
                && found.bytes().zip(name.bytes()).all(|(a, b)| a == b || (a == b'-' && b == b'_'))
        };
        let mut found =
            self.headers.iter().filter(|(name, _)| is_meant(name.as_str())).map(|(_, value)| value);
        let first = found.next().map_or(&b""[..], HeaderValue::as_bytes);
        let Some(second) = found.next() else { return Cow::Borrowed(first) };
        let separator: &[u8] = if name == "cookie" { b"; " } else { b", " };
        let mut all = first.to_vec();
        for value in std::iter::once(second).chain(found) {
            all.extend_from_slice(separator);
            all.extend_from_slice(value.as_bytes());
        }
        Cow::Owned(all)
    }

    /// The first argument of this name in the query, without regard to case.
    fn argument(&self, name: &str) -> &'a [u8] {
        let pairs = self.query.split(|byte| *byte == b'&');
        let mut values = pairs.filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            pair[..at].eq_ignore_ascii_case(name.as_bytes()).then(|| &pair[at + 1..])
        });
        values.next().unwrap_or_default()
    }

    /// The first cookie of this name, without regard to case.
    fn cookie(&self, name: &str) -> &'a [u8] {
        let lines = self.headers.get_all(header::COOKIE).iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let mut values = pairs.filter_map(|pair| {
            let pair = pair.trim_ascii();
            let at = pair.iter().position(|byte| *byte == b'=')?;
            pair[..at].eq_ignore_ascii_case(name.as_bytes()).then(|| &pair[at + 1..])
        });
        values.next().unwrap_or_default()
    }

    /// The user that the request names by basic authentication, whether it was asked for or not.
    fn user(&self) -> Vec<u8> {
        let credentials = self.headers.get(header::AUTHORIZATION);
        credentials.and_then(|value| basic_user(value.as_bytes())).unwrap_or_default()
    }
}

/// A piece of a text with variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// Itself.
    Text(&'t str),
    /// The value of the variable of this name.
    Variable(&'t str),
}

/// The pieces of a text with variables, `$name` or `${name}`.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        rest = &rest[at + 1..];
        let braced = rest.strip_prefix('{');
        let body = braced.unwrap_or(rest);
        let length = body.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        parts.push(Part::Variable(&body[..length]));
        rest = &body[length..];
        if braced.is_some() {
            rest = rest.strip_prefix('}').unwrap_or(rest);
        }
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

#[cfg(test)]
mod tests;
