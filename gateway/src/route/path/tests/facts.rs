//! Facts, and plain hosts.

use headgate_config::{PathMatch, PathMode};
use proptest::prelude::*;

use super::{
    super::{
        Found::{self, Exhausted, Location, Nothing, SlashRedirect},
        PathTable,
    },
    check, host, location, patterns, plain,
};

#[test]
fn a_prefix_is_matched_by_segment_and_with_case() {
    let table = plain(&["/foo/", "=/foo"]);
    check(
        &table,
        &[
            ("/foo/", Location(0)),
            ("/foo/x", Location(0)),
            ("/foo/x/y/", Location(0)),
            ("/foo", Location(1)),
            ("/foobar", Nothing),
            ("/fo", Nothing),
            ("/", Nothing),
            ("/FOO", Nothing),
        ],
    );
}

#[test]
fn the_form_without_the_last_slash_is_redirected() {
    let table =
        plain(&["/", "/foo/+", "=/exact/+", "/both/+", "=/both/+", "/denied/", "/bar/+", "=/bar"]);
    check(
        &table,
        &[
            ("/foo", SlashRedirect(1)),
            ("/foo/", Location(1)),
            ("/exact", SlashRedirect(2)),
            ("/exact/", Location(2)),
            ("/exact/x", Location(0)),
            ("/both", SlashRedirect(4)),
            ("/both/", Location(4)),
            ("/both/x", Location(3)),
            ("/denied", Location(0)),
            ("/bar", Location(7)),
            ("/foox", Location(0)),
        ],
    );
}

#[test]
fn the_longest_prefix_wins_whatever_the_order() {
    let table = plain(&["/", "/foo/", "/foo/bar/", "/foo/bar/x/y/"]);
    check(
        &table,
        &[
            ("/foo/bar/x/z", Location(2)),
            ("/foo/bar/x/y/z", Location(3)),
            ("/foo/barx", Location(1)),
            ("/foox", Location(0)),
            ("/", Location(0)),
        ],
    );
}

#[test]
fn exact_is_exact() {
    let table = plain(&["=/foo", "=/"]);
    check(
        &table,
        &[("/foo", Location(0)), ("/foo/", Nothing), ("/", Location(1)), ("/x", Nothing)],
    );
}

#[test]
fn of_equal_locations_the_first_wins() {
    check(
        &plain(&["/foo/", "/foo/", "=/x", "=/x"]),
        &[("/foo/", Location(0)), ("/x", Location(2))],
    );
}

#[test]
fn a_prefix_without_a_slash_is_matched_by_bytes() {
    let table = plain(&["/", "/healthz", "/healthz/x/", "/healthz/y/+", "/health", "/healthz/+"]);
    check(
        &table,
        &[
            ("/healthz", Location(1)),
            ("/healthzx", Location(1)),
            ("/healthz/z", Location(5)),
            ("/healthz/x/z", Location(2)),
            ("/healthz/y", SlashRedirect(3)),
            ("/healthy", Location(4)),
            ("/heal", Location(0)),
        ],
    );
}

#[test]
fn beside_patterns_exact_paths_come_first_and_prefixes_last() {
    let paths = [
        PathMatch::Pattern("/a".to_owned()),
        PathMatch::Exact("/a".to_owned()),
        PathMatch::Prefix("/healthz".to_owned()),
    ];
    let locations = paths.into_iter().map(|path| location(path, false)).collect();
    let table = PathTable::compile(&host(PathMode::Pattern, locations));
    check(
        &table,
        &[("/a", Location(1)), ("/ab", Location(0)), ("/healthzz", Location(2)), ("/b", Nothing)],
    );
}

#[test]
fn patterns_are_open_ended_and_ignore_case() {
    let table = patterns(&["/v[0-9]+/users", "/a.b", "/foo"]);
    check(
        &table,
        &[
            ("/v12/usersfoo", Location(0)),
            ("/V1/USERS", Location(0)),
            ("/v/users", Nothing),
            ("/axb", Location(1)),
            ("/FOObar", Location(2)),
            ("/x/foo", Nothing),
        ],
    );
}

#[test]
fn the_first_pattern_wins_however_much_it_matches() {
    let table = patterns(&["/foo/bar/[A-Z0-9]{3}", "/foo/bar/bar", "/foo"]);
    check(
        &table,
        &[
            ("/foo/bar/bar", Location(0)),
            ("/foo/bar/b-z", Location(2)),
            ("/foo/bar/b", Location(2)),
        ],
    );
    check(
        &patterns(&["/abc", "/a.c", "/.bc"]),
        &[("/abc", Location(0)), ("/axc", Location(1)), ("/xbc", Location(2))],
    );
    check(&patterns(&["/", "/foo", "/foo(/|$)", "^/foo"]), &[("/foo", Location(0))]);
}

#[test]
fn only_the_first_alternative_is_bound_to_the_start() {
    check(
        &patterns(&["/(?!x)foo|/bar", "/(?=f)fo+"]),
        &[
            ("/foo", Location(0)),
            ("/x/bar", Location(0)),
            ("/fooo", Location(0)),
            ("/x/foo", Nothing),
        ],
    );
    let table = patterns(&["/foo|/bar", "/end$"]);
    check(
        &table,
        &[
            ("/foox", Location(0)),
            ("/x/bar", Location(0)),
            ("/x/foo", Nothing),
            ("/end", Location(1)),
            ("/endx", Nothing),
            ("/end/", Nothing),
        ],
    );
}

#[test]
fn patterns_as_people_write_them() {
    let table = patterns(&[
        "/posts/(.*)/comments",
        "/posts/[^/]+/likes",
        "/.*\\.(php|html)$",
        "/api(/|$)(.*)",
        "/(?!admin|static).*/edit",
        "/users$",
    ]);
    check(
        &table,
        &[
            ("/posts/1/2/comments/x", Location(0)),
            ("/posts/comments", Nothing),
            ("/posts/1/likes", Location(1)),
            ("/posts/1/2/likes", Nothing),
            ("/x/y.PHP", Location(2)),
            ("/x/y.php5", Nothing),
            ("/api", Location(3)),
            ("/api/x", Location(3)),
            ("/apix", Nothing),
            ("/blog/edit", Location(4)),
            ("/admin/edit", Nothing),
            ("/users", Location(5)),
            ("/users\n", Location(5)),
            ("/users\n\n", Nothing),
        ],
    );
}

#[test]
fn a_bad_pattern_is_left_out_and_reported() {
    let table = patterns(&["/a(", "/a", "/b[", "/(?R)"]);
    check(&table, &[("/a", Location(1)), ("/b", Nothing)]);
    let reported: Vec<_> = table.errors().iter().map(|error| error.location).collect();
    assert_eq!(reported, [0, 2, 3]);
    assert_eq!(
        table.errors()[0].to_string(),
        "pattern of location 0: group without an end at byte 3"
    );
}

#[test]
fn a_pattern_without_end_is_refused_only_if_it_decides() {
    let bomb = "/(?!z)((a|aa)+)\\1x";
    let path = format!("/{}x", "a".repeat(501));
    check(&patterns(&[bomb, "/b"]), &[(&path, Exhausted), ("/b", Location(1))]);
    check(&patterns(&["/a", bomb]), &[(&path, Location(0))]);
    check(&patterns(&[bomb, "/a"]), &[(&path, Exhausted)]);
}

#[test]
fn many_patterns_behind_one_text_are_told_apart() {
    let paths: Vec<String> = (0..50).rev().map(|n| format!("/v[0-9]+/svc-{n}(/|$)(.*)")).collect();
    let table = patterns(&paths);
    check(
        &table,
        &[
            ("/v1/svc-7", Location(42)),
            ("/V22/SVC-49/x", Location(0)),
            ("/v1/svc-49\n", Location(0)),
            ("/v1/svc-50", Nothing),
            ("/v1/svc-4x", Nothing),
        ],
    );
}

/// What nginx does, without any table.
fn reference(locations: &[(bool, String, bool)], path: &str) -> Found {
    let find = |wanted: &dyn Fn(&(bool, String, bool)) -> bool| locations.iter().position(wanted);
    if let Some(index) = find(&|(exact, text, _)| *exact && text == path) {
        return Location(index);
    }
    let slashed = format!("{path}/");
    let itself = find(&|(exact, text, _)| !exact && text == path);
    let redirects = locations.iter().any(|(_, text, redirect)| *text == slashed && *redirect);
    if itself.is_none() && redirects {
        let exact = find(&|(exact, text, _)| *exact && *text == slashed);
        let target = exact.or_else(|| find(&|(_, text, _)| *text == slashed));
        return target.map_or(Nothing, SlashRedirect);
    }
    let fits = |(exact, text, _): &&(bool, String, bool)| !exact && path.starts_with(text.as_str());
    let longest = locations.iter().filter(fits).map(|(_, text, _)| text.len()).max();
    let index = find(&|(exact, text, _)| {
        !exact && path.starts_with(text.as_str()) && Some(text.len()) == longest
    });
    index.map_or(Nothing, Location)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn plain_hosts_agree_with_the_obvious_implementation(
        locations in prop::collection::vec((any::<bool>(), "/|(/[ab]{1,2}){1,4}/?", any::<bool>()), 0..12),
        paths in prop::collection::vec("/|(/[ab]{1,3}){1,5}/?", 1..12),
    ) {
        let texts: Vec<String> = locations.iter().map(|(exact, text, redirect)| {
            let redirect = *redirect && text.ends_with('/');
            format!("{}{text}{}", if *exact { "=" } else { "" }, if redirect { "+" } else { "" })
        }).collect();
        let locations: Vec<_> = locations.into_iter().map(|(exact, text, redirect)| {
            let redirect = redirect && text.ends_with('/');
            (exact, text, redirect)
        }).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let table = plain(&texts);
        for path in paths {
            prop_assert_eq!(table.find(path.as_bytes()), reference(&locations, &path), "{} in {:?}", path, texts);
        }
    }
}
