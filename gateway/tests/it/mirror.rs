//! Copies of requests.

use std::sync::Arc;

use headgate_config::{Host, Location, Mirror, PathMatch, Protection, Snapshot};

use crate::support::{Table, TestGateway, Upstream, eventually, snapshot};

/// A table whose `a.test` goes to `app`, with copies as it is said.
fn table(app: &Upstream, target: String, change: impl FnOnce(&mut Mirror)) -> Snapshot {
    let mut mirror = Mirror {
        target,
        default_path: "/_mirror".into(),
        upstream: None,
        host: None,
        with_body: true,
    };
    change(&mut mirror);
    let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    location.mirror = Some(Arc::new(mirror));
    location.body_limit = None;
    let table = Table::default().upstream("app", &[app.address]);
    table.location("a.test", location).build()
}

fn gateway(app: &Upstream, copies: &Upstream, change: impl FnOnce(&mut Mirror)) -> TestGateway {
    TestGateway::start(table(app, format!("http://{}$request_uri", copies.address), change))
}

/// How often something came of a copy, by the metrics.
fn counted(gateway: &TestGateway, result: &str) -> u64 {
    let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
    let text = String::from_utf8(text).expect("a text");
    let label = format!("result=\"{result}\"");
    let is_meant =
        |line: &&str| line.starts_with("headgate_mirror_requests_total") && line.contains(&label);
    let value = text.lines().find(is_meant).and_then(|line| line.rsplit(' ').next());
    value.expect("a sample").parse().expect("a number")
}

fn post(gateway: &TestGateway, body: &str) -> String {
    let mut client = gateway.client();
    let length = body.len();
    client.send(format!(
        "POST /x?y HTTP/1.1\r\nHost: a.test\r\nX-Own: 1\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    client.answer().text().to_owned()
}

#[test]
fn a_copy_has_what_the_client_sent_and_nothing_of_the_gateways() {
    let (app, copies) = (Upstream::echo("app"), Upstream::echo("copy"));
    let gateway = gateway(&app, &copies, |_| {});
    assert_eq!(post(&gateway, "body"), "app");
    eventually("the copy arrives", || copies.seen().len() == 1);
    let copy = copies.seen().remove(0);
    assert_eq!((copy.line(), &*copy.body), ("POST /x?y HTTP/1.0", &b"body"[..]));
    assert_eq!(copy.header("host"), Some("127.0.0.1"));
    assert_eq!(copy.header("x-own"), Some("1"));
    assert_eq!(copy.header("connection"), Some("close"));
    for name in ["x-forwarded-for", "x-real-ip", "x-request-id", "x-forwarded-host"] {
        assert_eq!(copy.header(name), None, "{name}");
    }
    eventually("it is counted", || counted(&gateway, "answered") == 1);
    assert_eq!(app.seen().len(), 1);
}

#[test]
fn without_bodies_a_copy_says_that_it_has_none() {
    let (app, copies) = (Upstream::echo("app"), Upstream::echo("copy"));
    let gateway = gateway(&app, &copies, |mirror| mirror.with_body = false);
    assert_eq!(post(&gateway, "body"), "app");
    eventually("the copy arrives", || copies.seen().len() == 1);
    let copy = copies.seen().remove(0);
    assert_eq!((copy.header("content-length"), copy.body.len()), (Some("0"), 0));
    assert_eq!(app.seen()[0].body, b"body");
}

#[test]
fn a_body_that_is_not_held_is_not_copied() {
    let (app, copies) = (Upstream::echo("app"), Upstream::echo("copy"));
    let gateway = gateway(&app, &copies, |_| {});
    let body = "x".repeat(9 * 1024 * 1024);
    assert_eq!(post(&gateway, &body), "app");
    assert_eq!(app.seen()[0].body.len(), body.len());
    assert_eq!(counted(&gateway, "dropped"), 1);
    assert_eq!(copies.seen().len(), 0);
}

#[test]
fn what_nobody_behind_the_gateway_gets_is_not_copied_either() {
    let (app, copies) = (Upstream::echo("app"), Upstream::echo("copy"));
    let target = format!("http://{}$request_uri", copies.address);
    let mut table = table(&app, target, |_| {});
    let mut hosts = table.hosts.to_vec();
    let at = hosts.iter().position(|host| host.name == "a.test").expect("the host");
    let mut location = Location::clone(&hosts[at].locations[0]);
    let removed_headers = vec!["X-User".into()];
    location.protection = Some(Arc::new(Protection { removed_headers, ..Protection::default() }));
    hosts[at] = Arc::new(Host { locations: vec![Arc::new(location)], ..Host::clone(&hosts[at]) });
    table.hosts = hosts.into();
    let gateway = TestGateway::start(table);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-User: admin\r\nX-Own: 1\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    eventually("the copy arrives", || copies.seen().len() == 1);
    let copy = copies.seen().remove(0);
    assert_eq!((copy.header("x-user"), copy.header("x-own")), (None, Some("1")));
}

#[test]
fn copies_that_nobody_answers_do_not_pile_up() {
    let app = Upstream::echo("app");
    let silent = Upstream::raw(|mut client| while client.line().is_some() {});
    let gateway = gateway(&app, &silent, |_| {});
    let mut client = gateway.client();
    for _ in 0..300 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(counted(&gateway, "dropped"), 300 - 256);
}

#[test]
fn copies_of_copies_come_to_an_end() {
    let app = Upstream::echo("app");
    let gateway = TestGateway::start(Snapshot::default());
    let target = format!("http://{}$request_uri", gateway.http);
    gateway.live.publish(table(&app, target, |mirror| mirror.host = Some("a.test".into())));
    assert_eq!(gateway.get("/").status, 200);
    eventually("the last one is dropped", || counted(&gateway, "dropped") == 1);
    eventually("the request and three copies arrive", || app.seen().len() == 4);
}
