//! Texts with variables, taken apart.

use serde::{Serialize, Serializer};

/// A text with variables in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its pieces in order; two that are plain never stand side by side.
    pub pieces: Vec<Piece>,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Itself.
    Plain(String),
    /// The value of a variable; its name in lower case.
    Variable(String),
    /// What the group of this number took, 1 to 9, of the pattern that was found last.
    Capture(u8),
}

impl Text {
    /// A text without variables.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Plain(text.into())] }
    }

    /// The whole text, if there is no variable in it.
    pub fn as_plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Plain(text)] => Some(text),
            _ => None,
        }
    }
}

impl Serialize for Text {
    /// Values may be credentials: only what they are made from is shown.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.pieces.iter().map(|piece| match piece {
            Piece::Plain(_) => "text".to_owned(),
            Piece::Variable(name) => format!("${name}"),
            Piece::Capture(number) => format!("${number}"),
        }))
    }
}

/// Variables that a snippet may give another value although they are not its own.
pub const SETTABLE: &[&str] = &["args"];

/// Whether there is a variable of this name (in lower case) without anybody setting it (annotations, appendix A).
pub fn is_variable(name: &str) -> bool {
    let is_named = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
    VARIABLES.contains(&name) || PREFIXES.iter().any(|prefix| is_named(prefix))
}

const PREFIXES: &[&str] = &["http_", "arg_", "cookie_", "sent_http_", "upstream_http_"];

const VARIABLES: &[&str] = &[
    "args",
    "best_http_host",
    "content_length",
    "content_type",
    "document_uri",
    "escaped_request_uri",
    "host",
    "ingress_name",
    "is_args",
    "location_path",
    "namespace",
    "opentelemetry_context_traceparent",
    "opentelemetry_context_tracestate",
    "opentelemetry_span_id",
    "opentelemetry_trace_id",
    "pass_access_scheme",
    "proxy_add_x_forwarded_for",
    "query_string",
    "remote_addr",
    "remote_user",
    "req_id",
    "request_id",
    "request_method",
    "request_uri",
    "scheme",
    "server_name",
    "server_port",
    "server_protocol",
    "service_name",
    "service_port",
    "status",
    "the_real_ip",
    "uri",
];
