//! Which request something belongs to: `X-Request-ID` and W3C Trace Context, read from a message and carried to the next.
//! What is written to logs is up to the callers.

use axum::http::{HeaderMap, HeaderName};

use crate::id;

/// Header of the request id, as the gateway sends it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Header of W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

const MAX_REQUEST_ID: usize = 128;

/// One hop of a request: the ids it came with (or new ones) and a span id of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// Id of the user's request; made of printable ASCII that needs no escaping.
    pub request_id: String,
    /// 32 hex digits.
    pub trace_id: String,
    span_id: String,
    flags: u8,
}

impl TraceContext {
    /// The hop that receives a message with these headers. Whatever is missing or malformed is made anew.
    pub fn receive(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self::from_parts(text(REQUEST_ID), text(TRACEPARENT))
    }

    /// The hop that goes on with what was stored beside an event.
    pub fn resume(request_id: &str, traceparent: &str) -> Self {
        Self::from_parts(Some(request_id), Some(traceparent))
    }

    /// The start of something that no request caused.
    pub fn start() -> Self {
        Self::from_parts(None, None)
    }

    /// The header value that makes the next hop a child of this one.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }

    fn from_parts(request_id: Option<&str>, traceparent: Option<&str>) -> Self {
        let parent = traceparent.and_then(parse_traceparent);
        let (trace_id, flags) = parent.unwrap_or_else(|| (id::long(), 1));
        let request_id =
            request_id.filter(|text| is_safe(text)).map_or_else(id::long, str::to_owned);
        Self { request_id, trace_id, span_id: id::span(), flags }
    }
}

/// Trace id and flags of a `traceparent` (W3C Trace Context §3.2). Later versions may append fields; version ff is forbidden.
fn parse_traceparent(text: &str) -> Option<(String, u8)> {
    let mut fields = text.trim().split('-');
    let version = hex_field(fields.next()?, 2)?;
    let trace_id = hex_field(fields.next()?, 32)?;
    let parent_id = hex_field(fields.next()?, 16)?;
    let flags = hex_field(fields.next()?, 2)?;
    let zero = |field: &str| field.bytes().all(|byte| byte == b'0');
    let malformed = version == "ff" || (version == "00" && fields.next().is_some());
    if malformed || zero(trace_id) || zero(parent_id) {
        return None;
    }
    Some((trace_id.to_owned(), u8::from_str_radix(flags, 16).ok()?))
}

fn hex_field(field: &str, length: usize) -> Option<&str> {
    let digits = field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (field.len() == length && digits).then_some(field)
}

fn is_safe(request_id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte);
    (1..=MAX_REQUEST_ID).contains(&request_id.len()) && request_id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    #[test]
    fn a_hop_keeps_trace_and_request_and_gets_its_own_span() {
        let context = TraceContext::resume("abc-1", PARENT);
        assert_eq!(context.request_id, "abc-1");
        let next = context.traceparent();
        assert!(
            next.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && next.ends_with("-00"),
            "{next}"
        );
        assert_ne!(next, PARENT);
    }

    #[test]
    fn malformed_trace_parents_start_a_new_trace() {
        let bad = [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ];
        for text in bad {
            assert_eq!(parse_traceparent(text), None, "{text}");
            assert_eq!(TraceContext::resume("x", text).trace_id.len(), 32);
        }
    }

    #[test]
    fn a_later_version_may_carry_more_fields() {
        assert!(
            parse_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")
                .is_some()
        );
    }

    #[test]
    fn request_ids_that_could_forge_a_log_line_are_replaced() {
        for text in ["", "a b", "a\"b", "ä", &"x".repeat(MAX_REQUEST_ID + 1)] {
            assert_eq!(TraceContext::resume(text, PARENT).request_id.len(), 32, "{text}");
        }
    }
}
