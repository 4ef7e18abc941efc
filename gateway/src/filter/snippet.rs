//! What snippets ask for, executed: steps on the way to a location, and what changes in headers and answers
//! (annotations §3.23). No I/O, and no text of a snippet: only the typed actions that the control plane made of it.

pub mod answer;
pub mod body_type;
pub mod program;
pub mod search;
pub mod substitute;
pub mod upstream;

use std::{borrow::Cow, sync::Arc};

use headgate_config::snippet::{Piece, Text};
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

use super::variables::Variables;

/// Largest value that a text may have. Steps that give a variable its own value twice would double it without an end.
const LARGEST_VALUE: usize = 64 * 1024;

/// What the steps of snippets leave behind in one request.
#[derive(Debug, Default)]
pub struct State {
    /// Values that steps gave to variables.
    variables: SmallVec<[(Arc<str>, Vec<u8>); 4]>,
    /// What the groups took of the pattern that was found last; the first is the whole.
    captures: Vec<Vec<u8>>,
    /// The path in place of the request's, decoded.
    path: Option<Vec<u8>>,
    /// The query in place of the request's.
    query: Option<Vec<u8>>,
    /// The policy that the last condition chose.
    pub policy: usize,
    /// No further step of this location counts, nor what the annotations rewrite.
    pub is_stopped: bool,
    /// The connection is to be closed without an answer.
    pub is_dropped: bool,
}

impl State {
    /// The path, if it is not the request's.
    pub fn path(&self) -> Option<&[u8]> {
        self.path.as_deref()
    }

    /// The query, if it is not the request's.
    pub fn query(&self) -> Option<&[u8]> {
        self.query.as_deref()
    }

    /// Whether path or query are others than the client sent.
    pub fn changes_target(&self) -> bool {
        self.path.is_some() || self.query.is_some()
    }

    /// Gives a variable a value.
    fn set(&mut self, name: &Arc<str>, value: Vec<u8>) {
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.variables.push((Arc::clone(name), value)),
        }
    }

    /// Keeps what the groups of a pattern took, and names them.
    pub fn keep(&mut self, text: &[u8], found: &search::Found, names: &[(Arc<str>, u32)]) {
        let group = |span: &Option<(usize, usize)>| {
            let part = span.and_then(|(start, end)| text.get(start..end));
            part.unwrap_or_default().to_vec()
        };
        self.captures.clear();
        self.captures.extend(found.iter().map(group));
        for (name, number) in names {
            let value = self.captures.get(*number as usize).cloned().unwrap_or_default();
            self.set(name, value);
        }
    }
}

/// What is known of a request, and of its answer once there is one.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The request as it came.
    pub request: &'a Variables<'a>,
    /// The host as it is configured.
    pub server_name: &'a str,
    /// Whose addresses the request has come by, as the upstream is told.
    pub chain: &'a [u8],
    /// Version of HTTP that the client speaks.
    pub protocol: &'static str,
    /// The answer's status and headers.
    pub answer: Option<(u16, &'a HeaderMap)>,
}

/// What texts may name: what is known, and what steps have changed in it.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What is known.
    pub facts: Facts<'a>,
    /// What steps have made of it.
    pub state: &'a State,
}

impl<'a> Scope<'a> {
    /// A text with its variables replaced; none if that is too large.
    pub fn expand(&self, text: &Text) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for piece in &text.pieces {
            match piece {
                Piece::Plain(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(name) => out.extend_from_slice(&self.value(name)),
                Piece::Capture(number) => {
                    let capture = self.state.captures.get(usize::from(*number));
                    out.extend_from_slice(capture.map_or(b"", Vec::as_slice));
                }
            }
            if out.len() > LARGEST_VALUE {
                return None;
            }
        }
        Some(out)
    }

    /// The value of a header; none if no header can have it.
    pub fn header(&self, text: &Text) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(bytes::Bytes::from(self.expand(text)?)).ok()
    }

    /// The path as it is now.
    pub fn path(&self) -> &'a [u8] {
        self.state.path().unwrap_or(self.facts.request.path)
    }

    /// The query as it is now.
    pub fn query(&self) -> &'a [u8] {
        self.state.query().unwrap_or(self.facts.request.query)
    }

    /// The value of a variable; what nobody knows is empty.
    fn value(&self, name: &str) -> Cow<'a, [u8]> {
        let own = self.state.variables.iter().find(|(known, _)| **known == *name);
        if let Some((_, value)) = own {
            return Cow::Borrowed(value);
        }
        let Facts { request, .. } = self.facts;
        let field = |name: &str| {
            let value = request.headers.get(name);
            Cow::Borrowed(value.map_or(&b""[..], HeaderValue::as_bytes))
        };
        match name {
            "server_name" => return Cow::Borrowed(self.facts.server_name.as_bytes()),
            "server_protocol" => return Cow::Borrowed(self.facts.protocol.as_bytes()),
            "proxy_add_x_forwarded_for" => return Cow::Borrowed(self.facts.chain),
            "content_type" => return field("content-type"),
            "content_length" => return field("content-length"),
            "status" => {
                let status = self.facts.answer.map(|(status, _)| status.to_string());
                return Cow::Owned(status.unwrap_or_default().into_bytes());
            }
            _ => {}
        }
        let of_answer = name.strip_prefix("upstream_http_").or(name.strip_prefix("sent_http_"));
        if let Some(header) = of_answer {
            let headers = self.facts.answer.map(|(_, headers)| headers);
            let value = headers.and_then(|headers| headers.get(header.replace('_', "-")));
            return Cow::Borrowed(value.map_or(b"", HeaderValue::as_bytes));
        }
        let now = Variables { path: self.path(), query: self.query(), ..*request };
        now.text(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
