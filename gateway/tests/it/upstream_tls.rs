//! HTTP/1 over TLS to upstreams: whose certificates are taken, what they are shown and told, and that connections of one
//! kind are never used as another.

use std::{sync::Arc, time::Duration};

use headgate_config::{
    Location, PathMatch, ProxySettings, ServerVerification, Snapshot, TlsSuite, TlsVersions,
    Transport, UpstreamTls, client_certificates::Authorities,
};
use rcgen::{SanType, date_time_ymd};
use rustls::{Connection, ServerConfig};

use crate::support::{
    Client, Identity, Table, TestGateway, Upstream,
    snapshot::{location, root},
    upstream::{ok, read_request},
    visitor::{Authority, Door, Visitor, named},
};

/// A server's certificate for these names.
fn server(authority: &Authority, names: &[&str]) -> Visitor {
    let mut params = named("server");
    let alternatives =
        names.iter().map(|name| SanType::DnsName((*name).try_into().expect("a name")));
    params.subject_alt_names = alternatives.collect();
    authority.issues(params)
}

/// An upstream that answers with the name and the version of the handshake, and whether a certificate was shown.
fn telling(config: Arc<ServerConfig>) -> Upstream {
    Upstream::encrypted(config, |mut client| {
        while read_request(&mut client).is_some() {
            let Some(Connection::Server(tls)) = client.tls() else { panic!("it is encrypted") };
            let said = format!(
                "{:?} {:?} {}",
                tls.server_name(),
                tls.protocol_version().expect("it is known"),
                tls.peer_certificates().map_or(0, <[_]>::len)
            );
            client.send(ok(&said));
        }
    })
}

fn https(upstream: &str, tls: &UpstreamTls) -> Location {
    root(upstream, |location| {
        location.transport = Some(Transport::Https(Arc::new(tls.clone())));
    })
}

fn table(upstream: &Upstream, tls: &UpstreamTls) -> Snapshot {
    let table = Table::default().upstream("app", &[upstream.address]);
    table.location("a.test", https("app", tls)).build()
}

fn gateway(upstream: &Upstream, tls: &UpstreamTls) -> TestGateway {
    TestGateway::start(table(upstream, tls))
}

fn verified(authorities: &[&Authority], depth: u32, name: &str) -> UpstreamTls {
    let certificates = authorities.iter().map(|one| one.der.clone()).collect();
    let authorities = Arc::new(Authorities { certificates, revocation_lists: Vec::new() });
    UpstreamTls {
        verify: Some(ServerVerification { authorities, depth }),
        name: Some(name.into()),
        ..UpstreamTls::default()
    }
}

#[test]
fn by_default_any_certificate_is_taken_no_name_is_sent_and_connections_are_kept() {
    let upstream = telling(Visitor::stranger("nobody").server(None));
    let gateway = gateway(&upstream, &UpstreamTls::default());
    for _ in 0..3 {
        assert_eq!(gateway.get("/").text(), "None TLSv1_3 0");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn versions_suites_and_the_name_are_those_of_the_location() {
    let upstream = telling(Visitor::stranger("nobody").server(None));
    let tls = UpstreamTls {
        versions: TlsVersions::Tls12,
        suites: Some(vec![TlsSuite::EcdheEcdsaAes128GcmSha256]),
        name: Some("$host:443".into()),
        send_name: true,
        ..UpstreamTls::default()
    };
    assert_eq!(gateway(&upstream, &tls).get("/").text(), "Some(\"a.test\") TLSv1_2 0");
    // The key is of another kind than the only suite that is offered.
    let tls = UpstreamTls { suites: Some(vec![TlsSuite::EcdheRsaAes128GcmSha256]), ..tls };
    assert_eq!(gateway(&upstream, &tls).get("/").status, 502);
}

#[test]
fn connections_that_are_encrypted_in_other_ways_are_others() {
    let upstream = telling(Visitor::stranger("nobody").server(None));
    let mut table = Table::default().upstream("app", &[upstream.address]);
    for name in ["x.test", "y.test"] {
        let tls =
            UpstreamTls { name: Some(name.into()), send_name: true, ..UpstreamTls::default() };
        let path = format!("/{}/", &name[..1]);
        let mut other = location(PathMatch::Prefix(path), "app");
        other.transport = Some(Transport::Https(Arc::new(tls)));
        table = table.location("a.test", other);
    }
    let gateway = TestGateway::start(table.build());
    for _ in 0..2 {
        assert_eq!(gateway.get("/x/").text(), "Some(\"x.test\") TLSv1_3 0");
        assert_eq!(gateway.get("/y/").text(), "Some(\"y.test\") TLSv1_3 0");
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_certificate_has_to_come_from_an_authority_and_be_for_the_name() {
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    let mut old = named("old");
    old.subject_alt_names = vec![SanType::DnsName("up.test".try_into().expect("a name"))];
    (old.not_before, old.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    for (what, certificate, name, status) in [
        ("good", server(&ca, &["up.test"]), "up.test", 200),
        ("wildcard", server(&ca, &["*.up.test"]), "a.UP.test", 200),
        ("wildcard too deep", server(&ca, &["*.up.test"]), "a.b.up.test", 502),
        ("other authority", server(&other, &["up.test"]), "up.test", 502),
        ("other name", server(&ca, &["other.test"]), "up.test", 502),
        ("common name", ca.issues(named("up.test")), "up.test", 200),
        ("common name beside others", server(&ca, &["up.test"]), "server", 502),
        ("expired", ca.issues(old), "up.test", 502),
        ("its own issuer", Visitor::stranger("up.test"), "up.test", 502),
        ("a name that cannot be", server(&ca, &["up.test"]), "$http_nothing", 502),
    ] {
        let upstream = telling(certificate.server(None));
        let gateway = gateway(&upstream, &verified(&[&ca], 1, name));
        assert_eq!(gateway.get("/").status, status, "{what}");
    }
}

#[test]
fn a_certificate_that_is_trusted_itself_needs_no_authority() {
    let trusted = Visitor::stranger("up.test");
    let certificates = trusted.certificate().chain.clone();
    let authorities = Arc::new(Authorities { certificates, revocation_lists: Vec::new() });
    let upstream = telling(trusted.server(None));
    for (name, status) in [("up.test", 200), ("other.test", 502)] {
        let tls = UpstreamTls {
            verify: Some(ServerVerification { authorities: Arc::clone(&authorities), depth: 1 }),
            name: Some(name.into()),
            ..UpstreamTls::default()
        };
        assert_eq!(gateway(&upstream, &tls).get("/").status, status, "{name}");
    }
}

#[test]
fn only_so_many_authorities_may_stand_between() {
    let ca = Authority::new("ca");
    let middle = ca.below("middle");
    let low = middle.below("low");
    let upstream = telling(server(&low, &["up.test"]).with(&[&low, &middle]).server(None));
    for (depth, status) in [(1, 502), (2, 200)] {
        let gateway = gateway(&upstream, &verified(&[&ca], depth, "up.test"));
        assert_eq!(gateway.get("/").status, status, "{depth}");
    }
}

#[test]
fn an_upstream_that_asks_for_a_certificate_is_shown_one() {
    let ca = Authority::new("ca");
    let upstream = telling(Visitor::stranger("up").server(Some(&ca)));
    assert_eq!(gateway(&upstream, &UpstreamTls::default()).get("/").status, 502);
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let certificate = Some(ca.client("gateway").certificate());
        let tls = UpstreamTls { certificate, versions, ..UpstreamTls::default() };
        let answer = gateway(&upstream, &tls).get("/");
        assert!(answer.text().ends_with(" 1"), "{}", answer.text());
    }
}

#[test]
fn a_new_certificate_is_used_at_once_and_connections_of_the_old_one_are_not() {
    let ca = Authority::new("ca");
    let upstream = telling(Visitor::stranger("up").server(Some(&ca)));
    let with = |shown: &Visitor| UpstreamTls {
        certificate: Some(shown.certificate()),
        ..UpstreamTls::default()
    };
    let gateway = gateway(&upstream, &with(&ca.client("one")));
    assert_eq!(gateway.get("/").status, 200);
    gateway.live.publish(table(&upstream, &with(&Authority::new("other").client("two"))));
    assert_eq!(gateway.get("/").status, 502);
    gateway.live.publish(table(&upstream, &with(&ca.client("three"))));
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn uploads_that_are_passed_on_and_large_answers_arrive_whole() {
    const LENGTH: usize = 3 * 1024 * 1024 + 7;
    let upstream = Upstream::encrypted(Visitor::stranger("up").server(None), |mut client| {
        while let Some(seen) = read_request(&mut client) {
            client.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len()));
            client.send(&seen.body);
        }
    });
    let table = Table::default().upstream("app", &[upstream.address]);
    let mut location = https("app", &UpstreamTls::default());
    location.body_limit = None;
    location.proxy =
        Arc::new(ProxySettings { request_buffering: false, ..ProxySettings::default() });
    let gateway = TestGateway::start(table.location("a.test", location).build());
    let mut client = gateway.client();
    let body: Vec<u8> = (0..LENGTH).map(|at| (at / 251) as u8).collect();
    for _ in 0..2 {
        client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {LENGTH}\r\n\r\n"));
        client.send(&body);
        assert!(client.answer().body == body);
    }
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "hello");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn upgraded_connections_are_encrypted_as_well() {
    let upstream = Upstream::encrypted(Visitor::stranger("up").server(None), |mut client| {
        client.head();
        client.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi\n",
        );
        while let Some(line) = client.line() {
            client.send(format!("echo {line}"));
        }
    });
    let gateway = gateway(&upstream, &UpstreamTls::default());
    let mut client = gateway.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    assert!(client.head().expect("a head").starts_with("HTTP/1.1 101"));
    assert_eq!(client.line().as_deref(), Some("hi\n"));
    client.send("there\n");
    assert_eq!(client.line().as_deref(), Some("echo there\n"));
}

#[test]
fn upstreams_are_spoken_to_as_the_client_speaks_where_that_is_wanted() {
    let config = Visitor::stranger("up").server(None);
    let upstream = Upstream::raw(move |client: Client| {
        let mut first = [0];
        client.stream.peek(&mut first).expect("something comes");
        let is_tls = first[0] == 0x16;
        let mut client = match is_tls {
            true => {
                let tls = rustls::ServerConnection::new(Arc::clone(&config)).expect("a server");
                client.encrypting(tls)
            }
            false => client,
        };
        while read_request(&mut client).is_some() {
            client.send(ok(if is_tls { "tls" } else { "clear" }));
        }
    });
    let table = Table::default().upstream("app", &[upstream.address]);
    let as_listener = root("app", |location| {
        location.transport = Some(Transport::AsListener(Arc::default()));
    });
    let mut table = table.location("a.test", as_listener).build();
    table.tls = Identity::new().table();
    let gateway = TestGateway::start(table);
    for _ in 0..2 {
        assert_eq!(gateway.get("/").text(), "clear");
        let mut client = Door::of(None, "http/1.1").connect(gateway.https, "a.test");
        assert_eq!(client.get("/").text(), "tls");
    }
}

#[test]
fn a_handshake_that_nobody_answers_ends_with_the_time_for_connecting() {
    let upstream = Upstream::raw(|mut client| while client.line().is_some() {});
    let table = Table::default().upstream("app", &[upstream.address]);
    let mut location = https("app", &UpstreamTls::default());
    let mut settings =
        ProxySettings { connect_timeout: Duration::from_millis(200), ..ProxySettings::default() };
    settings.retry.tries = 1;
    location.proxy = Arc::new(settings);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    assert_eq!(gateway.get("/").status, 504);
}

#[test]
fn a_handshake_that_fails_leads_to_the_next_endpoint() {
    let ca = Authority::new("ca");
    let good = telling(server(&ca, &["up.test"]).server(None));
    let bad = telling(Visitor::stranger("up.test").server(None));
    let table = Table::default().upstream("app", &[bad.address, good.address]);
    let location = https("app", &verified(&[&ca], 1, "up.test"));
    let gateway = TestGateway::start(table.location("a.test", location).build());
    for _ in 0..4 {
        assert_eq!(gateway.get("/").status, 200);
    }
}
