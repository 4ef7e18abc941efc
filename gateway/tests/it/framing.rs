//! What is refused before it is routed, and how.

use crate::support::{TestGateway, Upstream};

fn refused(request: &str) -> u16 {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send(request);
    let answer = client.answer();
    assert!(client.is_closed(), "the connection must end after {request:?}");
    assert!(upstream.seen().is_empty(), "nothing may reach the upstream of {request:?}");
    answer.status
}

#[test]
fn both_lengths_are_a_bad_request_in_any_order() {
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
    for lines in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n\r\n{smuggled}");
        assert_eq!(refused(&request), 400, "{lines}");
    }
}

#[test]
fn unknown_codings_are_not_implemented() {
    assert_eq!(
        refused("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        501
    );
}

#[test]
fn two_hosts_are_a_bad_request() {
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n"), 400);
}

#[test]
fn a_refusal_waits_for_the_answers_before_it() {
    let upstream = Upstream::echo("first");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\nBad Name: x\r\n\r\n");
    assert_eq!(client.answer().text(), "first");
    assert_eq!(client.answer().status, 400);
    assert!(client.is_closed());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::scripted(|_, seen| {
        crate::support::upstream::Reply::Bytes(crate::support::upstream::ok(seen.line()))
    });
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    let request = |target| format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.send(["/1", "/2", "/3"].map(request).concat());
    for number in 1..=3 {
        assert_eq!(client.answer().text(), format!("GET /{number} HTTP/1.1"));
    }
}

#[test]
fn a_head_may_arrive_in_pieces() {
    let upstream = Upstream::echo("whole");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    for byte in b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.answer().text(), "whole");
}

#[test]
fn a_large_body_with_an_announced_length_is_refused_before_it_is_sent() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    assert!(client.is_closed());
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn names_with_underscores_are_dropped() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX_Forwarded_For: 1.2.3.4\r\nX-Fine: 1\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let seen = &upstream.seen()[0];
    assert_eq!(seen.header("x_forwarded_for"), None);
    assert_eq!(seen.header("x-fine"), Some("1"));
}

#[test]
fn a_malformed_chunk_is_a_bad_request() {
    for chunk in ["fffffffffffffffff\r\nhello", "x\r\n", "5\nhello"] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}\r\n0\r\n\r\n"
        );
        assert_eq!(refused(&request), 400, "{chunk:?}");
    }
}

#[test]
fn lines_whose_name_is_none_are_dropped() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nX@Bad: 1\r\nX-Good: 2\r\n\r\n";
    client.send([request, request].concat());
    for _ in 0..2 {
        assert_eq!(client.answer().status, 200);
    }
    for seen in upstream.seen() {
        assert_eq!((seen.header("x@bad"), seen.header("x-good")), (None, Some("2")));
    }
}

#[test]
fn http_1_0_clients_are_told_how_the_connection_goes_on() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    for (line, said) in [("", "close"), ("Connection: keep-alive\r\n", "keep-alive")] {
        let mut client = gateway.client();
        client.send(format!("GET / HTTP/1.0\r\nHost: a.test\r\n{line}\r\n"));
        assert_eq!(client.answer().header("connection"), Some(said), "{line:?}");
    }
}

#[test]
fn trailers_cannot_hide_a_request() {
    for trailer in ["x: y\n\r\n", "x: y\r\r\n\r\n"] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailer}\
             GET /b HTTP/1.1\r\nHost: a.test\r\n\r\n"
        );
        assert_eq!(refused(&request), 400, "{trailer:?}");
    }
}

#[test]
fn more_header_lines_than_are_kept_are_a_bad_request() {
    let lines: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    assert_eq!(refused(&format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n")), 400);
}

#[test]
fn a_target_that_is_neither_a_path_nor_absolute_is_a_bad_request() {
    for target in ["a.test", "foo", "a.test:80", "*", "?x", "%2F"] {
        let host = "Host: a.test";
        assert_eq!(refused(&format!("GET {target} HTTP/1.1\r\n{host}\r\n\r\n")), 400, "{target}");
    }
    assert_eq!(refused("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"), 400);
}
