//! Another service is asked before a request is forwarded.

mod broken;
mod cached;
mod encrypted;
mod flow;

use std::sync::Arc;

use headgate_config::{
    Location, PathMatch, Protection,
    protection::{AccessLists, ExternalAuth, SignIn},
};

use crate::support::{
    Client, TestGateway, Upstream, snapshot,
    upstream::{Reply, Seen, ok},
};

/// A table under construction whose locations ask a service.
pub struct Guarded {
    app: std::net::SocketAddr,
    spec: ExternalAuth,
    sign_in: Option<SignIn>,
}

impl Guarded {
    /// `a.test` goes to `app`, if `service` says yes.
    pub fn by(app: &Upstream, service: std::net::SocketAddr) -> Self {
        let spec = ExternalAuth {
            url: format!("http://{service}/check"),
            response_headers: vec!["X-User".into()],
            ..ExternalAuth::default()
        };
        Self { app: app.address, spec, sign_in: None }
    }

    pub fn with(mut self, change: impl FnOnce(&mut ExternalAuth)) -> Self {
        change(&mut self.spec);
        self
    }

    pub fn signing_in_at(mut self, url: &str) -> Self {
        self.sign_in = Some(SignIn { url: url.into(), return_parameter: "rd".into() });
        self
    }

    pub fn location(&self, path: &str) -> Location {
        let protection = Protection {
            external: Some(Arc::new(self.spec.clone())),
            sign_in: self.sign_in.clone().map(Arc::new),
            ..Protection::default()
        };
        let mut location = snapshot::location(PathMatch::Prefix(path.into()), "app");
        location.protection = Some(Arc::new(protection));
        location
    }

    pub fn table(&self) -> headgate_config::Snapshot {
        let table = snapshot::Table::default().upstream("app", &[self.app]);
        table.location("a.test", self.location("/")).build()
    }

    pub fn start(&self) -> TestGateway {
        TestGateway::start(self.table())
    }
}

/// An answer without a body.
pub fn status(status: u16, headers: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{headers}\r\n").into_bytes())
}

/// A service that always answers with this status and these lines.
pub fn service(code: u16, headers: &'static str) -> Upstream {
    Upstream::scripted(move |_, _| status(code, headers))
}

/// How often something came of asking, by the metrics.
pub fn counted(gateway: &TestGateway, result: &str) -> u64 {
    let text: Vec<u8> = gateway.metrics.scrape().flatten().collect();
    let text = String::from_utf8(text).expect("a text");
    let label = format!("result=\"{result}\"");
    let line = text.lines().find(|line| {
        line.starts_with("headgate_external_auth_requests_total") && line.contains(&label)
    });
    let value = line.and_then(|line| line.rsplit(' ').next()).expect("a sample");
    value.parse().expect("a number")
}

/// One request with these header lines over a connection of its own.
pub fn get(gateway: &TestGateway, target: &str, headers: &str) -> crate::support::client::Answer {
    let mut client = gateway.client();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{headers}\r\n"));
    client.answer()
}

fn header_lines<'a>(seen: &'a Seen, name: &str) -> Vec<&'a str> {
    let lines = seen.head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[test]
fn success_lets_a_request_pass_and_nothing_else_does() {
    let app = Upstream::echo("app");
    let service = Upstream::scripted(|_, seen| {
        let code = seen.header("x-want").map_or(200, |code| code.parse().expect("a status"));
        status(code, "")
    });
    let gateway = Guarded::by(&app, service.address).start();
    for (code, expected) in [
        (200, 200),
        (202, 200),
        (204, 200),
        (206, 200),
        (299, 200),
        (301, 500),
        (302, 500),
        (304, 500),
        (400, 500),
        (401, 401),
        (403, 403),
        (404, 500),
        (500, 500),
        (503, 500),
    ] {
        let before = app.seen().len();
        let answer = get(&gateway, "/x", &format!("X-Want: {code}\r\n"));
        assert_eq!(answer.status, expected, "{code}");
        assert_eq!(app.seen().len() - before, usize::from(expected == 200), "{code}");
    }
    assert_eq!(counted(&gateway, "passed"), 5);
    assert_eq!(counted(&gateway, "unauthorized"), 1);
    assert_eq!(counted(&gateway, "forbidden"), 1);
    assert_eq!(counted(&gateway, "unexpected_status"), 7);
    assert_eq!(service.connections(), 1, "the connection is used again");
}

#[test]
fn the_question_says_what_is_asked_for() {
    let (app, service) = (Upstream::echo("app"), service(200, ""));
    let gateway = Guarded::by(&app, service.address)
        .with(|spec| spec.request_headers = vec![("X-Via".into(), "$host$uri".into())])
        .start();
    let mut client = gateway.client();
    client.send(concat!(
        "POST /a/b?c=d HTTP/1.1\r\nHost: A.test:80\r\nContent-Length: 4\r\nCookie: s=1\r\n",
        "X-Original-URL: http://open.test/\r\nX-Original-URI: /open\r\nX-Forwarded-Uri: /open\r\n",
        "X-Forwarded-For: 127.0.0.9\r\nX-Forwarded-Proto: https\r\nExpect: 100-continue\r\n",
        "Authorization: Bearer t\r\n\r\nbody"
    ));
    assert_eq!((client.answer().status, client.answer().status), (100, 200));
    let seen = service.seen().remove(0);
    assert_eq!((seen.line(), seen.body.len()), ("GET /check HTTP/1.1", 0));
    for (name, expected) in [
        ("host", &["127.0.0.1"][..]),
        ("x-original-url", &["http://A.test:80/a/b?c=d"]),
        ("x-original-method", &["POST"]),
        ("x-sent-from", &["nginx-ingress-controller"]),
        ("x-real-ip", &["127.0.0.1"]),
        ("x-forwarded-for", &["127.0.0.1"]),
        ("x-auth-request-redirect", &["/a/b?c=d"]),
        ("x-via", &["a.test/a/b"]),
        ("cookie", &["s=1"]),
        ("authorization", &["Bearer t"]),
        ("x-forwarded-proto", &[]),
        ("x-original-uri", &[]),
        ("x-forwarded-uri", &[]),
        ("content-length", &[]),
        ("expect", &[]),
    ] {
        assert_eq!(header_lines(&seen, name), expected, "{name}");
    }
    let upstream = app.seen().remove(0);
    assert_eq!(upstream.body, b"body");
    assert_eq!(header_lines(&seen, "x-request-id"), header_lines(&upstream, "x-request-id"));
}

#[test]
fn a_method_of_its_own_goes_with_the_original_target() {
    let (app, service) = (Upstream::echo("app"), service(200, ""));
    let gateway =
        Guarded::by(&app, service.address).with(|spec| spec.method = Some("POST".into())).start();
    assert_eq!(get(&gateway, "/u?v=1", "").status, 200);
    let seen = service.seen().remove(0);
    assert_eq!(seen.line(), "POST /check HTTP/1.1");
    assert_eq!(seen.header("x-original-uri"), Some("/u?v=1"));
    assert_eq!(seen.header("x-scheme"), Some("http"));
}

#[test]
fn identities_are_the_services_or_nobodys() {
    let app = Upstream::echo("app");
    let service = Upstream::scripted(|number, _| match number {
        0 => status(200, "X-User: alice\r\nX-User: bob\r\nX-Other: secret\r\n"),
        _ => status(200, ""),
    });
    let gateway = Guarded::by(&app, service.address).start();
    for expected in [&["alice, bob"][..], &[]] {
        let forged = "X-User: root\r\nx-USER: root\r\nX_User: root\r\nConnection: X-User\r\n";
        let answer = get(&gateway, "/", forged);
        assert_eq!((answer.status, answer.header("x-user")), (200, None));
        let seen = app.seen().pop().expect("forwarded");
        assert_eq!(header_lines(&seen, "x-user"), expected);
        assert_eq!(header_lines(&seen, "x-other"), [""; 0]);
    }
}

#[test]
fn identities_are_nobodys_where_another_check_is_enough() {
    let (app, service) = (Upstream::echo("app"), service(401, ""));
    let mut location = Guarded::by(&app, service.address).location("/");
    let protection = location.protection.take().expect("it is protected");
    let access = AccessLists {
        allow: vec!["127.0.0.0/8".parse().expect("a network")],
        ..AccessLists::default()
    };
    location.protection = Some(Arc::new(Protection {
        access: Some(Arc::new(access)),
        any_is_enough: true,
        ..Protection::clone(&protection)
    }));
    let table = snapshot::Table::default().upstream("app", &[app.address]);
    let gateway = TestGateway::start(table.location("a.test", location).build());
    assert_eq!(get(&gateway, "/", "X-User: root\r\n").status, 200);
    assert_eq!(service.seen().len(), 0);
    assert_eq!(header_lines(&app.seen()[0], "x-user"), [""; 0]);
}

#[test]
fn every_request_is_asked_about() {
    let (app, service) = (Upstream::echo("app"), service(401, ""));
    let gateway = Guarded::by(&app, service.address).start();
    let mut client = gateway.client();
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PROPFIND"] {
        client.send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert!(client.head().expect("an answer").starts_with("HTTP/1.1 401 "), "{method}");
        if method != "HEAD" {
            while client.line().expect("the page") != "</html>\r\n" {}
        }
    }
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(get(&gateway, "/ws", upgrade).status, 401);
    let mut http2 = crate::support::Http2::connect(gateway.http, 65_535);
    http2.request(1, "GET", "/two", crate::support::http2::END_STREAM);
    assert!(!http2.stream(1)[0].is_ok());
    assert_eq!((service.seen().len(), app.connections()), (8, 0));
    assert!(service.seen().iter().all(|seen| seen.header("upgrade").is_none()));
}

#[test]
fn one_good_request_does_not_vouch_for_the_next() {
    let app = Upstream::echo("app");
    let service = Upstream::scripted(|_, seen| match seen.header("authorization") {
        Some("Bearer good") => status(200, ""),
        _ => status(401, ""),
    });
    let gateway = Guarded::by(&app, service.address).start();
    let mut client = gateway.client();
    client.send(concat!(
        "GET /one HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer good\r\n\r\n",
        "GET /two HTTP/1.1\r\nHost: a.test\r\n\r\n"
    ));
    assert_eq!((client.answer().status, client.answer().status), (200, 401));
    assert_eq!(app.seen().len(), 1);
}

#[test]
fn who_opens_a_tunnel_is_asked_about_first() {
    let app = Upstream::raw(|mut client| {
        client.head();
        client.send("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        let said = client.exactly(2).expect("it is open");
        client.send(said);
    });
    let service = service(200, "Set-Cookie: a=1\r\n");
    let gateway = Guarded::by(&app, service.address).start();
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    let head = client.head().expect("an answer");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.send("hi");
    assert_eq!(client.exactly(2).as_deref(), Some(&b"hi"[..]));
    assert_eq!(service.seen().len(), 1);
}

#[test]
fn a_large_answer_of_the_service_is_nobodys_business() {
    let app = Upstream::echo("app");
    let service = Upstream::scripted(|_, _| Reply::Bytes(ok(&"x".repeat(50_000))));
    let gateway = Guarded::by(&app, service.address).start();
    let mut client = gateway.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "app");
    }
}

/// A connection of the gateway's client, for those who look at it.
pub fn raw(gateway: &TestGateway, head: &str) -> Client {
    let mut client = gateway.client();
    client.send(head);
    client
}
