//! Limits of rate, of requests at the same time, and of speed.

use std::{
    num::NonZeroU32,
    sync::mpsc,
    time::{Duration, Instant},
};

use headgate_config::{
    ForwardedHeaders, Location, Protection, Snapshot,
    protection::{LimitId, Rate, RequestLimits, Throttle},
};
use parking_lot::Mutex;

use crate::support::{
    Client, Http2, Table, TestGateway, Upstream, eventually, http2,
    snapshot::{self, location},
    upstream::{Reply, ok},
};

fn limits() -> RequestLimits {
    RequestLimits {
        id: LimitId { namespace: "default".into(), name: "test".into(), created: 0 },
        per_second: None,
        per_minute: None,
        shared: false,
        connections: None,
        exempt: Vec::new(),
        rate_status: 429,
        connection_status: 503,
    }
}

fn limited(limits: RequestLimits) -> impl FnOnce(&mut Location) {
    let protection = Protection { limits: Some(limits.into()), ..Protection::default() };
    |location| location.protection = Some(protection.into())
}

/// A table whose clients say who they are.
fn table(upstream: &Upstream, change: impl FnOnce(&mut Location)) -> Snapshot {
    let forwarded = ForwardedHeaders { real_ip: true, ..ForwardedHeaders::default() };
    Table::default()
        .upstream("app", &[upstream.address])
        .forwarded(forwarded)
        .location("a.test", snapshot::root("app", change))
        .build()
}

/// So slow that nothing leaks while a test runs.
fn per_minute(burst: u32) -> Option<Rate> {
    NonZeroU32::new(1).map(|requests| Rate { requests, burst })
}

fn ask(client: &mut Client, from: &str) {
    client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: {from}\r\n\r\n"));
}

/// An upstream that answers one request for each word that it is told.
fn gated() -> (Upstream, mpsc::Sender<()>) {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::scripted(move |_, _| {
        let _ = gate.lock().recv();
        Reply::Bytes(ok("done"))
    });
    (upstream, open)
}

/// The statuses of so many requests.
fn statuses(gateway: &TestGateway, from: &str, count: usize) -> Vec<u16> {
    let mut client = gateway.client();
    let status = |_| {
        ask(&mut client, from);
        client.answer().status
    };
    (0..count).map(status).collect()
}

#[test]
fn beyond_the_burst_requests_are_refused_and_the_connection_goes_on() {
    let upstream = Upstream::echo("ok");
    let limits = RequestLimits { per_minute: per_minute(2), ..limits() };
    let gateway = TestGateway::start(table(&upstream, limited(limits)));
    assert_eq!(statuses(&gateway, "192.0.2.1", 5), [200, 200, 200, 429, 429]);
    assert_eq!(statuses(&gateway, "192.0.2.2", 1), [200], "another client");
    assert_eq!(upstream.seen().len(), 4);
    let mut client = gateway.client();
    ask(&mut client, "192.0.2.1");
    let answer = client.answer();
    assert!(answer.text().contains("429 Too Many Requests"), "{}", answer.text());
    assert_eq!(answer.header("retry-after"), None);
}

#[test]
fn counters_survive_a_new_table_and_are_shared_by_the_locations_of_an_ingress() {
    let upstream = Upstream::echo("ok");
    let with = |burst| RequestLimits { per_minute: per_minute(burst), ..limits() };
    let gateway = TestGateway::start(table(&upstream, limited(with(1))));
    assert_eq!(statuses(&gateway, "192.0.2.1", 3), [200, 200, 429]);
    // Another table, with one more of burst.
    gateway.live.publish(table(&upstream, limited(with(2))));
    assert_eq!(statuses(&gateway, "192.0.2.1", 2), [200, 429]);
    let mut other = location(headgate_config::PathMatch::Prefix("/b/".into()), "app");
    limited(with(2))(&mut other);
    let both = Table::default().upstream("app", &[upstream.address]);
    let forwarded = ForwardedHeaders { real_ip: true, ..ForwardedHeaders::default() };
    gateway.live.publish(both.forwarded(forwarded).location("a.test", other).build());
    let mut client = gateway.client();
    client.send("GET /b/ HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
    assert_eq!(client.answer().status, 429);
}

#[test]
fn requests_at_the_same_time_are_counted_until_their_answers_are_sent() {
    let (upstream, open) = gated();
    let limits = RequestLimits { connections: NonZeroU32::new(2), ..limits() };
    let gateway = TestGateway::start(table(&upstream, limited(limits)));
    let mut waiting = [gateway.client(), gateway.client()];
    for client in &mut waiting {
        ask(client, "192.0.2.1");
    }
    eventually("both are on their way", || upstream.seen().len() == 2);
    assert_eq!(statuses(&gateway, "192.0.2.1", 2), [503, 503]);
    // Who goes away is not counted any more.
    let [mut stays, leaves] = waiting;
    drop(leaves);
    let mut next = gateway.client();
    for _ in 0..3 {
        open.send(()).expect("the upstream waits");
    }
    assert_eq!(stays.answer().status, 200);
    eventually("there is room again", || {
        ask(&mut next, "192.0.2.1");
        let _ = open.send(());
        next.answer().status == 200
    });
}

#[test]
fn every_stream_counts_as_a_connection() {
    let (upstream, open) = gated();
    let limits = RequestLimits { connections: NonZeroU32::new(1), ..limits() };
    let gateway = TestGateway::start(table(&upstream, limited(limits)));
    let mut client = Http2::connect(gateway.http, 65_535);
    client.request(1, "GET", "/", http2::END_STREAM);
    eventually("it is on its way", || upstream.seen().len() == 1);
    client.request(3, "GET", "/", http2::END_STREAM);
    let refused = client.stream(3);
    assert!(!refused[0].is_ok(), "{refused:?}");
    // A client that gives up makes room.
    client.send(http2::RST_STREAM, 0, 1, &8_u32.to_be_bytes());
    open.send(()).expect("the upstream waits");
    let mut number = 5;
    eventually("there is room again", || {
        client.request(number, "GET", "/", http2::END_STREAM);
        let _ = open.send(());
        number += 2;
        client.stream(number - 2)[0].is_ok()
    });
}

#[test]
fn an_upgraded_connection_is_on_its_way_until_it_is_closed() {
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let upstream = Upstream::raw(|mut client| {
        if client.head().is_some() {
            client.send(format!("HTTP/1.1 101 Switching Protocols\r\n{UPGRADE}"));
            client.head();
        }
    });
    let limits = RequestLimits { connections: NonZeroU32::new(1), ..limits() };
    let gateway = TestGateway::start(table(&upstream, limited(limits)));
    let upgraded = || {
        let mut client = gateway.client();
        client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{UPGRADE}"));
        let head = client.head().expect("an answer");
        head.starts_with("HTTP/1.1 101 ").then_some(client)
    };
    let first = upgraded();
    assert!(first.is_some());
    assert!(upgraded().is_none());
    drop(first);
    eventually("there is room again", || upgraded().is_some());
}

/// How long an answer of so many bytes takes, and its first part of `after`.
fn times(gateway: &TestGateway, length: usize, after: usize) -> (Duration, Duration) {
    let begin = Instant::now();
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let head = client.head().expect("an answer");
    assert!(
        head.contains(&format!("ontent-length: {length}")) || head.contains("chunked"),
        "{head}"
    );
    client.exactly(after).expect("a part");
    let first = begin.elapsed();
    client.exactly(length - after).expect("the rest");
    (first, begin.elapsed())
}

#[test]
fn an_answer_is_sent_no_faster_than_allowed() {
    const BODY: &str = "0123456789abcdef";
    let length = BODY.len() * 4096;
    let whole = Upstream::scripted(move |_, _| Reply::Bytes(ok(&BODY.repeat(4096))));
    // 64 KiB: a half at once, the rest within a second.
    let throttle = Throttle { rate: 32 * 1024, after: 32 * 1024 };
    let change = |location: &mut Location| location.throttle = Some(throttle);
    let gateway = TestGateway::start(table(&whole, change));
    let (first, all) = times(&gateway, length, 32 * 1024);
    assert!(first < all, "{first:?} {all:?}");
    assert!(all >= Duration::from_millis(850), "{all:?}");
    // And without a limit, nothing is held back.
    gateway.live.publish(table(&whole, |_| {}));
    assert_eq!(gateway.get("/").body.len(), length);
}

#[test]
fn each_stream_has_a_speed_of_its_own() {
    let upstream = Upstream::scripted(|_, _| Reply::Bytes(ok(&"x".repeat(6000))));
    let throttle = Throttle { rate: 10_000, after: 0 };
    let change = |location: &mut Location| location.throttle = Some(throttle);
    let gateway = TestGateway::start(table(&upstream, change));
    let mut client = Http2::connect(gateway.http, 65_535);
    let begin = Instant::now();
    for stream in [1, 3] {
        client.request(stream, "GET", "/", http2::END_STREAM);
    }
    let mut length = 0;
    let mut ends = 0;
    while ends < 2 {
        let frame = client.until(|frame| frame.kind == http2::DATA).expect("the answers go on");
        length += frame.payload.len();
        ends += usize::from(frame.is_last());
    }
    assert_eq!(length, 12_000);
    let all = begin.elapsed();
    assert!(all >= Duration::from_millis(400), "{all:?}");
    assert!(all < Duration::from_secs(5), "{all:?}");
}

#[test]
fn a_slow_answer_does_not_count_against_its_upstream() {
    // The upstream may be silent for half a second; what it has sent is sent on for longer than that.
    let upstream = Upstream::raw(|mut client| {
        while client.head().is_some() {
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 24000\r\n\r\n");
            client.send("a".repeat(12_000));
            // Only when the gateway has read all that there is does it wait for more.
            std::thread::sleep(Duration::from_millis(100));
            client.send("b".repeat(12_000));
        }
    });
    let change = |location: &mut Location| {
        location.throttle = Some(Throttle { rate: 12_000, after: 0 });
        let mut proxy = (*location.proxy).clone();
        proxy.read_timeout = Duration::from_millis(500);
        location.proxy = proxy.into();
    };
    let gateway = TestGateway::start(table(&upstream, change));
    let (_, all) = times(&gateway, 24_000, 1);
    assert!(all >= Duration::from_millis(1700), "{all:?}");
}
