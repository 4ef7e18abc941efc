//! Headers that a client calls its connection's own. No I/O.

use http::{
    HeaderMap,
    header::{self, HeaderName},
};

/// Names that the client's `Connection` nominates as hop-by-hop (RFC 9110 §7.6.1).
pub(super) struct Nominated {
    names: Vec<HeaderName>,
}

/// Names that are heeded of a client's `Connection`; real ones name one or two.
const MAX_NOMINATED: usize = 32;

impl Nominated {
    pub(super) fn new(headers: &HeaderMap) -> Self {
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

    pub(super) fn drops(&self, name: &HeaderName) -> bool {
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
