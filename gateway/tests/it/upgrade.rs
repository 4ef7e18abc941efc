//! Upgraded connections.

use crate::support::{
    Client, TestGateway, Upstream,
    upstream::{Reply, read_request},
};

const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn switching() -> Upstream {
    Upstream::raw(|mut connection: Client| {
        let request = read_request(&mut connection).expect("a request");
        assert_eq!(request.header("upgrade"), Some("websocket"));
        assert_eq!(request.header("connection").map(str::to_lowercase).as_deref(), Some("upgrade"));
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi\n");
        while let Some(line) = connection.line() {
            connection.send(format!("echo {line}"));
        }
    })
}

#[test]
fn bytes_go_both_ways_after_the_upgrade() {
    let gateway = TestGateway::before(&[&switching()]);
    let mut client = gateway.client();
    client.send(UPGRADE);
    let head = client.head().expect("a head");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.to_lowercase().contains("upgrade: websocket"), "{head}");
    assert_eq!(client.line().as_deref(), Some("hi\n"));
    // Not HTTP any more: nothing of this may be looked at.
    client.send("GET \0 is not a request\n");
    assert_eq!(client.line().as_deref(), Some("echo GET \0 is not a request\n"));
}

#[test]
fn the_end_of_one_side_is_the_end_of_the_other() {
    let gateway = TestGateway::before(&[&switching()]);
    let mut client = gateway.client();
    client.send(UPGRADE);
    client.head();
    client.line();
    client.finish();
    assert!(client.is_closed());
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_a_bad_gateway() {
    let upstream = Upstream::scripted(|_, _| {
        Reply::Last(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
                .to_vec(),
        )
    });
    let gateway = TestGateway::before(&[&upstream]);
    assert_eq!(gateway.get("/").status, 502);
}

#[test]
fn bytes_right_behind_the_request_reach_the_upstream() {
    let gateway = TestGateway::before(&[&switching()]);
    let mut client = gateway.client();
    // Not even what looks like a malformed head may be taken for one.
    client.send(format!("{UPGRADE}early \0\n\n\n"));
    let head = client.head().expect("a head");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(client.line().as_deref(), Some("hi\n"));
    assert_eq!(client.line().as_deref(), Some("echo early \0\n"));
    client.send("late\n");
    for expected in ["echo \n", "echo \n", "echo late\n"] {
        assert_eq!(client.line().as_deref(), Some(expected));
    }
}

#[test]
fn a_refused_upgrade_leaves_an_ordinary_connection() {
    let upstream = Upstream::echo("no");
    let gateway = TestGateway::before(&[&upstream]);
    let mut client = gateway.client();
    client.send(format!("{UPGRADE}GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    assert_eq!(client.answer().text(), "no");
    assert_eq!(client.answer().text(), "no");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nBad Name: x\r\n\r\n");
    assert_eq!(client.answer().status, 400);
}

#[test]
fn no_upgrade_leads_to_another_http() {
    let upstream = Upstream::echo("plain");
    let gateway = TestGateway::before(&[&upstream]);
    for protocols in ["h2c", "websocket, h2c", "HTTP/2.0", "websocket\r\nUpgrade: h2c"] {
        let mut client = gateway.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: {protocols}\r\n\r\n"
        ));
        assert_eq!(client.answer().text(), "plain");
    }
    assert!(upstream.seen().iter().all(|seen| seen.header("upgrade").is_none()));
}
