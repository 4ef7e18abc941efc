//! What reaches the upstream, and what comes back.

use std::{sync::Arc, thread, time::Duration};

use headgate_config::ProxySettings;

use crate::support::{
    Table, TestGateway, Upstream, snapshot,
    upstream::{Reply, ok},
};

#[test]
fn the_target_is_sent_as_it_came() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    gateway.get("//a/./b/../%41%2f?q=%zz&");
    assert_eq!(upstream.seen()[0].line(), "GET //a/./b/../%41%2f?q=%zz& HTTP/1.1");
}

#[test]
fn standard_headers_are_set_and_forged_ones_are_not_believed() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: A.Test:81\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\
         X-Real-IP: 1.2.3.4\r\nConnection: x-hop, x-real-ip\r\nX-Hop: 1\r\nProxy: evil\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    let seen = &upstream.seen()[0];
    let port = gateway.http.port().to_string();
    for (name, value) in [
        ("host", Some("A.Test:81")),
        ("x-real-ip", Some("127.0.0.1")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-host", Some("A.Test:81")),
        ("x-forwarded-port", Some(port.as_str())),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-scheme", Some("http")),
        ("x-scheme", Some("http")),
        ("x-original-forwarded-for", Some("1.2.3.4")),
        ("connection", None),
        ("proxy", None),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    assert_eq!(seen.header("x-request-id").map(str::len), Some(32));
}

#[test]
fn names_of_headers_are_spelled_as_the_client_and_the_reference_spell_them() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    // The second one is shown to the library in another form.
    for target in ["/", "/\"<>"] {
        client.send(format!(
            "POST {target} HTTP/1.1\r\nhost: a.test\r\nx-lOwEr: a\r\nX@: 1\r\nDNT: 1\r\nX-Two: 1\r\naccept: */*\r\n\
             x-two: 2\r\ncontent-LENGTH: 1\r\nX-API-Key: k\r\n\r\nx"
        ));
        assert_eq!(client.answer().status, 200);
    }
    for seen in upstream.seen() {
        let names = seen.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0));
        assert_eq!(
            names.collect::<Vec<_>>(),
            [
                "Host",
                "x-lOwEr",
                "DNT",
                "X-Two",
                "X-Two",
                "accept",
                "X-API-Key",
                "X-Request-ID",
                "X-Forwarded-For",
                "X-Real-IP",
                "X-Forwarded-Host",
                "X-Forwarded-Port",
                "X-Forwarded-Proto",
                "X-Forwarded-Scheme",
                "X-Scheme",
                "Content-Length",
            ],
            "{}",
            seen.line()
        );
    }
}

#[test]
fn a_chunked_body_is_sent_with_its_length() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let seen = &upstream.seen()[0];
    assert_eq!(
        (seen.header("content-length"), seen.header("transfer-encoding")),
        (Some("5"), None)
    );
    assert_eq!(seen.body, b"hello");
}

#[test]
fn large_bodies_pass_in_both_directions() {
    let upstream = Upstream::scripted(|_, seen| {
        let mut reply =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len()).into_bytes();
        reply.extend_from_slice(&seen.body);
        Reply::Bytes(reply)
    });
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    let body: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    let mut sender = client.stream.try_clone().expect("a second handle");
    let sent = body.clone();
    let writer = thread::spawn(move || {
        use std::io::Write;
        let head =
            format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", sent.len());
        sender.write_all(head.as_bytes()).and_then(|()| sender.write_all(&sent)).expect("sent");
    });
    let answer = client.answer();
    writer.join().expect("written");
    assert_eq!(answer.status, 200);
    assert!(answer.body == body, "the body must come back unchanged");
}

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::echo("x");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    for _ in 0..10 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn endpoints_take_turns() {
    let (one, two) = (Upstream::echo("one"), Upstream::echo("two"));
    let gateway = TestGateway::before(&[&one, &two]);
    let mut client = gateway.client();
    for _ in 0..10 {
        client.get("/");
    }
    assert_eq!((one.seen().len(), two.seen().len()), (5, 5));
}

#[test]
fn what_belongs_to_the_upstreams_connection_stays_there() {
    let upstream = Upstream::scripted(|_, _| {
        Reply::Bytes(
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=9\r\nServer: secret\r\n\
              X-App: 1\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
        )
    });
    let gateway = TestGateway::before(&[&upstream]);
    let answer = gateway.get("/");
    assert_eq!(answer.header("x-app"), Some("1"));
    assert_eq!(answer.header("connection"), Some("keep-alive"), "our own");
    for name in ["server", "keep-alive"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn unknown_hosts_and_upstreams_without_endpoints() {
    let gateway = TestGateway::start(
        Table::default().upstream("app", &[]).prefix("a.test", "/", "app").build(),
    );
    let mut client = gateway.client();
    assert_eq!(client.get("/").status, 503);
    client.send("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
    assert_eq!(client.answer().status, 404);
    assert_eq!(client.get("/../x").status, 400);
}

#[test]
fn an_answer_that_breaks_off_is_visibly_cut() {
    let upstream = Upstream::scripted(|_, _| {
        Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec())
    });
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let head = client.head().expect("a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(client.exactly(10).is_none(), "the missing bytes must not be made up");
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let upstream = Upstream::raw(|mut connection| {
        connection.head();
        // Closed by the gateway as soon as the client is gone.
        assert!(connection.is_closed());
        LEFT.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    static LEFT: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    crate::support::eventually("the request arrives", || upstream.connections() == 1);
    drop(client);
    crate::support::eventually("the upstream is let go", || {
        LEFT.load(std::sync::atomic::Ordering::Relaxed)
    });
}

#[test]
fn trickling_answers_are_passed_on_at_once() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = parking_lot::Mutex::new(wait);
    let upstream = Upstream::raw(move |mut connection| {
        connection.head();
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
        let _ = wait.lock().recv_timeout(Duration::from_secs(20));
        connection.send("1\r\nb\r\n0\r\n\r\n");
    });
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.head();
    assert_eq!(client.line().as_deref(), Some("1\r\n"));
    assert_eq!(client.line().as_deref(), Some("a\r\n"));
    release.send(()).expect("the upstream waits");
    assert_eq!(client.line().as_deref(), Some("1\r\n"));
}

#[test]
fn head_and_bodiless_answers_end_at_their_head() {
    let upstream = Upstream::scripted(|_, seen| {
        Reply::Bytes(match seen.line() {
            line if line.starts_with("HEAD") => {
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()
            }
            "GET /204 HTTP/1.1" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            _ => ok("after"),
        })
    });
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\nGET /204 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let head = client.head().expect("a head");
    assert!(head.to_lowercase().contains("content-length: 5"), "{head}");
    assert!(client.head().expect("a head").starts_with("HTTP/1.1 204"));
    assert_eq!(client.get("/").text(), "after");
}

#[test]
fn announced_trailers_of_an_answer_reach_clients_that_take_them() {
    let upstream = Upstream::scripted(|_, _| {
        Reply::Bytes(
            b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
              2\r\nab\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n"
                .to_vec(),
        )
    });
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n\r\n");
        client.head();
        let mut lines = Vec::new();
        while let Some(line) = client.line() {
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim().to_lowercase());
        }
        assert_eq!(lines, ["2", "ab", "0", "x-sum: 7"]);
    }
    assert_eq!(upstream.connections(), 1, "the connection can be used again");
}

#[test]
fn the_old_version_of_http_is_spoken_where_that_is_wanted() {
    let upstream = Upstream::scripted(|_, _| {
        Reply::Last(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold".to_vec())
    });
    let location = snapshot::root("app", |location| {
        location.proxy = Arc::new(ProxySettings { http10: true, ..ProxySettings::default() });
    });
    let table = Table::default().upstream("app", &[upstream.address]);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    let mut client = gateway.client();
    client.send(
        "POST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "old");
    let seen = upstream.seen().remove(0);
    assert_eq!((seen.line(), seen.header("content-length")), ("POST /x HTTP/1.0", Some("3")));
    assert_eq!((seen.header("transfer-encoding"), &seen.body[..]), (None, &b"abc"[..]));
}
