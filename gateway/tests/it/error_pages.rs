//! Answers that give way to those of an error backend.

use std::sync::Arc;

use headgate_config::{
    Action, AnswerHeaders, Blocked, ErrorPages, Forward, Host, Location, PathMatch, Protection,
    ProxySettings, Replacement, WhenEmpty,
    protection::{AccessLists, SignIn},
    snippet::{Policy, Reply as Said, Snippet, Step},
};

use crate::support::{
    Table, TestGateway, Upstream, snapshot,
    upstream::{Reply, ok},
};

/// An upstream that answers with the status that its request wants, or 200.
fn wanted() -> Upstream {
    Upstream::scripted(|_, seen| {
        let status = seen.header("x-want").unwrap_or("200");
        let challenge = "WWW-Authenticate: Bearer";
        Reply::Bytes(
            format!("HTTP/1.1 {status} X\r\n{challenge}\r\nContent-Length: 3\r\n\r\napp")
                .into_bytes(),
        )
    })
}

/// A location of `app` whose answers of these statuses are replaced by `pages`.
fn location(statuses: &[u16], change: impl FnOnce(&mut Location, &mut ErrorPages)) -> Location {
    let mut pages = ErrorPages {
        statuses: statuses.into(),
        of_upstreams: true,
        for_all: false,
        backends: vec![snapshot::id("pages")],
    };
    let mut location = snapshot::location(PathMatch::Prefix("/".into()), "app");
    change(&mut location, &mut pages);
    location.error_pages = Some(Arc::new(pages));
    location
}

fn start(app: &Upstream, pages: &Upstream, location: Location) -> TestGateway {
    let table = Table::default()
        .upstream("app", &[app.address])
        .upstream("pages", &[pages.address])
        .upstream("nobody", &[])
        .upstream("gone", &[Upstream::refusing()])
        .log_format("$status [$upstream_status] $proxy_upstream_name");
    TestGateway::start(table.location("a.test", location).build())
}

/// Sends to an upstream that does not answer.
fn to(upstream: &str) -> Action {
    let when_empty = WhenEmpty::Respond(503);
    Action::Forward(Forward { upstream: snapshot::id(upstream), when_empty })
}

#[test]
fn the_error_backend_is_asked_in_the_name_of_the_request() {
    let (app, pages) = (wanted(), Upstream::echo("a page"));
    let gateway = start(&app, &pages, location(&[404], |_, _| {}));
    let mut client = gateway.client();
    client.send(
        "POST /deep/path?q=1 HTTP/1.1\r\nHost: a.test\r\nX-Want: 404\r\nAccept: text/x\r\n\
         X-Request-ID: 7\r\nX-Forwarded-Host: forged\r\nX-Code: 1\r\nContent-Length: 4\r\n\r\nbody",
    );
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (200, "a page"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "the challenge stays");
    let asked = pages.seen().remove(0);
    assert_eq!((asked.line(), &*asked.body), ("POST /?q=1 HTTP/1.0", &b"body"[..]));
    for (name, value) in [
        ("host", Some("a.test")),
        ("connection", Some("close")),
        ("x-code", Some("404")),
        ("x-format", Some("text/x")),
        ("x-original-uri", Some("/deep/path?q=1")),
        ("x-namespace", Some("default")),
        ("x-ingress-name", Some("test")),
        ("x-service-name", Some("app")),
        ("x-service-port", Some("80")),
        ("x-request-id", Some("7")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-host", Some("forged")),
        ("x-real-ip", None),
        ("x-forwarded-proto", None),
    ] {
        assert_eq!(asked.header(name), value, "{name}");
    }
    // The connection goes on, and what is not listed is left alone.
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Want: 500\r\n\r\n");
    assert_eq!(client.answer().status, 500);
    assert_eq!(pages.seen().len(), 1);
    assert_eq!(gateway.logged(0), "200 [404 : 200] default-pages-80");
}

#[test]
fn what_a_step_does_not_find_is_the_gateways_own_answer() {
    let (app, pages) = (wanted(), Upstream::echo("a page"));
    let location = location(&[404], |location, pages| {
        pages.of_upstreams = false;
        let steps = vec![Step::Return(Said { status: 404, text: None })];
        location.snippet = Some(Arc::new(Snippet { steps, policies: vec![Policy::default()] }));
    });
    assert_eq!(get(&start(&app, &pages, location), ""), 200);
    assert_eq!((pages.seen().len(), app.seen().len()), (1, 0));
}

#[test]
fn the_answer_of_the_error_backend_is_the_last() {
    let (app, pages) = (wanted(), Upstream::scripted(|_, _| status(404)));
    let gateway = start(&app, &pages, location(&[404], |_, _| {}));
    assert_eq!(get(&gateway, "X-Want: 404\r\n"), 404);
    assert_eq!(pages.seen().len(), 1);
    let broken = location(&[404, 502], |_, pages| pages.backends = vec![snapshot::id("gone")]);
    let gateway = start(&app, &pages, broken);
    assert_eq!(get(&gateway, "X-Want: 404\r\n"), 502);
}

fn status(status: u16) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into_bytes())
}

/// The status of the answer to a request with these lines.
fn get(gateway: &TestGateway, lines: &str) -> u16 {
    let mut client = gateway.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n"));
    client.answer().status
}

#[test]
fn what_the_gateway_answers_itself_is_replaced_also_where_upstreams_are_spared() {
    let (app, pages) = (wanted(), Upstream::scripted(|_, _| status(299)));
    let spared = |change: fn(&mut Location)| {
        let location = location(&[403, 404, 502, 503], |location, pages| {
            pages.of_upstreams = false;
            change(location);
        });
        start(&app, &pages, location)
    };
    assert_eq!(get(&spared(|_| {}), "X-Want: 503\r\n"), 503, "an upstream's");
    assert_eq!(get(&spared(|location| location.action = to("gone")), ""), 299, "502");
    assert_eq!(get(&spared(|location| location.action = to("nobody")), ""), 299, "503");
    let closed = |location: &mut Location| {
        let lists =
            AccessLists { deny: vec!["127.0.0.0/8".parse().unwrap()], ..AccessLists::default() };
        let access = Some(Arc::new(lists));
        location.protection = Some(Arc::new(Protection { access, ..Protection::default() }));
    };
    assert_eq!(get(&spared(closed), ""), 299, "403");
    // The page for what is not there counts as that of a default backend.
    let nowhere = |location: &mut Location| location.action = Action::Respond(404);
    assert_eq!(get(&spared(nowhere), ""), 404);
    assert_eq!(get(&start(&app, &pages, location(&[404], |own, _| nowhere(own))), ""), 299);
    // A denied location has no list of its own.
    let denied = |for_all| {
        location(&[503], |location, pages| {
            location.action = Action::Deny;
            pages.for_all = for_all;
        })
    };
    assert_eq!(get(&start(&app, &pages, denied(false)), ""), 503);
    assert_eq!(get(&start(&app, &pages, denied(true)), ""), 299);
}

#[test]
fn what_the_location_rewrites_in_answers_is_left_alone_in_the_error_backends() {
    let answer = |status: u16| {
        let head = format!(
            "HTTP/1.1 {status} X\r\nLocation: http://in.test/x\r\nSet-Cookie: a=1; Path=/app/x\r\n\
             Content-Length: 0\r\n\r\n"
        );
        Upstream::scripted(move |_, _| Reply::Bytes(head.clone().into_bytes()))
    };
    let replacement = |from: &str, to: &str| Some(Replacement { from: from.into(), to: to.into() });
    let location = location(&[404], |location, _| {
        location.headers = Some(Arc::new(AnswerHeaders {
            cookie_path: replacement("/app", ""),
            redirect: replacement("http://in.test/", "/base/"),
            ..AnswerHeaders::default()
        }));
    });
    let pages = answer(302);
    for (app, expected) in [
        (answer(301), ("http://a.test/base/x", "a=1; Path=/x")),
        (answer(404), ("http://in.test/x", "a=1; Path=/app/x")),
    ] {
        let answer = start(&app, &pages, location.clone()).get("/");
        let found = (answer.header("location"), answer.header("set-cookie"));
        assert_eq!(found, (Some(expected.0), Some(expected.1)));
    }
    assert_eq!(pages.seen().len(), 1);
}

#[test]
fn the_next_backend_stands_in_for_one_without_endpoints() {
    let (app, pages) = (wanted(), Upstream::echo("a page"));
    for (backends, expected) in [(&["nobody", "pages"][..], 200), (&["nobody"], 404), (&[], 404)] {
        let location = location(&[503], |_, pages| {
            pages.backends = backends.iter().map(|name| snapshot::id(name)).collect();
        });
        let gateway = start(&app, &pages, location);
        assert_eq!(get(&gateway, "X-Want: 503\r\n"), expected, "{backends:?}");
    }
}

#[test]
fn a_body_is_sent_as_long_as_it_is_there() {
    let pages = Upstream::echo("a page");
    let closed = location(&[403, 413, 502], |location, _| {
        location.body_limit = Some(4 * 1024 * 1024);
        let lists =
            AccessLists { deny: vec!["127.0.0.0/8".parse().unwrap()], ..AccessLists::default() };
        let access = Some(Arc::new(lists));
        location.protection = Some(Arc::new(Protection { access, ..Protection::default() }));
    });
    let streamed = location(&[502], |location, _| {
        let settings = ProxySettings { request_buffering: false, ..ProxySettings::default() };
        location.proxy = Arc::new(settings);
    });
    let rude = Upstream::scripted(|_, _| Reply::Last(Vec::new()));
    for (location, length, expected, goes_on) in [
        (closed.clone(), 10, 10, true),
        (closed.clone(), 2 * 1024 * 1024, 2 * 1024 * 1024, true),
        (closed, 8 * 1024 * 1024, 0, false),
        (streamed, 10, 0, true),
    ] {
        let gateway = start(&rude, &pages, location);
        let before = pages.seen().len();
        let mut client = gateway.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n"));
        client.try_send(&vec![b'x'; length]);
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (200, "a page"), "{length}");
        let connection = if goes_on { "keep-alive" } else { "close" };
        assert_eq!(answer.header("connection"), Some(connection), "{length}");
        assert_eq!(pages.seen()[before].body.len(), expected, "{length}");
    }
}

#[test]
fn who_may_sign_in_is_sent_there_by_a_401_of_the_upstream_as_well() {
    let (app, pages) = (wanted(), Upstream::echo("a page"));
    let signs_in = |of_upstreams| {
        let url = "http://login.test/".into();
        let sign_in = Some(Arc::new(SignIn { url, return_parameter: "rd".into() }));
        location(&[500], |location, pages| {
            pages.of_upstreams = of_upstreams;
            let lists = Some(Arc::new(AccessLists::default()));
            let protection = Protection { sign_in, access: lists, ..Protection::default() };
            location.protection = Some(Arc::new(protection));
        })
    };
    let gateway = start(&app, &pages, signs_in(true));
    let mut client = gateway.client();
    client.send("GET /x HTTP/1.1\r\nHost: a.test\r\nX-Want: 401\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("www-authenticate")), (302, Some("Bearer")));
    assert_eq!(answer.header("location"), Some("http://login.test/?rd=http://a.test%2Fx"));
    assert_eq!(get(&start(&app, &pages, signs_in(false)), "X-Want: 401\r\n"), 401);
    assert_eq!(pages.seen().len(), 0);
}

#[test]
fn what_holds_for_everybody_also_holds_where_there_is_no_location_yet() {
    let (app, pages) = (wanted(), Upstream::scripted(|_, _| status(299)));
    for (for_all, expected) in [(true, 299), (false, 403)] {
        let blocked = Blocked { user_agents: vec!["bot".into()], ..Blocked::default() };
        let table = Table::default().upstream("app", &[app.address]).blocked(blocked);
        let table = table.upstream("pages", &[pages.address]);
        // What is listed for its location only does not count.
        let mut table = table.location("a.test", location(&[403], |_, _| {})).build();
        let mut hosts = table.hosts.to_vec();
        let own = location(&[403], |location, pages| {
            location.action = Action::Respond(404);
            location.origin = Arc::default();
            pages.for_all = for_all;
        });
        hosts[0] = Arc::new(Host { locations: vec![Arc::new(own)], ..Host::clone(&hosts[0]) });
        table.hosts = hosts.into();
        let gateway = TestGateway::start(table);
        assert_eq!(get(&gateway, "User-Agent: bot\r\n"), expected);
    }
    let asked = pages.seen().remove(0);
    assert_eq!((asked.header("x-code"), asked.header("x-namespace")), (Some("403"), None));
}

#[test]
fn an_answer_that_goes_on_for_long_is_not_waited_for() {
    let app = Upstream::raw(|mut client| {
        if crate::support::upstream::read_request(&mut client).is_some() {
            client.send("HTTP/1.1 500 X\r\nContent-Length: 1000000\r\n\r\nx");
            // Until the gateway has closed it.
            while crate::support::upstream::read_request(&mut client).is_some() {}
        }
    });
    let pages = Upstream::scripted(|_, _| Reply::Bytes(ok("a page")));
    let gateway = start(&app, &pages, location(&[500], |_, _| {}));
    assert_eq!(gateway.get("/").text(), "a page");
}
