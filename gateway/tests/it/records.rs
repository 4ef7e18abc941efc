//! What is told about a request when it is over.

use std::sync::{Arc, mpsc};

use headgate_config::{ForwardedHeaders, LogEscape, PathMatch, ProxySettings, Rewrite};

use crate::support::{
    Client, Identity, Table, TestGateway, Upstream, eventually, snapshot, upstream::read_request,
};

/// Each line: method, status, bytes received, bytes of the answer's body.
const FORMAT: &str = "$request_method $status $request_length $body_bytes_sent";

/// A gateway that writes [`FORMAT`], and reads bodies before it sends them if `ahead`.
fn gateway(upstream: &Upstream, ahead: bool) -> TestGateway {
    let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    location.proxy =
        Arc::new(ProxySettings { request_buffering: ahead, ..ProxySettings::default() });
    let table = Table::default().upstream("app", &[upstream.address]).log_format(FORMAT);
    TestGateway::start(table.location("a.test", location).build())
}

#[test]
fn a_body_counts_as_received_whether_it_is_read_ahead_or_passed_on() {
    let upstream = Upstream::echo("ok");
    let (length, chunked) = (
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for ahead in [true, false] {
        let gateway = gateway(&upstream, ahead);
        let mut client = gateway.client();
        client.send([length, "hello!", chunked, "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"].concat());
        for (index, head) in [length, chunked].into_iter().enumerate() {
            assert_eq!(client.answer().status, 200);
            let expected = format!("POST 200 {} 2", head.len() + 6);
            assert_eq!(gateway.logged(index), expected, "read ahead: {ahead}");
        }
    }
}

#[test]
fn what_was_read_of_a_refused_body_counts() {
    let upstream = Upstream::echo("ok");
    let gateway = gateway(&upstream, true);
    let mut client = gateway.client();
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..17 {
        if !client.try_send(format!("10000\r\n{}\r\n", "x".repeat(65_536)).as_bytes()) {
            break;
        }
    }
    assert_eq!(client.answer().status, 413);
    let line = gateway.logged(0);
    let received: u64 = line.split(' ').nth(2).and_then(|text| text.parse().ok()).expect(&line);
    assert!(received > 1024 * 1024, "{line}");
}

const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Agrees to change the protocol, says `greeting`, and reads one line before it tells `heard`.
fn switching(greeting: &'static str, heard: mpsc::Sender<()>) -> Upstream {
    let heard = parking_lot::Mutex::new(heard);
    Upstream::raw(move |mut connection: Client| {
        let Some(request) = read_request(&mut connection) else { return };
        if request.header("upgrade").is_none() {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            return;
        }
        connection.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n{greeting}"
        ));
        if connection.line().is_some() {
            let _ = heard.lock().send(());
        }
        while connection.line().is_some() {}
    })
}

/// Samples of the request counter with this status.
fn counted(gateway: &TestGateway, status: &str) -> Vec<String> {
    let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
    let label = format!("status=\"{status}\"");
    String::from_utf8_lossy(&text)
        .lines()
        .filter(|line| line.starts_with("nginx_ingress_controller_requests{"))
        .filter(|line| line.contains(&label))
        .map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn an_upgraded_connection_is_recorded_when_its_tunnel_ends() {
    let (sender, heard) = mpsc::channel();
    let upstream = switching("hello\n", sender);
    let gateway = gateway(&upstream, true);
    let mut client = gateway.client();
    client.send(UPGRADE);
    assert!(client.head().expect("a head").starts_with("HTTP/1.1 101"));
    assert_eq!(client.line().as_deref(), Some("hello\n"));
    client.send("some words\n");
    heard.recv().expect("the upstream hears it");

    assert_eq!(gateway.get("/other").status, 200);
    assert_eq!(gateway.logged(0).split(' ').nth(1), Some("200"), "the tunnel is still open");
    assert_eq!(counted(&gateway, "101"), [""; 0]);

    client.finish();
    assert!(client.is_closed());
    assert_eq!(gateway.logged(1), format!("GET 101 {} 6", UPGRADE.len() + 11));
    eventually("it is counted", || counted(&gateway, "101") == ["1"]);
}

/// Publishes another table, and waits until nobody holds the one before.
fn let_go_of_table(gateway: &TestGateway, upstream: &Upstream) {
    let old = Arc::downgrade(&gateway.live.load());
    let table = Table::default().upstream("app", &[upstream.address]).log_format("new");
    gateway.live.publish(table.prefix("a.test", "/", "app").build());
    eventually("nobody holds the old table", || {
        gateway.live.collect();
        old.strong_count() == 0
    });
}

#[test]
fn an_answer_that_takes_long_does_not_keep_an_old_table() {
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = parking_lot::Mutex::new(may_go_on);
    let upstream = Upstream::raw(move |mut connection: Client| {
        if read_request(&mut connection).is_some() {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
            may_go_on.lock().recv().expect("the test says when");
            connection.send("def");
        }
    });
    let gateway = gateway(&upstream, true);
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(client.head().expect("a head").starts_with("HTTP/1.1 200"));

    let_go_of_table(&gateway, &upstream);
    go_on.send(()).expect("the upstream waits");
    assert_eq!(client.exactly(6).as_deref(), Some(&b"abcdef"[..]));
    assert!(gateway.logged(0).starts_with("GET 200 "));
}

#[test]
fn a_tunnel_does_not_keep_an_old_table() {
    let (sender, _heard) = mpsc::channel();
    let upstream = switching("hello\n", sender);
    let gateway = gateway(&upstream, true);
    let mut client = gateway.client();
    client.send(UPGRADE);
    assert!(client.head().expect("a head").starts_with("HTTP/1.1 101"));
    assert_eq!(client.line().as_deref(), Some("hello\n"));

    let_go_of_table(&gateway, &upstream);
    client.finish();
    assert!(client.is_closed());
    assert_eq!(gateway.logged(0), format!("GET 101 {} 6", UPGRADE.len()));
}

#[test]
fn the_log_shows_the_connection_as_it_was_agreed_and_as_it_was_reached() {
    let (upstream, identity) = (Upstream::echo("ok"), Identity::new());
    let format = "$ssl_protocol $ssl_cipher $ssl_server_name $https $server_addr $server_port $connection_requests";
    let table = Table::default().upstream("app", &[upstream.address]).log_format(format);
    let mut table = table.prefix("a.test", "/", "app").build();
    table.tls = identity.table();
    let gateway = TestGateway::start(table);
    assert_eq!(identity.connect(gateway.https, "http/1.1").get("/").status, 200);
    assert_eq!(gateway.get("/").status, 200);

    let (tls, plain) = (gateway.logged(0), gateway.logged(1));
    let expected = format!(" a.test on 127.0.0.1 {} 1", gateway.https.port());
    let cipher = tls.strip_prefix("TLSv1.3 TLS_").and_then(|rest| rest.strip_suffix(&expected));
    assert!(cipher.is_some_and(|cipher| cipher.contains("_SHA")), "{tls}");
    assert_eq!(plain, format!("- - -  127.0.0.1 {} 1", gateway.http.port()));
}

#[test]
fn connections_are_told_apart_by_their_number() {
    let upstream = Upstream::echo("ok");
    let table = Table::default().upstream("app", &[upstream.address]).log_format("$connection");
    let gateway = TestGateway::start(table.prefix("a.test", "/", "app").build());
    let mut first = gateway.client();
    for client in [&mut first, &mut gateway.client()] {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(first.get("/").status, 200);
    let numbers: Vec<u64> =
        (0..3).map(|index| gateway.logged(index).parse().expect("a number")).collect();
    assert!(numbers[0] > 0 && numbers[1] > numbers[0] && numbers[2] == numbers[0], "{numbers:?}");
}

#[test]
fn the_log_shows_the_path_that_was_matched_or_rewritten_and_what_the_upstream_is_told() {
    let upstream = Upstream::echo("ok");
    let mut rewritten = snapshot::location(PathMatch::Prefix("/old".into()), "app");
    rewritten.rewrite =
        Some(Rewrite { pattern: "/old".into(), target: "/new".into(), forwarded_prefix: None });
    let format = "$uri $server_name $scheme $pass_access_scheme $pass_port";
    let rules = ForwardedHeaders {
        trusted: true,
        peers: vec!["127.0.0.0/8".parse().expect("a network")],
        ..ForwardedHeaders::default()
    };
    let table = Table::default().upstream("app", &[upstream.address]).log_format(format);
    let table = table.location("a.test", rewritten).prefix("a.test", "/", "app");
    let gateway = TestGateway::start(table.forwarded(rules).build());
    let mut client = gateway.client();
    for target in ["/a//b/%41?q=1", "/old?q=1"] {
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\n\r\n"
        ));
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(gateway.logged(0), "/a/b/A a.test http https 8443");
    assert_eq!(gateway.logged(1), "/new a.test http https 8443");
}

#[test]
fn targets_that_are_to_be_skipped_are_not_logged() {
    let upstream = Upstream::echo("ok");
    let table = Table::default().upstream("app", &[upstream.address]).log_format("$request_uri");
    let skipped = ["/healthz", "~^/Ready", "~a("].map(String::from);
    let table = table.settings(|settings| settings.log.skipped = skipped.into());
    let gateway = TestGateway::start(table.prefix("a.test", "/", "app").build());
    for target in ["/HEALTHZ", "/Ready?now", "/healthz?full", "/ready"] {
        assert_eq!(gateway.get(target).status, 200);
    }
    assert_eq!([gateway.logged(0), gateway.logged(1)], ["/healthz?full", "/ready"]);
}

#[test]
fn values_are_escaped_as_the_settings_say() {
    let upstream = Upstream::echo("ok");
    for (escape, line) in [
        (LogEscape::Default, "\\x22\\xC3\\xA9 -"),
        (LogEscape::Json, "\\\"\u{e9} "),
        (LogEscape::None, "\"\u{e9} "),
    ] {
        let format = "$http_user_agent $http_referer";
        let table = Table::default().upstream("app", &[upstream.address]).log_format(format);
        let table = table.settings(|settings| settings.log.escape = escape);
        let gateway = TestGateway::start(table.prefix("a.test", "/", "app").build());
        let mut client = gateway.client();
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: \"\u{e9}\r\n\r\n");
        assert_eq!(client.answer().status, 200);
        assert_eq!(gateway.logged(0), line, "{escape:?}");
    }
}
