use std::collections::BTreeMap;

use headgate_config::SpanSettings;
use http::HeaderMap;
use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{Span as Message, span::SpanKind, status::StatusCode},
};
use prost::Message as _;

use super::*;
use crate::observe::spans::Parent;

/// A span that goes on with a client's trace, or begins one.
fn span(is_child: bool) -> Span {
    let mut headers = HeaderMap::new();
    let parent = format!("00-{}-{}-01", "ab".repeat(16), "cd".repeat(8));
    headers.insert("traceparent", parent.parse().expect("a value"));
    headers.insert("tracestate", "a=1".parse().expect("a value"));
    let parent = is_child.then(|| Parent::of(&headers)).flatten();
    Span::new(parent, &SpanSettings::default(), [1, 2, 3])
}

fn record<'a>(span: &'a Span) -> Record<'a> {
    Record {
        span,
        name: b"shop",
        end: UNIX_EPOCH + Duration::from_secs(100),
        elapsed: Duration::from_millis(2500),
        status: 200,
        method: "GET",
        version: Version::HTTP_11,
        target: b"/a/b?c=d",
        route: "/a",
        scheme: "https",
        host: b"a.test:8443",
        server_address: b"a.test",
        server_name: "*.test",
        server_port: 8443,
        client_address: "192.0.2.1",
        peer_address: "10.0.0.1",
        peer_port: 5000,
        user_agent: Some(b"agent/1"),
    }
}

fn written(record: &Record<'_>) -> Message {
    let mut out = Vec::new();
    record.write(&mut out);
    Message::decode(&*out).expect("a span")
}

/// The attributes as texts; none is there twice.
fn attributes(message: &Message) -> BTreeMap<&str, String> {
    let mut known = BTreeMap::new();
    for pair in &message.attributes {
        let value = pair.value.as_ref().and_then(|value| value.value.clone());
        let text = match value {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => format!("#{number}"),
            other => panic!("{}: {other:?}", pair.key),
        };
        assert_eq!(known.insert(&*pair.key, text), None, "{}", pair.key);
    }
    known
}

#[test]
fn a_span_of_a_clients_trace() {
    let span = span(true);
    let message = written(&record(&span));
    assert_eq!((message.trace_id, message.parent_span_id), (vec![0xab; 16], vec![0xcd; 8]));
    assert_eq!(message.span_id, 3u64.to_be_bytes());
    assert_eq!((&*message.trace_state, &*message.name), ("a=1", "shop"));
    assert_eq!(message.kind, SpanKind::Server as i32);
    let times = (message.start_time_unix_nano, message.end_time_unix_nano);
    assert_eq!(times, (97_500_000_000, 100_000_000_000));
    assert_eq!((message.status, message.flags), (None, 0x301));
}

#[test]
fn a_span_that_begins_a_trace() {
    let span = span(false);
    let message = written(&record(&span));
    assert_eq!(message.trace_id, [1u64.to_be_bytes(), 2u64.to_be_bytes()].concat());
    assert!(message.parent_span_id.is_empty() && message.trace_state.is_empty());
    assert_eq!(message.flags, 0x101);
}

#[test]
fn attributes_of_the_module_and_of_the_conventions() {
    let span = span(false);
    let message = written(&record(&span));
    let expected = BTreeMap::from([
        ("http.method", "GET"),
        ("http.flavor", "1.1"),
        ("http.target", "/a/b?c=d"),
        ("http.server_name", "*.test"),
        ("http.host", "a.test:8443"),
        ("http.scheme", "https"),
        ("http.status_code", "#200"),
        ("http.user_agent", "agent/1"),
        ("net.host.port", "#8443"),
        ("net.peer.ip", "192.0.2.1"),
        ("net.peer.port", "#5000"),
        ("http.request.method", "GET"),
        ("http.response.status_code", "#200"),
        ("http.route", "/a"),
        ("url.path", "/a/b"),
        ("url.query", "c=d"),
        ("url.scheme", "https"),
        ("server.address", "a.test"),
        ("server.port", "#8443"),
        ("client.address", "192.0.2.1"),
        ("network.peer.address", "10.0.0.1"),
        ("network.peer.port", "#5000"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "agent/1"),
    ]);
    let expected = expected.into_iter().map(|(name, value)| (name, value.to_owned()));
    assert_eq!(attributes(&message), expected.collect());
}

#[test]
fn a_failure_of_the_server_is_an_error_and_one_of_the_client_is_none() {
    let span = span(false);
    for (status, is_error) in [(404, false), (499, false), (500, true), (503, true)] {
        let message = written(&Record { status, ..record(&span) });
        let code = message.status.as_ref().map(|status| status.code);
        assert_eq!(code, is_error.then_some(StatusCode::Error as i32), "{status}");
        let kind = attributes(&message).remove("error.type");
        assert_eq!(kind, is_error.then(|| status.to_string()));
    }
}

#[test]
fn whatever_a_client_sends_becomes_text() {
    let span = span(false);
    let mut target = b"/\xff?".to_vec();
    target.extend("\u{20ac}".repeat(LONGEST).bytes());
    let odd = Record {
        method: "BREW",
        version: Version::HTTP_2,
        target: &target,
        user_agent: None,
        ..record(&span)
    };
    let message = written(&odd);
    let found = attributes(&message);
    assert_eq!(found["http.request.method"], "_OTHER");
    assert_eq!(found["http.request.method_original"], "BREW");
    assert_eq!((&*found["http.flavor"], &*found["network.protocol.version"]), ("2.0", "2"));
    assert_eq!(found["url.path"], "/\u{fffd}");
    let query = &found["url.query"];
    assert!(query.len() <= LONGEST && query.chars().all(|c| c == '\u{20ac}'), "{query}");
    assert!(!found.contains_key("user_agent.original"));
}
