//! Facts of rewrites, as observed on the reference, and a comparison with PCRE2.

use pcre2::bytes::RegexBuilder;
use proptest::prelude::*;

use super::*;
use crate::route::{
    pattern::tests::{cases, generate},
    target::normalise,
};

fn rewrite(pattern: &str, target: &str) -> RewriteProgram {
    prefixed(pattern, target, None)
}

fn prefixed(pattern: &str, target: &str, prefix: Option<&str>) -> RewriteProgram {
    let rewrite = Rewrite {
        pattern: pattern.to_owned(),
        target: target.to_owned(),
        forwarded_prefix: prefix.map(str::to_owned),
    };
    RewriteProgram::compile(&rewrite).expect("a good rewrite")
}

fn variable(name: &str) -> Option<&'static [u8]> {
    match name {
        "host" => Some(b"a.test"),
        "scheme" => Some(b"http"),
        _ => None,
    }
}

fn apply(program: &RewriteProgram, target: &str) -> Result<Rewritten, RewriteError> {
    program.apply(&normalise(target.as_bytes()).expect("a good target"), &variable)
}

/// The new path, or the location of a redirect.
#[track_caller]
fn result(program: &RewriteProgram, target: &str) -> String {
    let bytes = match apply(program, target).expect("a result") {
        Rewritten::Path { path, .. } => path,
        Rewritten::Redirect(location) => location,
        Rewritten::Unchanged => b"unchanged".to_vec(),
    };
    String::from_utf8(bytes).expect("UTF-8")
}

#[track_caller]
fn check(pattern: &str, target: &str, cases: &[(&str, &str)]) {
    let program = rewrite(pattern, target);
    for (request, expected) in cases {
        assert_eq!(result(&program, request), *expected, "{request}");
    }
}

#[test]
fn captures_are_put_into_the_target() {
    check(
        "/api(/|$)(.*)",
        "/$2",
        &[("/api", "/"), ("/api/", "/"), ("/api/x/y", "/x/y"), ("/API/x", "/x")],
    );
    check("/(v1|v2)/(.*)", "/$2/$1", &[("/v2/thing", "/thing/v2")]);
    check("/foo/bar/(.+)", "/new/$1", &[("/foo/bar/bar", "/new/bar")]);
    check(
        "/a/([^/]+)/b(/.*)?",
        "/$1$2",
        &[("/a/x/b", "/x"), ("/a/x/b/c", "/x/c"), ("/a/x/bc", "/x")],
    );
}

#[test]
fn the_decoded_path_is_rewritten_and_the_result_escaped_again() {
    check(
        "/api/(.*)",
        "/$1",
        &[
            ("/api/a%20b", "/a%20b"),
            ("/api/a%2Fb", "/a/b"),
            ("/api/a%41", "/aA"),
            ("/api//a/./b/../c", "/a/c"),
            ("/api/%25%3F%23", "/%25%3F%23"),
            ("/api/%2B+", "/++"),
            ("/api/caf%c3%a9", "/caf%C3%A9"),
            ("/api/{}\"\\|^`<>", "/%7B%7D%22%5C%7C%5E%60%3C%3E"),
            ("/api/!$&'()*,;=:@~[]", "/!$&'()*,;=:@~[]"),
        ],
    );
}

#[test]
fn a_capture_that_is_not_set_is_empty() {
    check("/api/(.*)", "/x$3", &[("/api/y", "/x")]);
    check("/api(/v1)?(.*)", "/x$1$2", &[("/api/y", "/x/y"), ("/api/v1/y", "/x/v1/y")]);
}

#[test]
fn a_target_without_captures_replaces_everything() {
    check("/foo", "/", &[("/foo", "/"), ("/foo/x/y", "/"), ("/foobar", "/"), ("/FOO", "/")]);
}

#[test]
fn the_pattern_is_searched_anywhere() {
    check(
        "/a/(.*)|/b/(.*)",
        "/$1-$2",
        &[("/a/1", "/1-"), ("/b/2", "/-2"), ("/x/a/1/b/2", "/1/b/2-")],
    );
    check("/(b+)", "/$1", &[("/a/bb", "/bb")]);
}

#[test]
fn a_pattern_that_does_not_match_changes_nothing() {
    assert_eq!(apply(&rewrite("/a", "/x"), "/b"), Ok(Rewritten::Unchanged));
}

#[test]
fn odd_targets_go_upstream_as_they_are() {
    check("/api/(.*)", "$1", &[("/api/x", "x")]);
    check("/api/(.*)", "//x/../$1", &[("/api/y", "//x/../y")]);
    assert_eq!(apply(&rewrite("/api/(.*)", "$1"), "/api/"), Err(RewriteError::EmptyPath));
}

#[test]
fn a_target_with_a_scheme_is_a_redirect() {
    let program = rewrite("/api/(.*)", "https://other.test/$1");
    for (request, expected) in [
        ("/api/x%20y", "https://other.test/x%20y"),
        ("/api/%7B%7D%41%22%23", "https://other.test/{}A%22%23"),
        ("/api/a+b&c", "https://other.test/a+b&c"),
        ("/api/%3F%7B", "https://other.test/?%7B"),
        ("/api/%25%C3%A9", "https://other.test/%25%C3%A9"),
        ("/api/{x}\"é", "https://other.test/{x}\"é"),
        ("/api/%41{x}\"é", "https://other.test/A{x}%22%C3%A9"),
        ("/api/+\"", "https://other.test/+%22"),
    ] {
        assert_eq!(apply(&program, request), Ok(Rewritten::Redirect(expected.into())), "{request}");
    }
    assert_eq!(
        apply(&rewrite("/(.*)", "$scheme://$host/$1"), "/x"),
        Ok(Rewritten::Redirect(b"http://a.test/x".to_vec()))
    );
    assert!(matches!(apply(&rewrite("/", "httpx://"), "/x"), Ok(Rewritten::Path { .. })));
}

#[test]
fn variables_and_named_groups_are_put_in_whatever_their_case() {
    check("/(.*)", "/$host/$1", &[("/x", "/a.test/x")]);
    check("/(.*)", "/${HOST}x$nothing", &[("/x", "/a.testx")]);
    check("/(?<Rest>.*)", "/$rest/$1", &[("/x", "/x/x")]);
    check("/(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", "/$10", &[("/abcdefghij", "/a0")]);
}

#[test]
fn a_dollar_without_a_name_is_an_error() {
    for target in ["/$", "/$/x", "/${", "/${}", "/${a", "/$-"] {
        let rewrite =
            Rewrite { pattern: "/".to_owned(), target: target.to_owned(), forwarded_prefix: None };
        assert!(RewriteProgram::compile(&rewrite).is_err(), "{target}");
    }
}

#[test]
fn a_question_mark_at_the_end_drops_the_query() {
    let program = rewrite("/a(.*)", "/b$1?");
    assert!(!program.keeps_query());
    assert_eq!(result(&program, "/a/x"), "/b/x");
    assert!(rewrite("/a", "/b").keeps_query());
}

#[test]
fn the_forwarded_prefix_holds_decoded_captures() {
    let program = prefixed("/(v1|v2|a b)/(.*)", "/$2", Some("/$1"));
    let path = |path: &[u8], prefix: &[u8]| {
        let (path, prefix) = (path.to_vec(), Some(prefix.to_vec()));
        Ok(Rewritten::Path { path, prefix })
    };
    assert_eq!(apply(&program, "/v2/thing"), path(b"/thing", b"/v2"));
    assert_eq!(apply(&program, "/a%20b/%20"), path(b"/%20", b"/a b"));
    assert_eq!(apply(&prefixed("/x", "/y", Some("$3")), "/x"), path(b"/y", b""));
}

#[test]
fn a_search_without_end_is_an_error() {
    let path = format!("/{}x", "a".repeat(501));
    assert_eq!(apply(&rewrite("/(?!z)((a|aa)+)\\1x", "/$1"), &path), Err(RewriteError::Exhausted));
}

#[test]
fn the_usual_patterns_need_no_engine() {
    for pattern in [
        "/foo",
        "/foo/",
        "/foo/(.*)",
        "/foo(/|$)(.*)",
        "/foo/?(.*)",
        "/foo(/.*)?",
        "/foo(?:/(.*))?",
        "/()(.*)",
        "/v[0-9]+/(.*)",
        "/a/([^/]+)/b",
        "/(\\w+)/(\\d+)",
        "/foo/(.*)$",
        "/foo($|/)(.*)",
        "/([^/]+)(/|$)(.*)",
        "/foo.+",
    ] {
        let parsed = Pattern::parse(pattern).expect("a good pattern");
        assert!(sequence::Sequence::new(&parsed).is_some(), "{pattern}");
    }
    for pattern in
        ["/(.*)/foo", "/(.*?)", "/a|/b", "/[a-z]+b", "/(foo|bar)", "/foo(/bar)?(.*)", "/\\bfoo"]
    {
        let parsed = Pattern::parse(pattern).expect("a good pattern");
        assert!(sequence::Sequence::new(&parsed).is_none(), "{pattern}");
    }
}

/// Patterns that are often straight sequences.
fn straight() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "/",
        "[ab]",
        "[^/]",
        "a*",
        "b+",
        "/?",
        "[^/]*",
        "[^/]+",
        "(.*)",
        ".",
        "(/|$)",
        "($|[ab])",
        "$",
        "(a)",
        "([ab]*)",
        "[^a]{1,2}",
        "(/.*)?",
        "(?:b(.*))?",
        "(?:a+)?",
        "\\n",
        "[^b]*",
        "(/(a*))",
        "\\n?",
        "(a.+)?",
    ]);
    prop::collection::vec(part, 1..7).prop_map(|parts| parts.concat())
}

fn compare(pattern: &str, paths: &[String]) -> Result<(), TestCaseError> {
    let (Ok(parsed), Ok(regex)) =
        (Pattern::parse(pattern), RegexBuilder::new().caseless(true).build(pattern))
    else {
        return Ok(());
    };
    let Ok(search) = Search::new(pattern, &parsed) else { return Ok(()) };
    for path in paths {
        let Ok(found) = search.find(path.as_bytes()) else { continue };
        let found = found.map(|captures| captures[1..].to_vec());
        let expected = regex.captures(path.as_bytes()).ok().flatten().map(|captures| {
            let span = |group| {
                captures
                    .get(group)
                    .map(|group: pcre2::bytes::Match<'_>| (group.start(), group.end()))
            };
            (1..captures.len()).map(span).collect::<Vec<_>>()
        });
        prop_assert_eq!(found, expected, "{:?} on {:?}", pattern, path);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1000)))]

    #[test]
    fn straight_sequences_agree_with_pcre(
        pattern in straight(),
        paths in prop::collection::vec("[ab/\nB]{0,7}", 1..8),
    ) {
        compare(&pattern, &paths)?;
    }

    #[test]
    fn searches_agree_with_pcre(
        pattern in generate::pattern(),
        paths in prop::collection::vec(generate::path(), 1..6),
    ) {
        compare(&pattern, &paths)?;
    }
}
