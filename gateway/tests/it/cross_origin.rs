//! What browsers are told about scripts of other origins, whatever else is answered.

use std::sync::Arc;

use headgate_config::{
    Action, Cors, FixedRedirect, HttpsRedirect, Location, Network, PathMatch, Protection,
    cors::Origins,
    protection::AccessLists,
    snippet::{PathRewrite, Policy, Snippet, Step, Text, Then},
};

use crate::support::{Table, TestGateway, Upstream, client::Answer, snapshot, upstream::Reply};

const ORIGIN: &str = "Origin: https://o.test";

fn cors(origins: Origins) -> Arc<Cors> {
    Arc::new(Cors {
        origins,
        credentials: true,
        methods: "GET".into(),
        headers: "X-A".into(),
        exposed: None,
        max_age: 600,
    })
}

/// A location for scripts of one origin, to be made other than usual.
fn gateway(upstream: &Upstream, change: impl FnOnce(&mut Location)) -> TestGateway {
    let location = snapshot::root("app", |location| {
        location.cors = Some(cors(Origins::Listed(vec!["https://o.test".into()])));
        change(location);
    });
    let table = Table::default().upstream("app", &[upstream.address]);
    TestGateway::start(table.location("a.test", location).build())
}

fn ask(gateway: &TestGateway, method: &str, line: &str) -> Answer {
    let mut client = gateway.client();
    client.send(format!("{method} /x HTTP/1.1\r\nHost: a.test\r\n{line}\r\n\r\n"));
    client.answer()
}

#[test]
fn what_a_location_grants_does_not_hold_where_a_rewrite_leads() {
    let upstream = Upstream::echo("ok");
    let at = |path: &str, origin: &str, snippet| {
        let granted = cors(Origins::Listed(vec![origin.into()]));
        let matcher = PathMatch::Prefix(path.into());
        Location { cors: Some(granted), snippet, ..snapshot::location(matcher, "app") }
    };
    let step = Step::Rewrite(PathRewrite {
        regex: "^/x".into(),
        path: Text::plain("/strict/"),
        query: None,
        keeps_query: true,
        then: Then::Search,
    });
    let leads = Arc::new(Snippet { steps: vec![step], policies: vec![Policy::default()] });
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .location("a.test", at("/", "https://o.test", Some(leads)))
        .location("a.test", at("/strict/", "https://other.test", None));
    let answer = ask(&TestGateway::start(table.build()), "GET", ORIGIN);
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

fn closed_to_everybody() -> Option<Arc<Protection>> {
    let deny: Vec<Network> = vec!["127.0.0.0/8".parse().expect("a network")];
    let lists = AccessLists { deny, ..AccessLists::default() };
    Some(Arc::new(Protection { access: Some(lists.into()), ..Protection::default() }))
}

#[test]
fn a_question_of_a_browser_is_answered_before_anything_else_is_asked() {
    let upstream = Upstream::echo("ok");
    let gateway = gateway(&upstream, |location| {
        location.protection = closed_to_everybody();
        location.https_redirect = HttpsRedirect::Always;
        location.fixed_redirect =
            Some(Arc::new(FixedRedirect { target: "https://b.test".into(), status: 301 }));
    });
    let answer = ask(&gateway, "OPTIONS", ORIGIN);
    assert_eq!((answer.status, answer.text()), (204, ""));
    for (name, value) in [
        ("access-control-allow-origin", Some("https://o.test")),
        ("access-control-allow-credentials", Some("true")),
        ("access-control-allow-methods", Some("GET")),
        ("access-control-allow-headers", Some("X-A")),
        ("access-control-expose-headers", None),
        ("access-control-max-age", Some("600")),
        ("vary", None),
        ("content-length", None),
        ("content-type", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let other = ask(&gateway, "OPTIONS", "Origin: https://x.test");
    assert_eq!(other.status, 301, "a stranger's question is a request like others");
    assert_eq!(other.header("access-control-allow-origin"), None);
    assert_eq!(upstream.seen().len(), 0);
}

/// What the gateway answers itself carries the headers from the choice of the location on.
#[test]
fn every_answer_to_the_origin_carries_the_headers() {
    let upstream = Upstream::echo("ok");
    let fixed = FixedRedirect { target: "/y".into(), status: 302 };
    type Change<'a> = &'a dyn Fn(&mut Location);
    let cases: [(Change<'_>, u16, bool); 6] = [
        (&|_| {}, 200, true),
        (&|location| location.protection = closed_to_everybody(), 403, true),
        (&|location| location.https_redirect = HttpsRedirect::Always, 308, true),
        (&|location| location.fixed_redirect = Some(Arc::new(fixed.clone())), 302, true),
        (&|location| location.action = Action::Respond(404), 404, true),
        (&|location| location.action = Action::Deny, 503, false),
    ];
    for (change, status, carries) in cases {
        let gateway = gateway(&upstream, change);
        let answer = ask(&gateway, "GET", ORIGIN);
        assert_eq!(answer.status, status);
        let origin = answer.header("access-control-allow-origin");
        assert_eq!(origin, carries.then_some("https://o.test"), "{status}");
        let stranger = ask(&gateway, "GET", "Origin: evilhttps://o.test");
        assert_eq!(
            (stranger.status, stranger.header("access-control-allow-origin")),
            (status, None)
        );
    }
}

#[test]
fn the_upstream_is_not_heard_where_the_gateway_speaks() {
    let upstream = Upstream::scripted(|_, _| {
        let head = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: https://u.test\r\n\
            access-control-allow-origin: *\r\nAccess-Control-Max-Age: 1\r\nContent-Length: 0\r\n\r\n";
        Reply::Bytes(head.into())
    });
    let gateway = gateway(&upstream, |location| location.cors = Some(cors(Origins::Any)));
    let answer = ask(&gateway, "GET", "X-A: b");
    let said = answer.head.to_ascii_lowercase();
    assert_eq!(said.matches("access-control-allow-origin: *").count(), 1, "{said}");
    assert_eq!(said.matches("access-control-allow-origin").count(), 1, "{said}");
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    assert_eq!(ask(&gateway, "OPTIONS", "X-A: b").status, 204, "also without an origin");
}
