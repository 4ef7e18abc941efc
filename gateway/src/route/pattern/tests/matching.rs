//! What patterns match.

use super::{
    super::{Pattern, engine::Matcher, fancy::Fancy},
    PATHS, agree, pcre,
};

#[test]
fn patterns_as_people_write_them() {
    for pattern in [
        "^/foo",
        "^/foo/?(.*)",
        "^/foo(/|$)(.*)",
        "^/foo(/.*)?",
        "^/foo(?:/(.*))?$",
        "^/foo/(.+)",
        "^/foo.+",
        "^/posts/(.*)/comments",
        "^/posts/[^/]+/likes",
        "^/v[0-9]+/users",
        "^/.*\\.(php|html)$",
        "^/foo|/bar",
        "^/end$",
        "^/foo/$",
        "^/foo$",
        "^/(?!foo).*",
        "^/foo(?!/bar)(/|$)(.*)",
        "^/((?:foo|api)(?:/.*)?)",
        "^/([^/]+)/([^/]+)/(.*)",
        "/a/(.*)|/b/(.*)",
        "^/(?<rest>.*)",
        "^/(?P<rest>.*)",
        "^/(?'rest'.*)",
        "^/()(.*)",
        "^/(\\w+)/(\\d+)",
        "^/[A-Z]+/",
        "^/foo\\b",
        "^/foo*",
        "^/.{3}$",
        "^/[a-z]{2}/",
        "^/foo/(?=.*z)",
        "^/^foo",
        "^/(?-i)foo",
        "^/(?i)foo",
        "^/(?i:FOO)/",
        "^/(.+)/foo",
        "^/café",
        "^/[é]",
        "^/é+",
        "^/a\\.b",
        "^/a\\/b",
        "^/foo/\\*",
        "^/\\{id\\}",
        "^/{id}",
        "^/(api|foo)/v(\\d+)/(.*)",
        "^/foo[/]?$",
        "^/$",
        "^/",
    ] {
        agree(pattern, PATHS);
    }
}

#[test]
fn a_dollar_also_matches_before_the_last_newline() {
    for pattern in [
        "^/foo$",
        "^/foo(/|$)(.*)",
        "^/foo(.*)$",
        "^/foo(/|$)\\n",
        "^/foo($)(\\s*)",
        "^/foo\\Z(.*)",
        "^/foo\\z",
        "^/foo[^x]$",
        "^/foo\\s$",
        "^/foo(.)$",
        "^/foo(?s)(.*)$",
        "^/foo.*$(.*)",
        "/foo\\n$",
        "^(.*?)$",
        "^/foo$(?<=o)(.?)",
        "(?m)^/foo$(.*)",
        "(?m)^(.*)$",
        "(?m)(^|o)$",
        "(?sm)^bar",
        "^/foo\\R$",
        "^/foo\\R?",
    ] {
        agree(
            pattern,
            &[
                "/foo",
                "/foo\n",
                "/foo\n\n",
                "/foo/\n",
                "/foo/x\n",
                "/foo\r\n",
                "/foo\nbar",
                "/foox",
            ],
        );
    }
}

#[test]
fn what_is_not_regular() {
    for pattern in [
        "/(?=foo)(.*)",
        "/(?!foo)(.*)",
        "/foo(?<=oo)(.*)",
        "/foo(?<!x)(.*)",
        "/(?>foo|foobar)(.*)",
        "/fo++(.*)",
        "/fo*+o",
        "/[^/]++/(.*)",
        "/(\\w+)/bb/\\1",
        "/(\\w+)/.*/\\g{1}",
        "/(?<a>\\w+)/.*/\\k<a>",
        "/(?<a>\\w+)/.*/\\k{a}",
        "/(\\w+)/.*/\\g{-1}",
        "/(\\w+)/.*/(?P=a)?",
        "/(f)?(?(1)oo|api)(.*)",
        "/(?<n>f)?(?(<n>)oo|api)(.*)",
        "/(?(?=f)a|b)",
        "(?=.*bar)(?!.*baz)/(.*)",
        "^(?!.*(foo|api)).*$",
        "^/(?!(foo|api)(/|$))(.*)",
        "(?<=/)foo(.*)",
        "(?<=^|/)foo(.*)",
        "/foo(?=(/bar))(.*)",
        "(/[^/]+){2}(?!.)",
        "/(?=(.*))\\1",
        "(?i)/(a)a/(b)\\2/\\1\\1",
    ] {
        if Pattern::parse(pattern).is_ok() && pcre(pattern).is_ok() {
            agree(pattern, PATHS);
        }
    }
}

#[test]
fn a_match_is_tested_at_one_position_with_what_is_before_it_in_view() {
    let check = |pattern: &str, at, expected| {
        let pattern = Pattern::parse(pattern).expect("a good pattern");
        let found = if pattern.node.is_regular() {
            Matcher::new(&pattern.node).expect("small enough").matches_at(b"/foo-bar", at)
        } else {
            Fancy::new(&pattern, &pattern.node).expect("supported").matches_at(b"/foo-bar", at)
        };
        assert_eq!(found, Ok(expected), "{pattern:?} at {at}");
    };
    check("foo", 1, true);
    check("foo", 0, false);
    check("o", 1, false);
    check("\\bbar", 5, true);
    check("\\boo", 2, false);
    check("\\Afoo", 1, false);
    check("(?<=-)bar", 5, true);
    check("(?!foo)", 1, false);
    check("(?=b)", 1, false);
}
