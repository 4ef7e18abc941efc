//! Which forwarding headers are believed, and of whom.

use headgate_config::ForwardedHeaders;

use crate::support::{Table, TestGateway, Upstream, upstream::Seen};

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
