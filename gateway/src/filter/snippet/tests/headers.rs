//! Facts about headers that snippets change, of requests and of answers.

use headgate_config::snippet::{
    AddedHeader, AnswerRule, HeaderAction, InputAction, InputRule, Policy, SentHeader,
};

use super::{text, with};
use crate::filter::snippet::{answer::Head, *};

fn rule(statuses: &[u16], action: HeaderAction) -> AnswerRule {
    AnswerRule { statuses: statuses.to_vec(), types: Vec::new(), action }
}

fn changed(policy: &Policy, status: u16) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("x-old", "1"), ("x-old", "2"), ("x-hidden", "h"), ("y-a", "1"), ("y-b", "2")]
    {
        headers.append(name, HeaderValue::from_static(value));
    }
    let state = State::default();
    with(|facts| {
        let head = Head { status, headers: &mut headers, is_upstreams: true };
        answer::apply(policy, head, Scope { facts, state: &state });
    });
    let own = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let mut all: Vec<_> =
        headers.iter().map(|(name, value)| (name.to_string(), own(value))).collect();
    all.sort();
    all
}

#[test]
fn headers_of_answers_are_set_removed_and_added_by_status() {
    let value = |name: &str, value: &str| (name.to_owned(), text(value));
    let (name, set) = value("X-Old", "$status $upstream_http_x_hidden");
    let policy = Policy {
        answer: vec![
            rule(&[], HeaderAction::Set { name, value: set }),
            rule(&[404], HeaderAction::Set { name: "X-Bad".into(), value: text("$status") }),
            rule(&[], HeaderAction::ClearPrefix("y-".into())),
            rule(&[], HeaderAction::Set { name: "X-Split".into(), value: text("a\r\nb: c") }),
        ],
        added: vec![
            AddedHeader { name: "X-New".into(), value: text("n"), always: false },
            AddedHeader { name: "X-Always".into(), value: text("a"), always: true },
            AddedHeader { name: "X-Empty".into(), value: text("$arg_none"), always: true },
        ],
        hidden: vec!["x-hidden".into()],
        ..Policy::default()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let expected = [("x-always", "a"), ("x-new", "n"), ("x-old", "200 h")];
    assert_eq!(changed(&policy, 200), pairs(&expected));
    let expected = [("x-always", "a"), ("x-bad", "404"), ("x-old", "404 h")];
    assert_eq!(changed(&policy, 404), pairs(&expected));
}

#[test]
fn headers_of_requests_are_decided_once_each() {
    let client: HeaderMap = ["x-in", "x-drop-a", "x-drop-b", "x-real-ip"]
        .into_iter()
        .map(|name| (name.parse().unwrap(), HeaderValue::from_static("old")))
        .collect();
    let set = |name: &str, value: &str, only_if_there| InputAction::Set {
        name: name.into(),
        value: text(value),
        only_if_there,
    };
    let actions = [
        set("X-In", "$request_method", true),
        set("X-None", "1", true),
        InputAction::ClearPrefix("x-drop".into()),
        InputAction::Clear("x-real-ip".into()),
        set("X_Sent", "input", false),
    ];
    let policy = Policy {
        input: actions.map(|action| InputRule { types: Vec::new(), action }).into(),
        sent: vec![
            SentHeader { name: "X-Sent".into(), value: text("a $host") },
            SentHeader { name: "X-Bad".into(), value: text("a\nb") },
        ],
        ..Policy::default()
    };
    let state = State::default();
    let all = with(|facts| upstream::overrides(&policy, &client, Scope { facts, state: &state }));
    let mut all: Vec<_> = all
        .iter()
        .map(|header| {
            let value = header.value.as_ref();
            (&*header.name, value.map(|value| String::from_utf8_lossy(value).into_owned()))
        })
        .collect();
    all.sort();
    let some = |value: &str| Some(value.to_owned());
    let expected = [
        ("X-Bad", None),
        ("X-In", some("GET")),
        ("X-Sent", some("a a.test")),
        ("x-drop-a", None),
        ("x-drop-b", None),
    ];
    assert_eq!(all, expected);
}
