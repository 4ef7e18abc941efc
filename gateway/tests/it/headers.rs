//! Headers that the configuration adds, removes and rewrites.

use std::sync::Arc;

use headgate_config::{
    AnswerHeaders, ConnectionHeader, GlobalHeaders, HeadLimits, HeaderLine, ProxySettings,
    Replacement, Settings,
};

use crate::support::{
    Table, TestGateway, Upstream,
    snapshot::root,
    upstream::{Reply, ok},
};

fn line(name: &str, value: &str) -> HeaderLine {
    HeaderLine { name: name.into(), value: value.into() }
}

/// A gateway before one upstream, with other settings and another location than usual.
fn gateway(
    upstream: &Upstream,
    settings: Settings,
    change: impl FnOnce(&mut headgate_config::Location),
) -> TestGateway {
    let table = Table::default().upstream("app", &[upstream.address]);
    let mut table = table.location("a.test", root("app", change)).build();
    table.settings = Arc::new(settings);
    TestGateway::start(table)
}

fn with_headers(headers: GlobalHeaders) -> Settings {
    Settings { headers, ..Settings::default() }
}

#[test]
fn upstreams_are_sent_configured_headers_in_place_of_the_clients() {
    let upstream = Upstream::echo("ok");
    let request = vec![line("X-Mine", "$host$uri"), line("X-Drop", ""), line("X-Evil", "$uri")];
    let settings = with_headers(GlobalHeaders { request, ..GlobalHeaders::default() });
    let gateway = gateway(&upstream, settings, |_| {});
    let mut client = gateway.client();
    client.send("GET /p HTTP/1.1\r\nHost: a.test\r\nX-Mine: client\r\nX-Drop: client\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    client.send("GET /%0d%0aX-In:%201 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let seen = upstream.seen();
    assert_eq!(seen[0].header("x-mine"), Some("a.test/p"));
    assert_eq!(seen[0].head.to_ascii_lowercase().matches("x-mine").count(), 1);
    assert_eq!((seen[0].header("x-drop"), seen[1].header("x-in")), (None, None));
    assert_eq!(seen[1].header("x-evil"), None, "what ends a line is no value");
}

#[test]
fn every_answer_carries_the_headers_of_all_and_of_its_location() {
    let upstream = Upstream::scripted(|number, _| {
        match number {
        0 => Reply::Bytes(b"HTTP/1.1 200 OK\r\nX-All: up\r\nX-Gone: up\r\nServer: up\r\nContent-Length: 0\r\n\r\n".into()),
        _ => Reply::Last(Vec::new()),
    }
    });
    let answer = vec![line("X-All", "$host"), line("X-Gone", "")];
    let settings =
        with_headers(GlobalHeaders { answer, server_tokens: true, ..GlobalHeaders::default() });
    let custom = vec![("X-Custom".to_owned(), "$literal".to_owned())];
    let gateway = gateway(&upstream, settings, |location| {
        location.headers = Some(Arc::new(AnswerHeaders { custom, ..AnswerHeaders::default() }));
    });
    for status in [200, 502] {
        let answer = gateway.get("/");
        assert_eq!((answer.status, answer.header("x-all")), (status, Some("a.test")));
        assert_eq!((answer.header("x-custom"), answer.header("x-gone")), (Some("$literal"), None));
        assert_eq!(answer.header("server"), Some("nginx/1.27.1"));
    }
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n");
    let unknown = client.answer();
    assert_eq!((unknown.status, unknown.header("x-all")), (404, Some("b.test")));
    assert_eq!(unknown.header("x-custom"), None);
    assert!(unknown.text().contains("nginx/1.27.1"));
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.answer().header("server"), Some("nginx/1.27.1"));
}

#[test]
fn an_upstream_s_cookies_and_redirects_are_rewritten_and_its_secrets_hidden() {
    let upstream = Upstream::scripted(|_, _| {
        let head = "HTTP/1.1 302 Found\r\nLocation: http://in.test/x\r\nX-Secret: 1\r\n\
                    Set-Cookie: a=1; Domain=in.test; Path=/app/x\r\nContent-Length: 0\r\n\r\n";
        Reply::Bytes(head.into())
    });
    let hidden = vec!["x-secret".into()];
    let settings = with_headers(GlobalHeaders { hidden, ..GlobalHeaders::default() });
    let replacement = |from: &str, to: &str| Some(Replacement { from: from.into(), to: to.into() });
    let gateway = gateway(&upstream, settings, |location| {
        location.headers = Some(Arc::new(AnswerHeaders {
            cookie_domain: replacement("in.test", "a.test"),
            cookie_path: replacement("/app", ""),
            redirect: replacement("http://in.test/", "/base/"),
            custom: Vec::new(),
        }));
    });
    let answer = gateway.get("/");
    assert_eq!(answer.header("location"), Some("http://a.test/base/x"));
    assert_eq!(answer.header("set-cookie"), Some("a=1; Domain=a.test; Path=/x"));
    assert_eq!(answer.header("x-secret"), None);
}

#[test]
fn heads_may_be_as_large_as_the_settings_allow() {
    let upstream = Upstream::echo("ok");
    let head_limits = HeadLimits { line: 100 * 1024, total: 200 * 1024 };
    let settings = Settings { head_limits, ..Settings::default() };
    let gateway = gateway(&upstream, settings, |_| {});
    for (length, status) in [(99_000, 200), (101_000, 200), (103_000, 400)] {
        let mut client = gateway.client();
        let filler = "y".repeat(length);
        client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\nX-Long: {filler}\r\n\r\n"));
        let answer = client.answer();
        assert_eq!(answer.status, status, "{length}");
        if status == 400 {
            assert!(answer.text().contains("Request Header Or Cookie Too Large"));
        }
    }
}

#[test]
fn an_upstream_of_http_1_0_is_sent_no_chunks() {
    let upstream = Upstream::scripted(|_, _| Reply::Last(ok("ok")));
    let settings = ProxySettings {
        http10: true,
        request_buffering: false,
        connection: Some(ConnectionHeader::KeepAlive),
        ..ProxySettings::default()
    };
    let gateway = gateway(&upstream, Settings::default(), |location| {
        location.proxy = Arc::new(settings);
        location.body_limit = None;
    });
    let post = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = gateway.client();
    client.send(format!("{post}3\r\nabc\r\n0\r\n\r\n"));
    assert_eq!(client.answer().status, 200);
    let seen = upstream.seen().swap_remove(0);
    assert_eq!((seen.line(), &seen.body[..]), ("POST / HTTP/1.0", &b"abc"[..]));
    assert_eq!(seen.header("content-length"), Some("3"));
    assert_eq!(seen.header("connection"), Some("keep-alive"));
    // More than is held has no length that could be said.
    client.send(post);
    let piece = "x".repeat(64 * 1024);
    for _ in 0..17 {
        client.try_send(format!("10000\r\n{piece}\r\n").as_bytes());
    }
    assert_eq!(client.answer().status, 411);
}
