//! Spans of requests: what upstreams and collectors are told.

mod delivery;

use std::sync::Arc;

use headgate_config::{
    Action, ErrorPages, Location, Mirror, Protection, Sampler, Snapshot, SpanRules, SpanSettings,
    protection::ExternalAuth,
};

use crate::support::{
    Collector, Table, TestGateway, Upstream,
    client::Answer,
    collector::{sending_to, value},
    eventually, snapshot,
    upstream::{Reply, Seen},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// A location with spans.
fn traced(change: impl FnOnce(&mut Location, &mut SpanRules)) -> Location {
    let mut rules = SpanRules { operation: None, trusts_client: true };
    snapshot::root("app", |location| {
        change(location, &mut rules);
        location.spans = Some(Arc::new(rules));
    })
}

/// `a.test` goes to `app`.
fn table(app: &Upstream, location: Location, spans: SpanSettings) -> Table {
    let table = Table::default().upstream("app", &[app.address]);
    table.location("a.test", location).settings(|settings| settings.spans = spans)
}

fn plain_table(app: &Upstream, spans: SpanSettings) -> Snapshot {
    table(app, traced(|_, _| {}), spans).build()
}

/// A request that is part of a trace.
fn ask(gateway: &TestGateway, flags: &str) -> Answer {
    let mut client = gateway.client();
    client.send(format!(
        "GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nUser-Agent: probe\r\nTraceparent: 00-{TRACE}-{SPAN}-{flags}\r\n\
         Tracestate: v=1\r\nTracestate: w=2\r\n\r\n"
    ));
    client.answer()
}

/// Trace, span and flags that an upstream was told, once.
fn told(seen: &Seen) -> (String, String, String) {
    let lines =
        seen.head.lines().filter(|line| line.to_ascii_lowercase().starts_with("traceparent:"));
    assert_eq!(lines.count(), 1, "{}", seen.head);
    let parts: Vec<_> = seen.header("traceparent").expect("it is told").split('-').collect();
    let [version, trace, span, flags] = &*parts else { panic!("{parts:?}") };
    assert_eq!(*version, "00");
    ((*trace).into(), (*span).into(), (*flags).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_request_is_a_span_of_the_clients_trace_and_the_parent_of_the_upstreams() {
    let (app, collector) = (Upstream::echo("app"), Collector::start());
    let gateway = TestGateway::start(plain_table(&app, sending_to(collector.spec())));
    assert_eq!(ask(&gateway, "01").text(), "app");
    let seen = app.seen().remove(0);
    let (trace, span, flags) = told(&seen);
    assert_eq!((&*trace, &*flags), (TRACE, "01"));
    assert_ne!(span, SPAN);
    assert_eq!(seen.header("tracestate"), Some("v=1,w=2"));
    let own = collector.wait(1).remove(0);
    assert_eq!((hex(&own.trace_id), hex(&own.span_id)), (trace, span));
    assert_eq!((hex(&own.parent_span_id), &*own.trace_state), (SPAN.into(), "v=1,w=2"));
    assert_eq!(own.name, "/");
    assert!(own.start_time_unix_nano < own.end_time_unix_nano);
    for (name, expected) in [
        ("http.status_code", "200"),
        ("http.response.status_code", "200"),
        ("http.target", "/a?b=c"),
        ("http.host", "a.test"),
        ("http.server_name", "a.test"),
        ("user_agent.original", "probe"),
        ("net.host.port", &gateway.http.port().to_string()),
        ("client.address", "127.0.0.1"),
    ] {
        assert_eq!(value(&own.attributes, name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(collector.resource("service.name").as_deref(), Some("edge"));
}

#[test]
fn a_client_that_is_not_trusted_or_says_nothing_begins_a_trace() {
    let (app, collector) = (Upstream::echo("app"), Collector::start());
    let untrusted = traced(|_, rules| rules.trusts_client = false);
    let gateway = TestGateway::start(table(&app, untrusted, sending_to(collector.spec())).build());
    ask(&gateway, "00");
    gateway.get("/");
    let spans = collector.wait(2);
    let seen = app.seen();
    for (seen, span) in seen.iter().zip(&spans) {
        let (trace, id, flags) = told(seen);
        assert_eq!((hex(&span.trace_id), hex(&span.span_id)), (trace.clone(), id));
        assert_ne!(trace, TRACE);
        assert_eq!((&*flags, seen.header("tracestate")), ("01", None));
        assert!(span.parent_span_id.is_empty() && span.trace_state.is_empty());
    }
    assert_ne!(spans[0].trace_id, spans[1].trace_id);
}

#[test]
fn a_copy_is_told_what_the_request_is() {
    let (app, copies, collector) =
        (Upstream::echo("app"), Upstream::echo("copy"), Collector::start());
    let copied = traced(|location, rules| {
        rules.trusts_client = false;
        location.mirror = Some(Arc::new(Mirror {
            target: format!("http://{}$request_uri", copies.address),
            default_path: "/_mirror".into(),
            upstream: None,
            host: None,
            with_body: true,
        }));
    });
    let gateway = TestGateway::start(table(&app, copied, sending_to(collector.spec())).build());
    ask(&gateway, "01");
    eventually("the copy arrives", || copies.seen().len() == 1);
    let copy = copies.seen().remove(0);
    assert_eq!((told(&copy), copy.header("tracestate")), (told(&app.seen()[0]), None));
}

#[test]
fn what_is_not_recorded_is_passed_on_as_that() {
    let (app, collector) = (Upstream::echo("app"), Collector::start());
    let settings = sending_to(collector.spec());
    let gateway = TestGateway::start(plain_table(&app, settings.clone()));
    ask(&gateway, "00");
    let never = SpanSettings { sampler: Sampler::AlwaysOff, ..settings };
    gateway.live.publish(plain_table(&app, never.clone()));
    gateway.get("/");
    let unfollowed = SpanSettings { follows_parent: false, ..never.clone() };
    gateway.live.publish(plain_table(&app, unfollowed));
    ask(&gateway, "01");
    gateway.live.publish(plain_table(&app, never));
    ask(&gateway, "01");
    let flags: Vec<_> = app.seen().iter().map(|seen| told(seen).2).collect();
    assert_eq!(flags, ["00", "00", "00", "01"]);
    collector.wait(1);
    gateway.stop();
    assert_eq!(collector.spans().len(), 1, "only the last is recorded");
}

#[test]
fn a_location_without_spans_leaves_the_clients_trace_alone() {
    let (app, collector) = (Upstream::echo("app"), Collector::start());
    let plain = snapshot::root("app", |_| {});
    let gateway = TestGateway::start(table(&app, plain, sending_to(collector.spec())).build());
    ask(&gateway, "01");
    let (trace, span, _) = told(&app.seen()[0]);
    assert_eq!((&*trace, &*span), (TRACE, SPAN));
    gateway.stop();
    assert_eq!(collector.calls(), 0);
}

#[test]
fn a_malformed_trace_is_not_passed_on() {
    let app = Upstream::echo("app");
    let gateway = TestGateway::start(plain_table(&app, SpanSettings::default()));
    ask(&gateway, "0x");
    let (trace, _, flags) = told(&app.seen()[0]);
    assert_ne!(trace, TRACE);
    assert_eq!((&*flags, app.seen()[0].header("tracestate")), ("01", None));
}

#[test]
fn names_of_spans_and_the_log_know_the_request() {
    let (app, collector) = (Upstream::echo("app"), Collector::start());
    let named = traced(|_, rules| {
        rules.operation = Some("HTTP $request_method $service_name $uri".into());
    });
    let format =
        "$opentelemetry_trace_id $opentelemetry_span_id $opentelemetry_context_traceparent";
    let table = table(&app, named, sending_to(collector.spec())).log_format(format);
    let gateway = TestGateway::start(table.build());
    ask(&gateway, "01");
    let span = collector.wait(1).remove(0);
    assert_eq!(span.name, "HTTP GET app /a");
    let id = hex(&span.span_id);
    assert_eq!(gateway.logged(0), format!("{TRACE} {id} 00-{TRACE}-{id}-01"));
}

#[test]
fn what_the_gateway_answers_itself_has_a_span_too() {
    let (app, collector) = (Upstream::echo("app"), Collector::start());
    let denied = traced(|location, rules| {
        location.action = Action::Deny;
        rules.operation = Some("denied".into());
    });
    let gateway = TestGateway::start(table(&app, denied, sending_to(collector.spec())).build());
    assert_eq!(ask(&gateway, "01").status, 503);
    let span = collector.wait(1).remove(0);
    assert_eq!(span.name, "denied");
    assert_eq!(span.status.map(|status| status.code), Some(2), "an error of the server");
    assert_eq!(value(&span.attributes, "error.type").as_deref(), Some("503"));
}

#[test]
fn who_is_asked_about_a_request_and_who_answers_in_place_of_it_are_told_the_same() {
    let service = Upstream::echo("");
    let app = Upstream::scripted(|_, _| {
        Reply::Bytes(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    let pages = Upstream::echo("page");
    let guarded = traced(|location, _| {
        let external = ExternalAuth {
            url: format!("http://{}/check", service.address),
            ..ExternalAuth::default()
        };
        location.protection = Some(Arc::new(Protection {
            external: Some(Arc::new(external)),
            ..Protection::default()
        }));
        location.error_pages = Some(Arc::new(ErrorPages {
            statuses: vec![500],
            of_upstreams: true,
            backends: vec![snapshot::id("pages")],
            for_all: false,
        }));
    });
    let table = table(&app, guarded, SpanSettings::default()).upstream("pages", &[pages.address]);
    let gateway = TestGateway::start(table.build());
    assert_eq!(ask(&gateway, "01").text(), "page");
    let told: Vec<_> = [&service, &app, &pages]
        .iter()
        .map(|upstream| {
            let seen = upstream.seen().remove(0);
            assert_eq!(seen.header("tracestate"), Some("v=1,w=2"));
            told(&seen)
        })
        .collect();
    assert_eq!(told[0].0, TRACE);
    assert!(told.iter().all(|other| *other == told[0]), "{told:?}");
}
