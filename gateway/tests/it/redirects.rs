//! Answers that lead elsewhere.

use std::sync::Arc;

use headgate_config::{
    Action, Blocked, FixedRedirect, ForwardedHeaders, Host, HostPattern, Redirect, Snapshot,
};

use crate::support::{Table, TestGateway, client::Answer, snapshot};

/// A location that sends everybody to one place, in front of nothing.
fn gateway(target: &str, status: u16, form: Redirect) -> TestGateway {
    let location = snapshot::root("app", |location| {
        location.action = Action::Respond(404);
        location.fixed_redirect = Some(Arc::new(FixedRedirect { target: target.into(), status }));
        location.redirect = form;
    });
    TestGateway::start(Table::default().location("a.test", location).build())
}

fn location_of(answer: &Answer) -> Option<String> {
    answer.header("location").map(str::to_owned)
}

#[test]
fn a_location_sends_everybody_to_one_place() {
    let usual = Redirect::default();
    for (target, status, form, expected) in [
        ("https://b.test/x", 301, usual, Some("https://b.test/x".to_owned())),
        ("https://b.test$request_uri", 308, usual, Some("https://b.test/p?q=1".to_owned())),
        ("/y", 302, usual, Some("http://a.test/y".to_owned())),
        ("/y", 307, Redirect { relative: true, ..usual }, Some("/y".to_owned())),
    ] {
        let answer = gateway(target, status, form).get("/p?q=1");
        assert_eq!((answer.status, location_of(&answer)), (status, expected), "{target}");
    }
    let with_port = gateway("/y", 301, Redirect { with_port: true, ..usual });
    let port = with_port.http.port();
    assert_eq!(location_of(&with_port.get("/")), Some(format!("http://a.test:{port}/y")));
}

#[test]
fn a_status_that_nobody_follows_has_the_target_as_its_text() {
    let answer = gateway("https://b.test/x", 300, Redirect::default()).get("/");
    assert_eq!((answer.status, location_of(&answer)), (300, None));
    assert_eq!(
        (answer.text(), answer.header("content-type")),
        ("https://b.test/x", Some("text/plain"))
    );
    let answer = gateway("https://b.test/x", 304, Redirect::default()).get("/");
    assert_eq!((answer.status, answer.text()), (304, ""));
}

/// A host `www.a.test` that leads to `a.test`.
fn www(table: Table) -> Snapshot {
    let mut snapshot = table.build();
    let mut hosts = snapshot.hosts.to_vec();
    hosts.push(Arc::new(Host {
        name: "www.a.test".into(),
        pattern: HostPattern::Exact("www.a.test".into()),
        redirect_to: Some("a.test".into()),
        locations: Vec::new(),
        ..Host::clone(&hosts[0])
    }));
    snapshot.hosts = hosts.into();
    snapshot
}

fn ask(gateway: &TestGateway, target: &str, lines: &str) -> Answer {
    let mut client = gateway.client();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: WWW.a.test\r\n{lines}\r\n"));
    client.answer()
}

#[test]
fn a_host_leads_to_the_one_with_the_other_name() {
    let gateway = TestGateway::start(www(Table::default()));
    let port = gateway.http.port();
    for (target, behind) in
        [("/", ""), ("/a//b/", "/a//b"), ("/a/?x=1", "/a/?x=1"), ("/a?x=/", "/a?x=")]
    {
        let answer = ask(&gateway, target, "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n");
        let expected = format!("http://a.test:{port}{behind}");
        assert_eq!((answer.status, location_of(&answer)), (308, Some(expected)), "{target}");
    }
}

#[test]
fn what_a_trusted_proxy_says_is_a_part_of_it_if_it_can_be() {
    let trusted = ForwardedHeaders { trusted: true, ..ForwardedHeaders::default() };
    let gateway = TestGateway::start(www(Table::default().forwarded(trusted)));
    let port = gateway.http.port();
    for (proto, forwarded_port, expected) in [
        ("https", "443", "https://a.test:443".to_owned()),
        ("https", "1@evil.test", format!("https://a.test:{port}")),
        ("javascript", "8080", "http://a.test:8080".to_owned()),
    ] {
        let lines = format!("X-Forwarded-Proto: {proto}\r\nX-Forwarded-Port: {forwarded_port}\r\n");
        let answer = ask(&gateway, "/", &lines);
        assert_eq!(location_of(&answer), Some(expected), "{proto} {forwarded_port}");
    }
}

#[test]
fn who_is_blocked_is_not_redirected_either() {
    let blocked = Blocked { user_agents: vec!["bot".into()], ..Blocked::default() };
    let gateway = TestGateway::start(www(Table::default().blocked(blocked)));
    assert_eq!(ask(&gateway, "/", "User-Agent: bot\r\n").status, 403);
    assert_eq!(ask(&gateway, "/", "User-Agent: browser\r\n").status, 308);
}
