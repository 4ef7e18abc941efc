//! Who may come: lists of a location, and those that hold everywhere.

use std::sync::Arc;

use headgate_config::{
    Action, Blocked, ForwardedHeaders, Network, ObjectRef, Protection, protection::AccessLists,
};

use crate::support::{Table, TestGateway, Upstream, client::Answer, snapshot};

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().expect("a network")).collect()
}

/// Believes everybody who says that a request is another's.
fn table(upstream: &Upstream) -> Table {
    let forwarded = ForwardedHeaders { real_ip: true, ..ForwardedHeaders::default() };
    Table::default().upstream("app", &[upstream.address]).forwarded(forwarded)
}

/// Asks for something, with a line of the head.
fn ask(gateway: &TestGateway, target: &str, line: &str) -> Answer {
    let mut client = gateway.client();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{line}\r\n\r\n"));
    client.answer()
}

#[test]
fn lists_go_by_the_client_and_not_by_the_proxy_before_us() {
    let upstream = Upstream::echo("ok");
    let lists = AccessLists {
        deny: networks(&["192.0.2.7"]),
        allow: networks(&["192.0.2.0/24", "2001:db8::/32"]),
        ..AccessLists::default()
    };
    let access = Protection { access: Some(Arc::new(lists)), ..Protection::default() };
    let location = snapshot::root("app", |location| location.protection = Some(access.into()));
    let gateway = TestGateway::start(table(&upstream).location("a.test", location).build());
    for (client, status) in
        [("192.0.2.1", 200), ("192.0.2.7", 403), ("192.0.3.1", 403), ("2001:db8::1", 200)]
    {
        let answer = ask(&gateway, "/", &format!("X-Forwarded-For: {client}"));
        assert_eq!(answer.status, status, "{client}");
    }
    assert_eq!(gateway.get("/").status, 403, "loopback is on no list");
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn a_page_in_place_of_an_upstream_is_protected_like_one() {
    let upstream = Upstream::echo("ok");
    let deny = AccessLists { deny: networks(&["127.0.0.0/8"]), ..AccessLists::default() };
    let access = Protection { access: Some(deny.into()), ..Protection::default() };
    let location = snapshot::root("app", |location| {
        location.action = Action::Respond(404);
        location.protection = Some(access.into());
    });
    let gateway = TestGateway::start(table(&upstream).location("a.test", location).build());
    assert_eq!(gateway.get("/").status, 403);
    assert_eq!(ask(&gateway, "/", "X-Forwarded-For: 192.0.2.1").status, 404);
}

#[test]
fn who_is_blocked_gets_nothing_anywhere() {
    let upstream = Upstream::echo("ok");
    let allow = AccessLists { allow: networks(&["0.0.0.0/0"]), ..AccessLists::default() };
    let access = Protection { access: Some(allow.into()), ..Protection::default() };
    let location = snapshot::root("app", |location| location.protection = Some(access.into()));
    let blocked = Blocked {
        networks: networks(&["192.0.2.0/24"]),
        user_agents: vec!["AlphaBot".into(), "~*^curl/".into()],
        referers: vec!["~spam\\.".into()],
        origin: None,
    };
    let table = table(&upstream).location("a.test", location).blocked(blocked);
    let gateway = TestGateway::start(table.build());
    for (line, status) in [
        ("User-Agent: alphabot", 403),
        ("User-Agent: fine\r\nUser-Agent: alphabot", 403),
        ("User-Agent: Curl/7", 403),
        ("User-Agent: alphabot/2", 200),
        ("Referer: https://spam.test/", 403),
        ("Referer: https://SPAM.test/", 200),
        ("X-Forwarded-For: 192.0.2.1", 403),
        ("X-Forwarded-For: 192.0.3.1", 200),
    ] {
        assert_eq!(ask(&gateway, "/", line).status, status, "{line}");
    }
    let mut client = gateway.client();
    client.send("GET /nowhere HTTP/1.1\r\nHost: unknown.test\r\nUser-Agent: AlphaBot\r\n\r\n");
    assert_eq!(client.answer().status, 403, "an unknown host");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.answer().status, 200, "the connection is not blocked");
    assert_eq!(upstream.seen().len(), 4);
}

#[test]
fn a_pattern_that_cannot_be_used_closes_everything_and_is_said() {
    let upstream = Upstream::echo("ok");
    let origin =
        ObjectRef { kind: "ConfigMap".into(), namespace: "sys".into(), name: "conf".into() };
    let blocked = |text: &str| Blocked {
        user_agents: vec![text.into()],
        origin: Some(origin.clone()),
        ..Blocked::default()
    };
    let table = |text| table(&upstream).prefix("a.test", "/", "app").blocked(blocked(text)).build();
    let gateway = TestGateway::start(table("~*bot("));
    assert_eq!(gateway.get("/").status, 503);
    let said = gateway.live.load().snapshot.verdicts.clone();
    assert_eq!((said.len(), &said[0].object), (1, &origin));
    assert!(said[0].message.contains("~*bot("), "{said:?}");
    gateway.live.publish(table("~*bot"));
    assert_eq!(gateway.get("/").status, 200);
    assert_eq!(gateway.live.load().snapshot.verdicts.len(), 0);
}
