//! Facts about steps of snippets.

mod headers;

use headgate_config::{
    Origin,
    snippet::{Condition, PathRewrite, Reply, Step, Then, is_variable},
};
use http::Method;

use super::{
    program::{Outcome, Program},
    *,
};

fn text(text: &str) -> Text {
    let mut pieces = Vec::new();
    for (index, part) in text.split('$').enumerate() {
        let length =
            part.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let (name, rest) = part.split_at(if index == 0 { 0 } else { length });
        match name.parse() {
            Ok(number) => pieces.push(Piece::Capture(number)),
            Err(_) if !name.is_empty() => pieces.push(Piece::Variable(name.into())),
            Err(_) => {}
        }
        if !rest.is_empty() {
            pieces.push(Piece::Plain(rest.into()));
        }
    }
    Text { pieces }
}

/// What `act` makes of a request for `/a b?x=1&y=2`.
fn with<T>(act: impl FnOnce(Facts<'_>) -> T) -> T {
    let headers = HeaderMap::from_iter([
        (http::header::USER_AGENT, HeaderValue::from_static("curl/8")),
        (http::header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=x")),
    ]);
    let origin = Origin::default();
    let request = Variables {
        method: &Method::GET,
        headers: &headers,
        underscores: false,
        host: b"a.test",
        http_host: b"A.test",
        best_host: b"A.test",
        scheme: b"https",
        listener_scheme: b"http",
        listener_port: b"80",
        client_ip: b"192.0.2.1",
        target: b"/a%20b?x=1&y=2",
        path: b"/a b",
        query: b"x=1&y=2",
        origin: &origin,
        request_id: b"id",
        connection: None,
        span: None,
    };
    let (server_name, chain, protocol) = ("a.test", &b"192.0.2.9"[..], "HTTP/1.1");
    act(Facts { request: &request, server_name, chain, protocol, answer: None })
}

fn run(steps: &[Step], state: &mut State) -> Outcome {
    with(|facts| Program::new(steps).unwrap().run(state, facts, true))
}

fn set(variable: &str, value: &str) -> Step {
    Step::Set { variable: variable.into(), value: text(value) }
}

fn reply(status: u16, value: &str) -> Step {
    Step::Return(Reply { status, text: Some(text(value)) })
}

fn found(name: &str, regex: &str, negated: bool) -> Condition {
    Condition::Found { text: text(name), regex: regex.into(), fold: true, negated }
}

fn branch(condition: Condition, steps: Vec<Step>) -> Step {
    Step::If { condition, steps, policy: Some(1) }
}

fn rewrite(regex: &str, path: &str, query: Option<&str>, then: Then) -> Step {
    let (regex, path, query) = (regex.into(), text(path), query.map(text));
    Step::Rewrite(PathRewrite { regex, path, query, keeps_query: true, then })
}

fn answered(steps: &[Step]) -> Option<String> {
    match run(steps, &mut State::default()) {
        Outcome::Reply { text, .. } => text.map(|text| String::from_utf8(text).unwrap()),
        _ => None,
    }
}

#[test]
fn every_variable_that_a_snippet_may_name_has_a_value_of_its_own() {
    for (name, value) in [
        ("uri", "/a b"),
        ("args", "x=1&y=2"),
        ("arg_y", "2"),
        ("http_user_agent", "curl/8"),
        ("content_type", "text/html; charset=x"),
        ("proxy_add_x_forwarded_for", "192.0.2.9"),
        ("server_name", "a.test"),
        ("server_protocol", "HTTP/1.1"),
        ("scheme", "http"),
    ] {
        assert!(is_variable(name), "{name}");
        assert_eq!(answered(&[reply(200, &format!("${name}"))]).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn values_conditions_and_captures_follow_each_other() {
    let steps = [
        set("c", "blue"),
        branch(found("$http_user_agent", "^(CURL)/(\\d)", false), vec![set("c", "$1-$2")]),
        branch(found("$c", "x", true), vec![set("c", "$c!")]),
        branch(Condition::Truth(text("$arg_none")), vec![reply(403, "")]),
        branch(
            Condition::Equal { left: text("$arg_x"), right: text("1"), negated: true },
            vec![reply(405, "")],
        ),
        reply(200, "$c $host $none"),
    ];
    assert_eq!(answered(&steps).as_deref(), Some("curl-8! a.test "));
}

#[test]
fn the_last_condition_that_holds_chooses_the_policy() {
    let chosen = |numbers: &[(usize, &str)]| {
        let branch = |(number, name): &(usize, &str)| Step::If {
            condition: Condition::Truth(text(name)),
            steps: Vec::new(),
            policy: Some(*number),
        };
        let mut state = State::default();
        run(&numbers.iter().map(branch).collect::<Vec<_>>(), &mut state);
        state.policy
    };
    assert_eq!(chosen(&[(1, "$arg_x"), (2, "$arg_y"), (3, "$arg_z")]), 2);
    assert_eq!(chosen(&[(1, "$arg_z")]), 0);
}

#[test]
fn a_rewrite_replaces_path_and_query_and_says_what_is_next() {
    for (steps, outcome, path, query) in [
        (vec![rewrite("^/(a) b$", "/n/$1", None, Then::Search)], Outcome::Search, "/n/a", None),
        (vec![rewrite("B", "/n", None, Then::Search)], Outcome::Stay, "", None),
        (
            vec![rewrite("b", "/n", Some("z=$arg_x"), Then::Stay)],
            Outcome::Stay,
            "/n",
            Some("z=1&x=1&y=2"),
        ),
        (vec![rewrite("b", "/n", None, Then::Next), Step::Break], Outcome::Stay, "/n", None),
        (
            vec![rewrite("b", "/n", None, Then::Next), rewrite("n", "$uri/m", None, Then::Next)],
            Outcome::Search,
            "/n/m",
            None,
        ),
        (vec![set("args", "q")], Outcome::Stay, "", Some("q")),
        (vec![rewrite("b", "", None, Then::Search)], Outcome::Fail, "", None),
    ] {
        let mut state = State::default();
        assert_eq!(run(&steps, &mut state), outcome, "{path}");
        assert_eq!(state.path().unwrap_or_default(), path.as_bytes());
        assert_eq!(state.query(), query.map(str::as_bytes), "{path}");
    }
}

#[test]
fn a_redirecting_rewrite_keeps_the_query_and_escapes_what_it_took() {
    let to = |path: &str| answered(&[rewrite("^/(.*)$", path, None, Then::Redirect(301))]);
    assert_eq!(to("https://n.test/$1").as_deref(), Some("https://n.test/a%20b?x=1&y=2"));
    assert_eq!(to("/n?q").as_deref(), Some("/n?q&x=1&y=2"));
}

#[test]
fn values_that_double_again_and_again_fail_the_request() {
    let longer = |step: Step| std::iter::repeat_n(step, 40).collect::<Vec<_>>();
    let mut own = vec![set("a", "0123456789")];
    own.extend(longer(set("a", "$a$a")));
    for steps in [
        own,
        longer(set("args", "$args$args")),
        longer(rewrite("^", "$uri$uri", None, Then::Next)),
        longer(rewrite("^", "/", Some("$args"), Then::Next)),
    ] {
        let mut state = State::default();
        assert_eq!(run(&steps, &mut state), Outcome::Fail);
        assert!(state.path().unwrap_or_default().len() <= LARGEST_VALUE);
    }
}

#[test]
fn a_pattern_that_takes_too_many_steps_fails_the_request() {
    let path = Some([b"/", &*b"a".repeat(200)].concat());
    let mut state = State { path, ..State::default() };
    let steps = [rewrite("/(?!z)((a|aa)+)\\1x", "/n", None, Then::Next)];
    assert_eq!(run(&steps, &mut state), Outcome::Fail);
}
