//! HTTP/2 frame by frame: peers that stop, and what that means for the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use headgate_config::{PathMatch, ProxySettings, Settings};

use crate::support::{
    Client, Http2, Table, TestGateway, Upstream, eventually,
    http2::{DATA, END_STREAM, GOAWAY, PING, RST_STREAM, WINDOW_UPDATE},
    snapshot::location,
    upstream::{ok, read_request},
};

/// What a client may be sent without opening a window.
const WINDOW: u32 = 65_535;
const SECOND: Duration = Duration::from_secs(1);

/// A gateway whose clients may pause for a second in a body and for `keep_alive` between requests.
fn impatient(upstream: &Upstream, request_buffering: bool, keep_alive: Duration) -> TestGateway {
    let mut location = location(PathMatch::Prefix("/".into()), "app");
    location.proxy = Arc::new(ProxySettings { request_buffering, ..ProxySettings::default() });
    let table = Table::default().upstream("app", &[upstream.address]);
    let mut table = table.location("a.test", location).build();
    table.settings =
        Arc::new(Settings { keep_alive, client_body_timeout: SECOND, ..Settings::default() });
    TestGateway::start(table)
}

#[test]
fn a_stalled_upload_ends_and_the_other_streams_go_on() {
    for request_buffering in [true, false] {
        let (posts, cut) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (Arc::clone(&posts), Arc::clone(&cut));
        let upstream = Upstream::raw(move |mut connection: Client| {
            while let Some(head) = connection.head() {
                if head.starts_with("POST") {
                    counters.0.fetch_add(1, Ordering::Relaxed);
                    while connection.line().is_some() {}
                    counters.1.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                connection.send(ok("ok"));
            }
        });
        let gateway = impatient(&upstream, request_buffering, 60 * SECOND);
        let mut client = Http2::connect(gateway.http, WINDOW);
        client.request(1, "POST", "/", 0);
        client.send(DATA, 0, 1, b"abc");
        client.request(3, "GET", "/", END_STREAM);
        assert!(client.stream(3)[0].is_ok());
        // No answer: nobody waits for it.
        assert_eq!(client.stream(1)[0].kind, RST_STREAM);
        client.request(5, "GET", "/", END_STREAM);
        assert!(client.stream(5)[0].is_ok());
        // An upload that is read ahead does not reach the upstream before it is whole.
        let reached = usize::from(!request_buffering);
        eventually("the upstream sees the cut", || cut.load(Ordering::Relaxed) == reached);
        assert_eq!(posts.load(Ordering::Relaxed), reached);
    }
}

#[test]
fn a_large_answer_arrives_whole() {
    const LENGTH: usize = 1024 * 1024 + 77;
    let body: Vec<u8> = (0..LENGTH).map(|at| (at / 251) as u8).collect();
    let sent = body.clone();
    let upstream = Upstream::raw(move |mut connection: Client| {
        while read_request(&mut connection).is_some() {
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"));
            connection.send(&sent);
        }
    });
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = Http2::connect(gateway.http, 1 << 30);
    client.send(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
    for stream in [1, 3] {
        client.request(stream, "GET", "/", END_STREAM);
        let frames = client.stream(stream);
        assert!(frames[0].is_ok());
        let pieces = frames[1..].iter().map(|frame| (frame.kind, &frame.payload[..]));
        assert!(pieces.clone().all(|(kind, _)| kind == DATA));
        let read: Vec<&[u8]> = pieces.map(|(_, payload)| payload).collect();
        assert!(read.concat() == body, "something else arrived");
    }
}

#[test]
fn a_peer_that_vanishes_while_it_waits_is_noticed() {
    let cut = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cut);
    let silent = Upstream::raw(move |mut connection: Client| {
        read_request(&mut connection);
        if connection.is_closed() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let gateway = impatient(&silent, true, SECOND);
    let mut client = Http2::connect(gateway.http, WINDOW);
    client.request(1, "GET", "/", END_STREAM);
    client.until(|frame| frame.kind == PING).expect("a question");
    client.fall_silent();
    assert_eq!(cut.load(Ordering::Relaxed), 0, "it has answered so far");
    client.until(|frame| frame.kind == GOAWAY).expect("a word before the end");
    while client.frame().is_some() {}
    eventually("the upstream is let go", || cut.load(Ordering::Relaxed) == 1);
}

#[test]
fn signs_of_life_do_not_keep_an_idle_connection() {
    let gateway = impatient(&Upstream::echo("ok"), true, SECOND);
    let mut client = Http2::connect(gateway.http, WINDOW);
    client.request(1, "GET", "/", END_STREAM);
    assert!(client.stream(1)[0].is_ok());
    // Each is answered: the gateway writes all the time.
    let mut asked = 0;
    while client.try_send(PING, 0, 0, &[0; 8]) && client.frame().is_some() {
        asked += 1;
        assert!(asked < 10_000, "it is kept");
        std::thread::sleep(Duration::from_millis(5));
    }
}
