use headgate_config::{Origin, Replacement};
use http::Method;

use super::*;

fn pair(text: &str) -> Option<Replacement> {
    let (from, to) = text.split_once(' ')?;
    Some(Replacement { from: from.into(), to: to.into() })
}

/// A header of an answer after it was rewritten.
fn rewritten(
    spec: &headgate_config::AnswerHeaders,
    name: HeaderName,
    values: &[&'static str],
) -> Vec<String> {
    let origin = Origin::default();
    let variables = Variables {
        method: &Method::GET,
        headers: &HeaderMap::new(),
        underscores: false,
        host: b"a.test",
        http_host: b"a.test",
        best_host: b"a.test",
        scheme: b"https",
        listener_scheme: b"https",
        listener_port: b"443",
        client_ip: b"192.0.2.1",
        target: b"/",
        path: b"/",
        query: b"",
        request_id: b"id",
        origin: &origin,
        connection: None,
        span: None,
    };
    let rules = AnswerHeaders::new(spec, |field, error| panic!("{field}: {error}"));
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(&name, HeaderValue::from_static(value));
    }
    rules.rewrite(&mut headers, &variables, |path| [b"https://a.test", path].concat());
    headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn cookie(domain: &str, path: &str, value: &'static str) -> String {
    let spec = headgate_config::AnswerHeaders {
        cookie_domain: pair(domain),
        cookie_path: pair(path),
        ..headgate_config::AnswerHeaders::default()
    };
    rewritten(&spec, header::SET_COOKIE, &[value]).swap_remove(0)
}

fn redirect(rule: &str, name: HeaderName, value: &'static str) -> String {
    let spec = headgate_config::AnswerHeaders {
        redirect: pair(rule),
        ..headgate_config::AnswerHeaders::default()
    };
    rewritten(&spec, name, &[value]).swap_remove(0)
}

#[test]
fn domains_are_compared_whole_without_case_or_leading_dot() {
    let domain = |value| cookie("in.example .out.example", "", value);
    assert_eq!(domain("c=1; Domain=IN.example; Secure"), "c=1; Domain=out.example; Secure");
    assert_eq!(domain("c=1;domain=.in.example"), "c=1; domain=.out.example");
    for same in ["c=1; Domain=x.in.example", "c=1;Domain=other", "domain=in.example", "c=1"] {
        assert_eq!(domain(same), same);
    }
}

#[test]
fn the_beginning_of_a_path_is_replaced() {
    let path = |value| cookie("", "/one/ /", value);
    assert_eq!(path("a=1; Path=/one/two"), "a=1; Path=/two");
    for same in ["a=1;Path=/One/two", "a=1; Path=/three/one/", "Path=/one/"] {
        assert_eq!(path(same), same);
    }
}

#[test]
fn patterns_replace_all_of_what_they_are_found_in() {
    assert_eq!(
        cookie("~in.example$ x.test", "", "a=1; domain=WWW.IN.EXAMPLE"),
        "a=1; domain=x.test"
    );
    assert_eq!(cookie("", "~^/(a+)/.*$ /$1", "a=1; Path=/aa/b"), "a=1; Path=/aa");
    assert_eq!(cookie("", "~^/A /x", "a=1; Path=/a/b"), "a=1; Path=/a/b");
    assert_eq!(cookie("", "~*^/A /x", "a=1; Path=/a/b"), "a=1; Path=/x");
}

#[test]
fn every_cookie_is_looked_at() {
    let spec = headgate_config::AnswerHeaders {
        cookie_path: pair("/a /b"),
        ..headgate_config::AnswerHeaders::default()
    };
    let lines = rewritten(&spec, header::SET_COOKIE, &["x=1; Path=/a", "y=1", "z=1; Path=/a/c"]);
    assert_eq!(lines, ["x=1; Path=/b", "y=1", "z=1; Path=/b/c"]);
}

#[test]
fn redirects_begin_otherwise_and_paths_become_urls() {
    let location = |rule, value| redirect(rule, header::LOCATION, value);
    let rule = "http://in.example/ https://out.example/app/";
    assert_eq!(location(rule, "http://in.example/x?y=1"), "https://out.example/app/x?y=1");
    assert_eq!(location(rule, "http://other.example/x"), "http://other.example/x");
    assert_eq!(
        location("http://in.example/ /base/", "http://in.example/x"),
        "https://a.test/base/x"
    );
    assert_eq!(location("http://$host/ $scheme://b.test/", "http://a.test/x"), "https://b.test/x");
    let refresh = |value| redirect(rule, header::REFRESH, value);
    assert_eq!(refresh("5; URL=http://in.example/x"), "5; URL=https://out.example/app/x");
    assert_eq!(refresh("5"), "5");
}

#[test]
fn what_cannot_be_used_is_said_and_changes_nothing() {
    let spec = headgate_config::AnswerHeaders {
        cookie_path: pair("~( /x"),
        redirect: pair("/a $"),
        ..headgate_config::AnswerHeaders::default()
    };
    let mut said = Vec::new();
    AnswerHeaders::new(&spec, |field, _| said.push(field));
    assert_eq!(said, ["proxy-cookie-path", "proxy-redirect-from"]);
}
