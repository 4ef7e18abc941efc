//! What is left of requests that a host turns away by their certificate: a sample and a line, as of any other.

use std::sync::Arc;

use headgate_config::{
    Blocked, ClientCertificates, Host, Origin, Snapshot,
    client_certificates::{Mode, Verification},
};

use super::{H1, answer, ask, verification};
use crate::support::{
    Identity, Table, TestGateway, Upstream, eventually, snapshot,
    visitor::{Authority, Door, Visitor},
};

/// `a.test`, whose `/` belongs to the Service `app`, under these rules.
fn table(upstream: &Upstream, rules: ClientCertificates) -> Snapshot {
    let location = snapshot::root("app", |location| {
        let origin = Origin::clone(&location.origin);
        location.origin = Origin { path: "/shop".into(), ..origin }.into();
    });
    let mut table = Table::default()
        .upstream("app", &[upstream.address])
        .location("a.test", location)
        .prefix("open.test", "/", "app")
        .log_format("$status $host $namespace/$ingress_name/$service_name [$proxy_upstream_name]")
        .build();
    table.tls = Identity::new().table();
    let rules = Arc::new(rules);
    let hosts = table.hosts.iter().map(|host| {
        let client_certificates = (host.name == "a.test").then(|| Arc::clone(&rules));
        Arc::new(Host { client_certificates, ..Host::clone(host) })
    });
    table.hosts = hosts.collect();
    table
}

/// The labels of the requests that were counted.
fn counted(gateway: &TestGateway) -> Vec<String> {
    let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
    let text = String::from_utf8_lossy(&text).into_owned();
    let samples =
        text.lines().filter(|line| line.starts_with("nginx_ingress_controller_requests{"));
    let wanted = ["host", "ingress", "path", "service", "status"];
    let labels = |line: &str| {
        let value = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\"")).expect("a label");
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        wanted.map(value).join(" ")
    };
    samples.map(labels).collect()
}

#[test]
fn who_is_turned_away_is_counted_and_logged_where_the_request_would_have_led() {
    let upstream = Upstream::echo("ok");
    let ca = Authority::new("ca");
    let rules = |change: fn(&mut Verification)| {
        let mut asks = verification(&[&ca], Mode::Required);
        change(&mut asks);
        ClientCertificates::Verify(asks)
    };
    let of_subject = rules(|asks| asks.subject = Some("CN=nobody".into()));
    let good = ca.client("good");
    for (rules, visitor, name, status) in [
        (rules(|_| {}), None, "a.test", 400),
        (rules(|_| {}), Some(Visitor::stranger("x")), "a.test", 400),
        (rules(|_| {}), Some(good), "open.test", 421),
        (of_subject, Some(ca.client("good")), "a.test", 403),
        (ClientCertificates::Refuse, None, "a.test", 403),
    ] {
        let gateway = TestGateway::start(table(&upstream, rules));
        let mut client = Door::of(visitor.as_ref(), H1).connect(gateway.https, name);
        assert_eq!(ask(&mut client, "a.test").status, status);
        assert_eq!(gateway.logged(0), format!("{status} a.test default/test/app [-]"));
        let expected = format!("a.test test /shop app {status}");
        eventually("it is counted", || counted(&gateway) == [&*expected]);
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn who_is_blocked_is_recorded_alike() {
    let upstream = Upstream::echo("ok");
    let nobody_asks = verification(&[&Authority::new("ca")], Mode::Off);
    let mut table = table(&upstream, ClientCertificates::Verify(nobody_asks));
    let blocked = Blocked { user_agents: vec!["bot".into()], ..Blocked::default() };
    Arc::make_mut(&mut table.settings).blocked = blocked;
    let gateway = TestGateway::start(table);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: bot\r\n\r\n");
    assert_eq!(client.answer().status, 403);
    assert_eq!(gateway.logged(0), "403 a.test default/test/app [-]");
    eventually("it is counted", || counted(&gateway) == ["a.test test /shop app 403"]);
}

#[test]
fn its_answer_is_none_of_the_location() {
    let upstream = Upstream::echo("ok");
    let mut table = table(
        &upstream,
        ClientCertificates::Verify(verification(&[&Authority::new("ca")], Mode::Required)),
    );
    let settings = Arc::make_mut(&mut table.settings);
    settings.hsts = Some(headgate_config::Hsts {
        max_age: "60".into(),
        include_subdomains: false,
        preload: false,
    });
    let gateway = TestGateway::start(table);
    assert_eq!(answer(&gateway, None).header("strict-transport-security"), None);
    let mut open = Door::of(None, H1).connect(gateway.https, "open.test");
    let found = ask(&mut open, "open.test");
    assert_eq!(found.header("strict-transport-security"), Some("max-age=60"));
}
