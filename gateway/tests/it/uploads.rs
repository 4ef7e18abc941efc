//! Bodies that are passed on as they arrive, and what is answered meanwhile.

mod trailers;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use headgate_config::{PathMatch, Protection, ProxySettings};

use crate::support::{
    Client, Table, TestGateway, Upstream, eventually, snapshot, upstream::read_request,
};

/// The head of an upload that is too large to be read ahead.
const UPLOAD: &str = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1048576\r\n\r\n";

#[test]
fn an_early_answer_ends_an_upload() {
    let upstream = Upstream::raw(|mut connection| {
        connection.head();
        connection
            .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        // The answer must get through while the upload waits.
        assert!(connection.exactly(1_048_576).is_none());
    });
    let gateway = TestGateway::streaming(&upstream);
    let mut client = gateway.client();
    client.send(UPLOAD);
    client.send([b'x'; 1000]);
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (403, "no"));
}

#[test]
fn an_upload_goes_on_while_its_answer_is_passed_on() {
    let upstream = Upstream::raw(|mut connection| {
        while connection.head().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n");
            let body = connection.exactly(1_048_576).expect("the upload");
            assert!(body.iter().all(|byte| *byte == b'x'));
            connection.send("3\r\nend\r\n0\r\n\r\n");
        }
    });
    let gateway = TestGateway::streaming(&upstream);
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send(UPLOAD);
        assert!(client.head().expect("a head").starts_with("HTTP/1.1 200"));
        assert_eq!(client.exactly(10).as_deref(), Some(&b"5\r\nbegin\r\n"[..]));
        client.send(vec![b'x'; 1_048_576]);
        assert_eq!(client.exactly(13).as_deref(), Some(&b"3\r\nend\r\n0\r\n\r\n"[..]));
    }
    assert_eq!(upstream.connections(), 1, "the whole of both was exchanged");
}

#[test]
fn an_upload_without_a_length_is_sent_in_chunks() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::streaming(&upstream);
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send(
            "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
        );
        assert_eq!(client.answer().status, 200);
    }
    for seen in upstream.seen() {
        assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
        assert_eq!(seen.header("content-length"), None);
        assert_eq!(seen.body, b"hello!");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_upload_over_the_limit_is_refused_and_cut() {
    let cut = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cut);
    let upstream = Upstream::raw(move |mut connection| {
        if read_request(&mut connection).is_none() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let gateway = TestGateway::streaming(&upstream);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    // The table's limit is 1 MiB.
    for _ in 0..17 {
        if !client.try_send(format!("10000\r\n{}\r\n", "x".repeat(65_536)).as_bytes()) {
            break;
        }
    }
    assert_eq!(client.answer().status, 413);
    eventually("the upstream sees the cut", || cut.load(Ordering::Relaxed) == 1);
}

#[test]
fn a_client_that_leaves_ends_its_upload() {
    let cut = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cut);
    let upstream = Upstream::raw(move |mut connection: Client| {
        connection.head();
        if connection.exactly(1_048_576).is_none() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let gateway = TestGateway::streaming(&upstream);
    let mut client = gateway.client();
    client.send(UPLOAD);
    client.send([b'x'; 5000]);
    eventually("the request arrives", || upstream.connections() == 1);
    drop(client);
    eventually("the upstream sees the cut", || cut.load(Ordering::Relaxed) == 1);
}

#[test]
fn an_upload_goes_on_while_nobody_reads_the_answer() {
    // More than all buffers on the way hold.
    const ANSWER: usize = 32 * 1024 * 1024;
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&arrived);
    let upstream = Upstream::raw(move |mut connection| {
        connection.head();
        let mut writer = Client::over(connection.stream.try_clone().expect("a second handle"));
        let answer = std::thread::spawn(move || {
            writer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {ANSWER}\r\n\r\n"));
            writer.send(vec![b'y'; ANSWER]);
        });
        if connection.exactly(1_048_576).is_some() {
            count.fetch_add(1, Ordering::Relaxed);
        }
        answer.join().expect("the answer is sent");
    });
    let gateway = TestGateway::streaming(&upstream);
    let mut client = gateway.client();
    client.send(UPLOAD);
    client.send([b'x'; 100]);
    assert!(client.head().expect("a head").starts_with("HTTP/1.1 200"));
    // The answer now waits for its reader.
    client.send(vec![b'x'; 1_048_476]);
    eventually("the upload arrives", || arrived.load(Ordering::Relaxed) == 1);
    assert!(client.exactly(ANSWER).is_some());
}

/// An upload that no buffers on the way hold.
const ENDLESS: usize = 32 * 1024 * 1024;

/// The status of an upload of `length` bytes, and how long it took.
fn status_of_upload(gateway: &TestGateway, length: usize) -> (u16, Duration) {
    let mut client = gateway.client();
    let mut writer = Client::over(client.stream.try_clone().expect("a second handle"));
    let started = Instant::now();
    let upload = std::thread::spawn(move || {
        writer.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n"));
        for _ in 0..length / 65_536 {
            if !writer.try_send(&[b'x'; 65_536]) {
                break;
            }
        }
    });
    let status = client.answer().status;
    let took = started.elapsed();
    drop(client);
    upload.join().expect("the upload ends");
    (status, took)
}

const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn an_upstream_that_takes_nothing_of_an_upload_is_given_up() {
    // Accepts, and neither reads nor closes.
    let held = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let kept = Arc::clone(&held);
    let upstream = Upstream::raw(move |connection| kept.lock().push(connection));
    let settings =
        ProxySettings { send_timeout: SHORT, read_timeout: LONG, ..ProxySettings::default() };
    let gateway = TestGateway::streaming_with(&upstream, settings, None);
    let (status, took) = status_of_upload(&gateway, ENDLESS);
    assert_eq!(status, 504);
    assert!((SHORT..LONG / 4).contains(&took), "{took:?}");
}

#[test]
fn an_upstream_that_takes_all_of_an_upload_and_never_answers_is_given_up() {
    let upstream = Upstream::raw(|mut connection| {
        read_request(&mut connection);
        assert!(connection.is_closed(), "the gateway gives up");
    });
    let settings =
        ProxySettings { send_timeout: LONG, read_timeout: SHORT, ..ProxySettings::default() };
    let gateway = TestGateway::streaming_with(&upstream, settings, None);
    let (status, took) = status_of_upload(&gateway, 2 * 1024 * 1024);
    assert_eq!(status, 504);
    assert!((SHORT..LONG / 4).contains(&took), "{took:?}");
}

/// A gateway that reads bodies ahead.
fn reading_ahead(upstream: &Upstream, settings: ProxySettings) -> TestGateway {
    let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    location.proxy = Arc::new(ProxySettings { request_buffering: true, ..settings });
    let table = Table::default().upstream("app", &[upstream.address]);
    TestGateway::start(table.location("a.test", location).build())
}

/// An upload that is read ahead, and that no buffers on the way to a narrow upstream hold.
const HELD: usize = 15 * 65_536;

#[test]
fn an_upstream_that_takes_nothing_of_what_was_read_ahead_is_given_up() {
    let held = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let kept = Arc::clone(&held);
    let upstream = Upstream::narrow(move |connection| kept.lock().push(connection));
    let settings =
        ProxySettings { send_timeout: SHORT, read_timeout: LONG, ..ProxySettings::default() };
    let (status, took) = status_of_upload(&reading_ahead(&upstream, settings), HELD);
    assert_eq!(status, 504);
    assert!((SHORT..LONG / 4).contains(&took), "{took:?}");
}

#[test]
fn time_in_which_an_upstream_takes_what_was_read_ahead_is_not_time_for_its_answer() {
    let upstream = Upstream::narrow(|mut connection| {
        // A request of which it does not even take all.
        std::thread::sleep(SHORT * 3);
        read_request(&mut connection).expect("a request");
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let settings =
        ProxySettings { send_timeout: LONG, read_timeout: SHORT, ..ProxySettings::default() };
    let (status, took) = status_of_upload(&reading_ahead(&upstream, settings), HELD);
    assert_eq!(status, 200);
    assert!(took > SHORT * 2, "{took:?}");
}

#[test]
fn pauses_of_a_client_are_not_the_upstreams() {
    let upstream = Upstream::echo("thanks");
    let settings = ProxySettings { send_timeout: SHORT, ..ProxySettings::default() };
    let gateway = TestGateway::streaming_with(&upstream, settings, None);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhello");
    assert!(client.stays_silent(SHORT * 4), "nothing is answered during the pause");
    client.send("world");
    assert_eq!(client.answer().text(), "thanks");
}
