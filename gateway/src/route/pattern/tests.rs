//! Patterns have the meaning that PCRE2 gives them: facts, and a comparison with PCRE2 itself.

pub(crate) mod generate;

use pcre2::bytes::RegexBuilder;
use proptest::prelude::*;

use super::{
    Pattern,
    engine::{Exhausted, Finder, Matcher, Slots},
    fancy::Fancy,
    hir::subject,
};

type Groups = Vec<Option<(usize, usize)>>;

/// The groups of the leftmost match by our engines.
fn ours(pattern: &Pattern, text: &[u8]) -> Result<Option<Groups>, Exhausted> {
    let count = pattern.groups as usize + 1;
    if !pattern.node.is_regular() {
        let fancy = Fancy::new(pattern, &pattern.node).map_err(|_| Exhausted)?;
        return fancy.find(text);
    }
    let finder = Finder::new(&pattern.node).expect("small enough");
    let mut slots = vec![None; count * 2];
    let slots: &mut Slots = &mut slots;
    let found = finder.find(&subject(text), slots)?;
    let group = |pair: &[Option<regex_automata::util::primitives::NonMaxUsize>]| {
        Some((pair[0]?.get(), pair[1]?.get()))
    };
    Ok(found.then(|| slots.chunks(2).map(group).collect()))
}

fn pcre(pattern: &str) -> Result<pcre2::bytes::Regex, pcre2::Error> {
    RegexBuilder::new().caseless(true).build(pattern)
}

/// The groups of the leftmost match by PCRE2.
fn theirs(regex: &pcre2::bytes::Regex, text: &[u8]) -> Option<Groups> {
    let found = regex.captures(text).ok()??;
    let span =
        |index| found.get(index).map(|group: pcre2::bytes::Match<'_>| (group.start(), group.end()));
    Some((0..found.len()).map(span).collect())
}

/// `\K` moves the start of the whole match, which routing does not use.
fn without_whole(groups: Option<Groups>) -> Option<Groups> {
    groups.map(|groups| groups[1..].to_vec())
}

#[track_caller]
fn agree(pattern: &str, texts: &[&str]) {
    let parsed = Pattern::parse(pattern);
    let regex = pcre(pattern);
    assert!(regex.is_ok(), "PCRE2 refuses {pattern:?}");
    let (Ok(parsed), Ok(regex)) = (parsed, regex) else {
        unreachable!("{pattern:?} is refused");
    };
    for text in texts {
        let ours = ours(&parsed, text.as_bytes()).map(without_whole);
        let theirs = without_whole(theirs(&regex, text.as_bytes()));
        assert_eq!(ours, Ok(theirs), "{pattern:?} on {text:?}");
    }
}

#[track_caller]
fn both_refuse(pattern: &str) {
    assert!(pcre(pattern).is_err(), "PCRE2 takes {pattern:?}");
    assert!(Pattern::parse(pattern).is_err(), "{pattern:?} is taken");
}

const PATHS: &[&str] = &[
    "/",
    "/foo",
    "/foo/",
    "/foo/bar",
    "/FOO/Bar/baz",
    "/foobar",
    "/api/v1/users/12",
    "/api",
    "/api/",
    "/a.b",
    "/axb",
    "/x/foo",
    "/foo\n",
    "/foo\n\n",
    "/foo/\n",
    "/foo\nbar",
    "/café",
    "/CAF\u{c9}",
    "/a b/%20",
    "/x/y.PHP",
    "/posts/1/2/comments/x",
    "/v12/users",
    "/aa/bb/aa",
    "/foo?d",
    "/{id}/x{2}",
    "/\t\r\x0b",
    "/a-b_c",
    "/foo//x",
];

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
fn escapes_mean_bytes() {
    for pattern in [
        "\\x41",
        "\\x{41}",
        "\\x{ 41 }",
        "\\x4",
        "\\101",
        "\\o{101}",
        "\\0101",
        "\\cA",
        "\\e\\f\\a",
        "[\\x41-\\x43]",
        "[\\101\\8]",
        "\\Q.*\\E",
        "\\Qa.b",
        "[\\Q]-\\E]",
        "a\\Q\\E*",
        "\\Q\\Ea",
        "a\\E*",
        "\\h+(.*)",
        "\\H+",
        "\\v",
        "\\V+",
        "\\R",
        "\\N+",
        "\\N{2}",
        "\\C{2}",
        "\\G/foo",
        "/foo\\Kbar(.*)",
        "[\\b]",
        "[\\d-]",
        "[\\w.-]+",
        "[\\s\\S]+",
        "\\d+",
        "\\D+",
        "[^\\W]+",
        "[\\h]",
        "[[:alpha:]]+",
        "[[:^alpha:]]+",
        "[[:upper:]]+",
        "[[:punct:]]",
        "[]a]+",
        "[^]a]+",
        "[a\\]b]+",
        "[[]",
        "[[:]",
        "[a[:digit:]-]+",
        "[[:word:]-]+",
        "[A-_]+",
        "\\.\\/\\-",
        "\\é",
    ] {
        agree(pattern, PATHS);
        agree(
            pattern,
            &["A", ".*", "a.b", "]-", "\x01\x1b\x0c\x07", "a\u{a0}b", "\u{85}", "\r\n\x08", "[:a]"],
        );
    }
}

#[test]
fn options_inside_a_pattern() {
    for pattern in [
        "(?x) / f o o # comment\n (.*)",
        "(?xx)/[f o]+",
        "(?x)a +",
        "/(?#comment)foo(?#)*",
        "(?U)/f.*(.*)/",
        "(?U)/f.*?(.*)",
        "/(?-i:F)oo",
        "/(?-i)f(?i)OO",
        "(a(?-i)b|C)",
        "((?-i)F)OO",
        "(?s)^(.*)$",
        "(?n)(f)(?<x>o)",
        "(?^)foo",
        "(?i-s:a.)",
        "/foo(?:)(?i)bar",
        "f(?i)?o|(?:)",
        "(?-i:[F])",
    ] {
        if pcre(pattern).is_ok() {
            agree(pattern, PATHS);
            agree(pattern, &["ab", "aB", "AB", "c", "C", "Foo", "foO", "fOO"]);
        } else {
            both_refuse(pattern);
        }
    }
}

#[test]
fn quantifiers() {
    for pattern in [
        "o{2}",
        "o{1,}",
        "o{,2}b",
        "o{ 1 , 2 }",
        "o{2",
        "o{,}",
        "o{x}",
        "o{1,2,3}",
        "(o|f){2}?(.*)",
        "/fo*?(.*)",
        "o{0}b",
        "x{2}",
        "(a){0}(b)\\2?",
        "/f(o?){3}(.*)",
        "/(?:f|o)+?b",
        "(/[^/]*)*",
        "(?:/([^/]*))*",
        "((a)|b)*(.*)",
        "/(a|ab)(c|bcd)*",
    ] {
        agree(pattern, PATHS);
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
fn what_pcre_refuses_is_refused() {
    for pattern in [
        "/foo(",
        "/foo)",
        "[",
        "[a",
        "[z-a]",
        "[a-\\d]",
        "[\\d-a]",
        "a**",
        "a{2}{3}",
        "*",
        "/(*)",
        "a|*",
        "^*",
        "$+",
        "\\b?",
        "(?",
        "(?<",
        "(?<1a>b)",
        "(?<a>b)(?<a>c)",
        "\\",
        "\\1",
        "(a)\\2",
        "\\g{5}",
        "\\k<x>",
        "[[:nope:]]",
        "[:alpha:]",
        "\\i",
        "\\j",
        "\\y",
        "[\\B]",
        "[\\R]",
        "\\x{100}",
        "\\400",
        "\\o{400}",
        "\\o",
        "\\x{}",
        "\\x{zz}",
        "\\x",
        "\\c",
        "(?#",
        "(?z)",
        "(?i",
        "{2}",
        "a{3,2}",
        "a{65536}",
        "(x)(?(1)a|b|c)",
        "\\L",
        "\\N{U+41}",
        "[\\N]",
        "[a\\Qb]",
        "(?i-i-i)",
        "\\Q**\\E**",
        "(?=a\\K)",
    ] {
        both_refuse(pattern);
    }
}

#[test]
fn what_cannot_be_expressed_is_refused() {
    for pattern in [
        "(a(?1)?b)",
        "(?R)",
        "(?&x)(?<x>a)",
        "(*FAIL)",
        "(?|(a)|(b))",
        "\\p{L}",
        "\\X",
        "(?C1)a",
        "(?(1)a)(b)",
        "(?<=a+b)c",
        "a{60000}",
        "(?:a{200}){200}",
    ] {
        assert!(Pattern::parse(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn too_deep_groups_are_refused() {
    let nested = |depth| format!("{}a{}", "(?:".repeat(depth), ")".repeat(depth));
    assert!(Pattern::parse(&nested(250)).is_ok());
    assert!(Pattern::parse(&nested(251)).is_err());
}

#[test]
fn a_catastrophic_pattern_is_stopped() {
    let pattern = Pattern::parse("^/(?!z)((a|aa)+)\\1x").expect("a good pattern");
    let fancy = Fancy::new(&pattern, &pattern.node).expect("supported");
    let path = format!("/{}x", "a".repeat(501));
    assert_eq!(fancy.matches_at(path.as_bytes(), 0), Err(Exhausted));
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1500)))]

    /// For patterns of the kinds that people write, groups included.
    #[test]
    fn agrees_with_pcre(pattern in generate::pattern(), texts in prop::collection::vec(generate::path(), 1..6)) {
        compare(&pattern, &texts)?;
    }

    /// For any text as a pattern: the same ones are refused.
    #[test]
    fn refuses_what_pcre_refuses(pattern in generate::noise(), texts in prop::collection::vec(generate::path(), 1..4)) {
        compare(&pattern, &texts)?;
    }
}

/// The number of cases, which the environment can raise.
pub(crate) fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn compare(pattern: &str, texts: &[String]) -> Result<(), TestCaseError> {
    let parsed = Pattern::parse(pattern);
    let Ok(regex) = pcre(pattern) else {
        prop_assert!(parsed.is_err(), "PCRE2 refuses {:?}", pattern);
        return Ok(());
    };
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            prop_assert!(
                error.reason.contains("not supported"),
                "PCRE2 takes {:?}: {}",
                pattern,
                error
            );
            return Ok(());
        }
    };
    for text in texts {
        let Ok(ours) = ours(&parsed, text.as_bytes()) else { continue };
        let theirs = theirs(&regex, text.as_bytes());
        prop_assert_eq!(without_whole(ours), without_whole(theirs), "{:?} on {:?}", pattern, text);
    }
    Ok(())
}
