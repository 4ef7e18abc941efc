//! Which forwarding headers are believed, and of whom; PROXY headers of load balancers.

use std::{io::Write, net::TcpStream};

use headgate_config::ForwardedHeaders;

use crate::support::{Table, TestGateway, Upstream, client::Client, tls::Identity, upstream::Seen};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 9.9.9.9, 1.1.1.1:80\r\n\
                       X-Forwarded-For: 10.0.0.7\r\nX-Forwarded-Host: b.test\r\nX-Forwarded-Proto: https\r\n\r\n";

/// What the upstream and the log are told by a gateway with these rules.
fn told(rules: ForwardedHeaders) -> (Seen, String) {
    let upstream = Upstream::echo("ok");
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .prefix("a.test", "/", "app")
        .log_format("$remote_addr $realip_remote_addr")
        .forwarded(rules);
    let gateway = TestGateway::start(table.build());
    let mut client = gateway.client();
    client.send(REQUEST);
    assert_eq!(client.answer().status, 200);
    (upstream.seen().swap_remove(0), gateway.logged(0))
}

fn rules(peers: &[&str]) -> ForwardedHeaders {
    let peers = peers.iter().map(|peer| peer.parse().expect("a network")).collect();
    ForwardedHeaders { trusted: true, peers, ..ForwardedHeaders::default() }
}

#[test]
fn a_trusted_peer_names_the_client_and_the_request() {
    let (seen, line) = told(rules(&["127.0.0.0/8", "10.0.0.0/8"]));
    for (name, value) in [
        ("host", "b.test"),
        ("x-forwarded-for", "1.1.1.1"),
        ("x-real-ip", "1.1.1.1"),
        ("x-forwarded-host", "b.test"),
        ("x-forwarded-proto", "https"),
        ("x-original-forwarded-for", "9.9.9.9, 1.1.1.1:80"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(line, "1.1.1.1 127.0.0.1");
}

#[test]
fn a_peer_that_is_not_trusted_names_nothing() {
    for rules in [
        rules(&["10.0.0.0/8"]),
        rules(&[]),
        ForwardedHeaders { append_for: true, ..rules(&["10.0.0.0/8"]) },
    ] {
        let (seen, line) = told(rules);
        for (name, value) in [
            ("host", "a.test"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-real-ip", "127.0.0.1"),
            ("x-forwarded-host", "a.test"),
            ("x-forwarded-proto", "http"),
        ] {
            assert_eq!(seen.header(name), Some(value), "{name}");
        }
        assert_eq!(line, "127.0.0.1 127.0.0.1");
    }
}

#[test]
fn the_address_alone_can_be_believed() {
    let (seen, line) =
        told(ForwardedHeaders { trusted: false, real_ip: true, ..rules(&["127.0.0.1/32"]) });
    for (name, value) in [
        ("host", "a.test"),
        ("x-forwarded-for", "10.0.0.7"),
        ("x-real-ip", "10.0.0.7"),
        ("x-forwarded-proto", "http"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(line, "10.0.0.7 127.0.0.1");
}

#[test]
fn the_whole_chain_is_passed_on_where_it_is_wanted() {
    let (seen, _) =
        told(ForwardedHeaders { append_for: true, ..rules(&["127.0.0.0/8", "10.0.0.0/8"]) });
    let chain = "9.9.9.9, 1.1.1.1:80, 10.0.0.7, 127.0.0.1";
    assert_eq!(seen.header("x-forwarded-for"), Some(chain));
    assert_eq!(seen.header("x-real-ip"), Some("1.1.1.1"));
}

const BALANCED: &str = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 8080\r\n";

/// A gateway behind a load balancer, and its upstream.
fn behind_balancer(rules: ForwardedHeaders) -> (TestGateway, Upstream) {
    let upstream = Upstream::echo("ok");
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .prefix("a.test", "/", "app")
        .log_format("$remote_addr $realip_remote_addr")
        .behind_balancer()
        .forwarded(rules);
    (TestGateway::start(table.build()), upstream)
}

/// What an upstream is told of a request behind this PROXY header.
fn balanced(rules: ForwardedHeaders, header: &[u8]) -> Seen {
    let (gateway, upstream) = behind_balancer(rules);
    let mut client = gateway.client();
    client.send([header, REQUEST.as_bytes()].concat());
    assert_eq!(client.answer().status, 200);
    upstream.seen().swap_remove(0)
}

fn assert_headers(seen: &Seen, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(seen.header(name), Some(*value), "{name}");
    }
}

#[test]
fn a_balancer_names_the_client_and_the_port() {
    let direct = ForwardedHeaders::default;
    let seen = balanced(direct(), BALANCED.as_bytes());
    assert_headers(
        &seen,
        &[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
            ("x-forwarded-port", "8080"),
            ("x-forwarded-proto", "http"),
        ],
    );
    let encrypted = BALANCED.replace("8080", "443");
    let seen = balanced(ForwardedHeaders { real_ip: true, ..direct() }, encrypted.as_bytes());
    assert_headers(&seen, &[("x-real-ip", "192.0.2.1"), ("x-forwarded-proto", "https")]);
    for own in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        assert_headers(&balanced(direct(), own), &[("x-real-ip", "127.0.0.1")]);
    }
}

#[test]
fn a_balancer_that_is_not_trusted_names_nobody() {
    let rules = ForwardedHeaders { trusted: false, ..rules(&["10.0.0.0/8"]) };
    assert_headers(&balanced(rules, BALANCED.as_bytes()), &[("x-real-ip", "127.0.0.1")]);
}

#[test]
fn headers_behind_a_balancer_are_those_of_whom_it_names() {
    let header = BALANCED.as_bytes();
    let seen = balanced(rules(&["127.0.0.0/8", "192.0.2.0/24", "10.0.0.0/8"]), header);
    assert_headers(&seen, &[("x-real-ip", "1.1.1.1"), ("host", "b.test")]);
    // The balancer is trusted, but not who it passes on.
    let seen = balanced(rules(&["127.0.0.0/8"]), header);
    assert_headers(&seen, &[("x-real-ip", "192.0.2.1"), ("host", "a.test")]);
    let chain = ForwardedHeaders { append_for: true, ..rules(&["0.0.0.0/0"]) };
    let seen = balanced(chain, header);
    assert_headers(&seen, &[("x-forwarded-for", "9.9.9.9, 1.1.1.1:80, 10.0.0.7, 192.0.2.1")]);
}

#[test]
fn a_connection_without_a_header_of_a_balancer_gets_no_answer() {
    let (gateway, upstream) = behind_balancer(ForwardedHeaders::default());
    for bytes in
        [REQUEST, "PROXY TCP4 nobody nowhere 1 2\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"]
    {
        let mut client = gateway.client();
        client.send(bytes);
        assert!(client.is_closed(), "{bytes}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn tls_begins_behind_the_header_of_a_balancer() {
    let (upstream, identity) = (Upstream::echo("ok"), Identity::new());
    let table = Table::default().upstream("app", &[upstream.address]).prefix("a.test", "/", "app");
    let mut snapshot = table.behind_balancer().build();
    snapshot.tls = identity.table();
    let gateway = TestGateway::start(snapshot);
    let mut stream = TcpStream::connect(gateway.https).expect("a connection");
    stream.write_all(BALANCED.as_bytes()).expect("a header");
    let mut client = identity.speak(Client::over(stream), "http/1.1");
    client.send(REQUEST);
    assert_eq!(client.answer().status, 200);
    let seen = upstream.seen().swap_remove(0);
    assert_headers(&seen, &[("x-forwarded-proto", "https"), ("x-forwarded-port", "8080")]);
}

#[test]
fn other_headers_may_name_the_client_and_the_host() {
    let rules = ForwardedHeaders {
        for_header: "x-client".into(),
        host_header: "x-their-host".into(),
        ..rules(&["127.0.0.0/8"])
    };
    let upstream = Upstream::echo("ok");
    let table = Table::default().upstream("app", &[upstream.address]).prefix("a.test", "/", "app");
    let gateway = TestGateway::start(table.forwarded(rules).build());
    let mut client = gateway.client();
    client
        .send(REQUEST.replace("\r\n\r\n", "\r\nX-Client: 7.7.7.7\r\nX-Their-Host: c.test\r\n\r\n"));
    assert_eq!(client.answer().status, 200);
    let seen = upstream.seen().swap_remove(0);
    assert_headers(
        &seen,
        &[
            ("x-real-ip", "7.7.7.7"),
            ("x-original-forwarded-for", "7.7.7.7"),
            ("x-original-forwarded-host", "c.test"),
            ("host", "b.test"),
        ],
    );
}
