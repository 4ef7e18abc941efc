//! Regular-expression hosts agree with PCRE2 tried in order.

use pcre2::bytes::RegexBuilder;
use proptest::prelude::*;

use super::{
    super::Found::{Exhausted, Location, Nothing},
    patterns,
};
use crate::route::pattern::tests::{cases, generate};

/// A pattern, and what in it differs from its neighbours' is a number.
fn families() -> impl Strategy<Value = String> {
    let shape = prop::sample::select(vec![
        "/v[0-9]+/s#(/|$)(.*)",
        "/s#(/|$)(.*)",
        "/s#",
        "/[^/]+/s#$",
        "/.*\\.s#$",
        "/(a|b)/s#/?(.*)",
        "/S#/\\d+",
        "/s#.*",
        "/x|/s#",
        "/(?=x)|/s#",
        "/s#(?!/)|x",
        "/s#\\b",
        "/(?!s#)s",
        "/[a-c]+/#",
        "/#(?=/)",
        "/v[12]/s#",
        "/s#/[^/]+/x",
        "/(.*)s#",
        "/\\w+#",
        "/s{0}#+",
        "/.#\\n?$",
    ]);
    (shape, 0..12_u8).prop_map(|(shape, number)| shape.replace('#', &number.to_string()))
}

fn family_path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "v1", "s1", "s", "S11", "3", "/", "/", "x", "a", "b", ".s2", "\n", "-", "10",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Tries all patterns in order, as nginx does.
fn reference(patterns: &[String], path: &str) -> Option<usize> {
    patterns.iter().position(|pattern| {
        let regex = RegexBuilder::new().caseless(true).build(&format!("^{pattern}"));
        regex.is_ok_and(|regex| regex.is_match(path.as_bytes()).unwrap_or(false))
    })
}

fn compare(texts: &[String], paths: &[String]) -> Result<(), TestCaseError> {
    let table = patterns(texts);
    let unsupported: Vec<usize> = table.errors().iter().map(|error| error.location).collect();
    for path in paths {
        let expected = reference(texts, path);
        // what only PCRE2 supports may win there
        if expected.is_some_and(|index| unsupported.contains(&index)) {
            continue;
        }
        let found = table.find(path.as_bytes());
        if found != Exhausted {
            prop_assert_eq!(found, expected.map_or(Nothing, Location), "{:?} in {:?}", path, texts);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(150)))]

    #[test]
    fn few_patterns_agree_with_pcre_in_order(
        texts in prop::collection::vec(generate::pattern(), 1..6),
        paths in prop::collection::vec(generate::path(), 1..8),
    ) {
        let texts: Vec<String> = texts.iter().map(|text| text.strip_prefix('^').unwrap_or(text).to_owned()).collect();
        compare(&texts, &paths)?;
    }

    #[test]
    fn many_similar_patterns_agree_with_pcre_in_order(
        texts in prop::collection::vec(families(), 1..60),
        paths in prop::collection::vec(family_path(), 1..12),
    ) {
        compare(&texts, &paths)?;
    }
}
