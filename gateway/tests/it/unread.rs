//! Answers that are given before the request's body was read.

use std::{thread, time::Duration};

use headgate_config::{HttpsRedirect, PathMatch};

use crate::support::{Client, Table, TestGateway, Upstream, snapshot};

/// Bytes of an upload that is not asked for.
const LENGTH: usize = 900 * 1024;

/// A gateway that sends `a.test` to HTTPS.
fn redirecting(upstream: &Upstream) -> TestGateway {
    let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    location.https_redirect = HttpsRedirect::Always;
    location.body_limit = None;
    let table = Table::default().upstream("app", &[upstream.address]);
    TestGateway::start(table.location("a.test", location).build())
}

/// Sends `length` bytes in pieces with pauses.
fn send_slowly(client: &mut Client, length: usize) {
    for _ in 0..length / 65_536 {
        client.send([b'x'; 65_536]);
        thread::sleep(Duration::from_millis(20));
    }
    client.send(vec![b'x'; length % 65_536]);
}

#[test]
fn a_redirect_outlives_an_upload_and_so_does_the_connection() {
    let upstream = Upstream::echo("x");
    let gateway = redirecting(&upstream);
    let mut client = gateway.client();
    for _ in 0..2 {
        client
            .send(format!("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: {LENGTH}\r\n\r\n"));
        send_slowly(&mut client, LENGTH);
        let answer = client.answer();
        assert_eq!(answer.status, 308);
        assert_eq!(answer.header("location"), Some("https://a.test/a"));
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn an_unknown_host_throws_a_chunked_upload_away() {
    let upstream = Upstream::echo("x");
    let gateway = redirecting(&upstream);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: b.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.answer().status, 404);
    for _ in 0..14 {
        client.send(format!("10000\r\n{}\r\n", "x".repeat(65_536)));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.get("/").status, 308);
}

#[test]
fn a_client_that_asked_whether_to_send_is_told_that_the_connection_ends() {
    let upstream = Upstream::echo("x");
    let gateway = redirecting(&upstream);
    let mut client = gateway.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: {LENGTH}\r\n\r\n"
    ));
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (308, Some("close")));
    assert!(client.is_closed());
}

#[test]
fn an_upload_that_is_too_large_to_throw_away_ends_the_connection_behind_its_answer() {
    let upstream = Upstream::echo("x");
    let gateway = redirecting(&upstream);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20000000\r\n\r\n");
    send_slowly(&mut client, LENGTH);
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (308, Some("close")));
    assert!(client.is_closed());
}

#[test]
fn an_upstreams_early_answer_is_not_lost() {
    let upstream = Upstream::raw(|mut connection| {
        connection.head();
        connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        assert!(connection.exactly(LENGTH).is_none(), "the upload ends with the answer");
    });
    let gateway = TestGateway::streaming(&upstream);
    let mut client = gateway.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {LENGTH}\r\n\r\n"));
    client.send([b'x'; 1000]);
    assert!(!client.stays_silent(Duration::from_secs(10)), "the answer is on its way");
    // What comes behind the answer does not break it.
    send_slowly(&mut client, LENGTH - 1000);
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (403, "no"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed());
}
