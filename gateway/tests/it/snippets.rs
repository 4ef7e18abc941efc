//! What snippets ask for, over sockets.

use std::sync::Arc;

use headgate_config::{
    Action, Host, Location, PathMatch, ProxySettings, Snapshot,
    snippet::{
        AnswerRule, HeaderAction, HostSnippet, OwnLocation, OwnMatch, PathRewrite, Piece, Policy,
        Replacement, Reply, SentHeader, Snippet, Step, Substitution, Text, Then,
    },
};

use crate::support::{Table, TestGateway, Upstream, snapshot, upstream::Reply as Answered};

fn with_host(mut table: Snapshot, snippet: HostSnippet) -> Snapshot {
    let hosts = table.hosts.iter().map(|host| match &*host.name {
        "a.test" => {
            Arc::new(Host { snippet: Some(Arc::new(snippet.clone())), ..Host::clone(host) })
        }
        _ => Arc::clone(host),
    });
    table.hosts = hosts.collect();
    table
}

fn snippet(steps: Vec<Step>, policy: Policy) -> Option<Arc<Snippet>> {
    Some(Arc::new(Snippet { steps, policies: vec![policy] }))
}

fn at(path: &str, upstream: &str, snippet: Option<Arc<Snippet>>) -> Location {
    let matcher = PathMatch::Prefix(path.into());
    Location { snippet, slash_redirect: false, ..snapshot::location(matcher, upstream) }
}

fn rewrite(regex: &str, path: &str, then: Then) -> Step {
    let pieces = path.split("$1").map(|text| Piece::Plain(text.into()));
    let mut path = Text { pieces: pieces.collect() };
    if path.pieces.len() == 2 {
        path.pieces.insert(1, Piece::Capture(1));
    }
    let regex = regex.into();
    Step::Rewrite(PathRewrite { regex, path, query: None, keeps_query: true, then })
}

fn reply(status: u16, text: &str) -> Step {
    Step::Return(Reply { status, text: Some(Text::plain(text)) })
}

fn set(name: &str, value: &str) -> AnswerRule {
    let action = HeaderAction::Set { name: name.into(), value: Text::plain(value) };
    AnswerRule { statuses: Vec::new(), types: Vec::new(), action }
}

#[test]
fn a_rewrite_of_the_host_leads_to_another_location_and_upstream() {
    let (from, to) = (Upstream::echo("from"), Upstream::echo("to"));
    let table = Table::default()
        .upstream("from", &[from.address])
        .upstream("to", &[to.address])
        .location("a.test", at("/from/", "from", None))
        .location("a.test", at("/to/", "to", None));
    let steps = vec![rewrite("^/from/(.*)$", "/to/$1", Then::Search)];
    let snippet = HostSnippet { steps, ..HostSnippet::default() };
    let gateway = TestGateway::start(with_host(table.build(), snippet));
    let answer = gateway.get("/from/a%20b?q=1");
    assert_eq!((answer.status, answer.text()), (200, "to"));
    assert_eq!(to.seen()[0].line(), "GET /to/a%20b?q=1 HTTP/1.1");
    assert_eq!(from.seen().len(), 0);
}

#[test]
fn whether_a_request_is_logged_is_said_where_rewrites_have_led_it() {
    let upstream = Upstream::echo("ok");
    let led = |to: &str| snippet(vec![rewrite("^/[a-z]+$", to, Then::Search)], Policy::default());
    let silent = |location| Location { access_log: false, ..location };
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .location("a.test", silent(at("/a", "app", led("/logged"))))
        .location("a.test", at("/b", "app", led("/silent")))
        .location("a.test", at("/logged", "app", None))
        .location("a.test", silent(at("/silent", "app", None)))
        .log_format("$request_uri");
    let gateway = TestGateway::start(table.build());
    let mut client = gateway.client();
    for path in ["/b", "/silent", "/a", "/logged"] {
        assert_eq!(client.get(path).status, 200);
    }
    assert_eq!((gateway.logged(0), gateway.logged(1)), ("/a".into(), "/logged".into()));
}

#[test]
fn rewrites_that_never_end_are_an_error() {
    let upstream = Upstream::echo("ok");
    let turn = snippet(vec![rewrite("^(.*)$", "$1x", Then::Search)], Policy::default());
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .location("a.test", at("/", "app", turn));
    let gateway = TestGateway::start(table.build());
    assert_eq!(gateway.get("/").status, 500);
    assert_eq!(upstream.seen().len(), 0);
}

#[test]
fn locations_of_a_snippet_go_before_shorter_ones_of_the_host() {
    let upstream = Upstream::echo("ok");
    let own = |matcher, text: &str| {
        let steps = vec![Step::Return(Reply {
            status: 200,
            text: Some(Text { pieces: vec![Piece::Plain(text.into()), Piece::Capture(1)] }),
        })];
        let location = Location {
            action: Action::Respond(404),
            ..at("/", "", snippet(steps, Policy::default()))
        };
        OwnLocation { matcher, late: false, location: Arc::new(location) }
    };
    let prefix = |text: &str| OwnMatch::Prefix { text: text.into(), is_final: false };
    let locations = vec![
        own(prefix("/app"), "short"),
        own(prefix("/app/deeper"), "long"),
        own(OwnMatch::Exact("/app/one".into()), "exact"),
        own(OwnMatch::Pattern { regex: r"\.(php)$".into(), fold: true }, "pattern "),
    ];
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .location("a.test", at("/app/", "app", None));
    let snippet = HostSnippet { locations, ..HostSnippet::default() };
    let gateway = TestGateway::start(with_host(table.build(), snippet));
    for (path, text) in [
        ("/app/x", "ok"),
        ("/application", "short"),
        ("/app/deeper/x", "long"),
        ("/app/one", "exact"),
        ("/app/deeper/x.PHP", "pattern PHP"),
    ] {
        assert_eq!(gateway.get(path).text(), text, "{path}");
    }
}

#[test]
fn policies_reach_answers_of_upstreams_of_the_gateway_and_of_the_host() {
    let upstream = Upstream::echo("ok");
    let policy = |name: &str| Policy { answer: vec![set(name, "1")], ..Policy::default() };
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .location("a.test", at("/up/", "app", snippet(Vec::new(), policy("x-up"))))
        .location("a.test", at("/own/", "app", snippet(vec![reply(403, "no")], policy("x-own"))));
    let steps = vec![rewrite("^/gone", "/there", Then::Redirect(301))];
    let host = HostSnippet { steps, policy: policy("x-host"), ..HostSnippet::default() };
    let gateway = TestGateway::start(with_host(table.build(), host));
    for (path, status, name) in
        [("/up/", 200, "x-up"), ("/own/", 403, "x-own"), ("/gone", 301, "x-host")]
    {
        let answer = gateway.get(path);
        assert_eq!((answer.status, answer.header(name)), (status, Some("1")), "{path}");
    }
    let location = gateway.get("/gone").header("location").map(str::to_owned);
    assert!(
        location.is_some_and(|url| url.starts_with("http://a.test") && url.ends_with("/there"))
    );
}

#[test]
fn what_the_upstream_is_sent_is_said_once() {
    let upstream = Upstream::echo("ok");
    let sent = ["X-Real-IP", "X-New"]
        .map(|name| SentHeader { name: name.into(), value: Text::plain("v") });
    let policy = Policy { sent: sent.into(), ..Policy::default() };
    let table = Table::default()
        .upstream("app", &[upstream.address])
        .location("a.test", at("/", "app", snippet(Vec::new(), policy)));
    let gateway = TestGateway::start(table.build());
    assert_eq!(gateway.get("/").status, 200);
    let seen = &upstream.seen()[0];
    assert_eq!((seen.header("x-real-ip"), seen.header("x-new")), (Some("v"), Some("v")));
}

#[test]
fn texts_are_replaced_in_bodies_of_their_type() {
    let page = Upstream::echo("<b>Hello hello</b>");
    let parts = Upstream::scripted(|_, _| {
        let body = "5\r\n<b>He\r\n10\r\nllo hello</b>!!!\r\n0\r\n\r\n";
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
        Answered::Bytes(format!("{head}\r\n{body}").into_bytes())
    });
    let substitution = Substitution {
        replacements: vec![Replacement { text: "hello".into(), by: Text::plain("bye") }],
        once: true,
        types: Vec::new(),
        keeps_last_modified: false,
    };
    let policy = Policy { substitution: Some(substitution.clone()), ..Policy::default() };
    let html = Substitution { types: vec!["text/none".into()], ..substitution };
    let other = Policy { substitution: Some(html), ..Policy::default() };
    let in_parts = at("/parts/", "parts", snippet(Vec::new(), policy.clone()));
    let mut buffered = at("/buffered/", "parts", snippet(Vec::new(), policy.clone()));
    buffered.proxy = Arc::new(ProxySettings { buffering: true, ..ProxySettings::default() });
    let table = Table::default()
        .upstream("app", &[page.address])
        .location("a.test", at("/", "app", snippet(Vec::new(), policy)))
        .upstream("parts", &[parts.address])
        .location("a.test", in_parts)
        .location("a.test", buffered)
        .location("a.test", at("/raw/", "app", snippet(Vec::new(), other)));
    let gateway = TestGateway::start(table.build());
    assert_eq!(gateway.get("/").text(), "<b>bye hello</b>");
    for path in ["/parts/", "/buffered/"] {
        assert_eq!(gateway.get(path).text(), "<b>bye hello</b>!!!", "{path}");
    }
    assert_eq!(gateway.get("/raw/").text(), "<b>Hello hello</b>");
}

#[test]
fn status_444_closes_the_connection_without_an_answer() {
    let steps = vec![Step::Return(Reply { status: 444, text: None })];
    let table =
        Table::default().location("a.test", at("/", "app", snippet(steps, Policy::default())));
    let gateway = TestGateway::start(table.upstream("app", &[]).build());
    let mut client = gateway.client();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert!(client.try_answer().is_none());
}
