//! Patterns have the meaning that PCRE2 gives them: facts, and a comparison with PCRE2 itself.

pub(crate) mod generate;
mod matching;
mod refusals;
mod syntax;

use pcre2::bytes::RegexBuilder;
use proptest::prelude::*;

use super::{
    Pattern,
    engine::{Exhausted, Finder, Slots},
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
