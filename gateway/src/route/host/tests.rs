//! Facts of host look-up, as observed on the reference, and a comparison with an obvious implementation.

use headgate_config::PathMode;
use pcre2::bytes::RegexBuilder;
use proptest::prelude::*;

use super::*;
use crate::route::sample;

fn pattern(text: &str) -> HostPattern {
    match text {
        "_" => HostPattern::Default,
        _ => HostPattern::OneLabel(match text.strip_prefix("*.") {
            Some(parent) => parent.to_owned(),
            None => return HostPattern::Exact(text.to_owned()),
        }),
    }
}

fn alias(text: &str) -> HostPattern {
    if let Some(regex) = text.strip_prefix('~') {
        HostPattern::Regex(regex.to_owned())
    } else if let Some(parent) = text.strip_prefix("*.") {
        HostPattern::AnyDepth(parent.to_owned())
    } else if let Some(name) = text.strip_prefix('.') {
        HostPattern::SelfAndBelow(name.to_owned())
    } else if let Some(text) = text.strip_suffix(".*") {
        HostPattern::Trailing(text.to_owned())
    } else {
        HostPattern::Exact(text.to_owned())
    }
}

fn hosts(names: &[(&str, &[&str])]) -> Vec<Host> {
    let host = |(name, aliases): &(&str, &[&str])| Host {
        name: (*name).to_owned(),
        pattern: pattern(name),
        aliases: aliases.iter().map(|text| alias(text)).collect(),
        ..sample::host(PathMode::Literal, Vec::new())
    };
    names.iter().map(host).collect()
}

fn table(names: &[(&str, &[&str])]) -> HostTable<String> {
    HostTable::new(hosts(names).iter().map(|host| (host, host.name.clone())))
}

#[track_caller]
fn check(names: &[(&str, &[&str])], cases: &[(&str, &str)]) {
    let table = table(names);
    for (name, expected) in cases {
        let found = table.find(name.as_bytes()).map_or("", String::as_str);
        assert_eq!(found, *expected, "{name}");
    }
}

#[test]
fn unknown_names_go_to_the_default_host() {
    check(
        &[("_", &[]), ("a.test", &[])],
        &[("a.test", "a.test"), ("b.test", "_"), ("", "_"), ("[::1]", "_"), ("_", "_")],
    );
    check(&[("a.test", &[])], &[("b.test", "")]);
}

#[test]
fn a_wildcard_host_takes_exactly_one_label() {
    check(
        &[("*.a.test", &[])],
        &[
            ("x.a.test", "*.a.test"),
            ("x-y_1.a.test", "*.a.test"),
            ("x.y.a.test", ""),
            ("a.test", ""),
            (".a.test", ""),
            ("é.a.test", ""),
            ("xa.test", ""),
        ],
    );
}

#[test]
fn an_exact_name_comes_before_wildcards() {
    check(
        &[("*.a.test", &["*.b.test"]), ("x.a.test", &["x.b.test"])],
        &[("x.a.test", "x.a.test"), ("x.b.test", "x.a.test"), ("y.b.test", "*.a.test")],
    );
}

#[test]
fn an_alias_wildcard_takes_any_depth_and_beats_a_wildcard_host() {
    check(
        &[("*.w.a.test", &[]), ("b.test", &["*.a.test"])],
        &[
            ("x.a.test", "b.test"),
            ("x.y.a.test", "b.test"),
            ("x.w.a.test", "b.test"),
            (".a.test", "b.test"),
            ("a.test", ""),
        ],
    );
}

#[test]
fn the_longest_alias_wildcard_wins() {
    check(
        &[("a", &["*.test"]), ("b", &["*.x.test"]), ("c", &["www.*"]), ("d", &["www.x.*"])],
        &[
            ("y.x.test", "b"),
            ("x.test", "a"),
            ("www.x.com", "d"),
            ("www.y.com", "c"),
            ("www.x", "c"),
            ("www", ""),
            ("www.x.test", "b"),
        ],
    );
}

#[test]
fn an_alias_with_a_leading_dot_takes_the_name_itself_from_hosts_behind() {
    check(
        &[("a.test", &[".b.test"]), ("b.test", &[])],
        &[("b.test", "a.test"), ("x.y.b.test", "a.test")],
    );
    check(&[("b.test", &[]), ("c.test", &[".b.test"])], &[("b.test", "b.test"), ("x.b.test", "")]);
}

#[test]
fn of_two_equal_aliases_that_of_the_first_host_counts() {
    check(
        &[("a.test", &["x.test", "*.y"]), ("b.test", &["x.test", "*.y"])],
        &[("x.test", "a.test"), ("a.y", "a.test")],
    );
}

#[test]
fn regular_expressions_and_wildcard_hosts_are_tried_in_the_order_of_the_hosts() {
    check(
        &[("*.a.test", &[]), ("b.test", &["~^.+\\.a\\.test$"]), ("y.a.test", &[])],
        &[("y.a.test", "y.a.test"), ("x.a.test", "*.a.test"), ("x.y.a.test", "b.test")],
    );
    check(&[("!", &["~A.test"]), ("*.a.test", &[])], &[("x.a.test", "!"), ("za.test.org", "!")]);
    check(&[("a", &["~^(?!x\\.).*\\.test$"]), ("_", &[])], &[("y.test", "a"), ("x.test", "_")]);
}

#[test]
fn a_bad_regular_expression_is_left_out_and_reported() {
    let table = table(&[("a.test", &["~(", "~b"]), ("_", &[])]);
    assert_eq!(table.find(b"b").map(String::as_str), Some("a.test"));
    assert_eq!(table.errors().len(), 1);
    assert_eq!(
        table.errors()[0].to_string(),
        "alias \"(\" of host a.test: group without an end at byte 1"
    );
}

#[test]
fn a_request_without_a_host_is_not_matched_against_regular_expressions() {
    check(&[("_", &[]), ("a", &["~.*"])], &[("", "_"), ("x", "a")]);
}

/// Goes through all names for every step.
fn reference(hosts: &[Host], name: &str) -> Option<String> {
    let mut exact: Vec<(&str, &Host)> = Vec::new();
    let mut below: Vec<(&str, &Host)> = Vec::new();
    let names: Vec<_> = hosts
        .iter()
        .flat_map(|host| {
            std::iter::once(&host.pattern).chain(&host.aliases).map(move |n| (n, host))
        })
        .collect();
    for (pattern, host) in &names {
        match pattern {
            HostPattern::Exact(text) => exact.push((text, host)),
            HostPattern::AnyDepth(text) => below.push((text, host)),
            HostPattern::SelfAndBelow(text) => {
                let known = |list: &[(&str, &Host)]| list.iter().any(|(name, _)| name == text);
                if !known(&exact) && !known(&below) {
                    exact.push((text, host));
                    below.push((text, host));
                }
            }
            _ => {}
        }
    }
    if let Some((_, host)) = exact.iter().find(|(text, _)| *text == name) {
        return Some(host.name.clone());
    }
    let longest = |list: Vec<(&str, &Host)>| {
        let length = list.iter().map(|(text, _)| text.len()).max()?;
        list.iter().find(|(text, _)| text.len() == length).map(|(_, host)| host.name.clone())
    };
    below.retain(|(text, _)| name.ends_with(&format!(".{text}")));
    let trailing = names.iter().filter_map(|(pattern, host)| match pattern {
        HostPattern::Trailing(text) if name.starts_with(&format!("{text}.")) => {
            Some((text.as_str(), *host))
        }
        _ => None,
    });
    let in_order = names.iter().find(|(pattern, _)| {
        let regex = match pattern {
            HostPattern::OneLabel(parent) => format!("^[\\w-]+\\.{}$", parent.replace('.', "\\.")),
            HostPattern::Regex(regex) => regex.clone(),
            _ => return false,
        };
        let regex = RegexBuilder::new().caseless(true).build(&regex).expect("a good pattern");
        regex.is_match(name.as_bytes()).expect("no limit")
    });
    longest(below)
        .or_else(|| longest(trailing.collect()))
        .or_else(|| in_order.map(|(_, host)| host.name.clone()))
        .or_else(|| {
            names
                .iter()
                .find(|(p, _)| **p == HostPattern::Default)
                .map(|(_, host)| host.name.clone())
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn agrees_with_the_obvious_implementation(
        rules in prop::collection::btree_map(
            "(\\*\\.)?[ab](\\.[ab]){0,2}|_",
            prop::collection::vec("[ab](\\.[ab]){0,2}|\\*\\.[ab](\\.[ab])?|\\.[ab](\\.[ab])?|[ab](\\.[ab])?\\.\\*|~\\^?[ab.](\\\\\\.a)?\\$?", 0..3),
            0..6,
        ),
        names in prop::collection::vec("\\.?[ab](\\.[abc]){0,3}", 1..10),
    ) {
        let rules: Vec<(&str, Vec<&str>)> =
            rules.iter().map(|(name, aliases)| (name.as_str(), aliases.iter().map(String::as_str).collect())).collect();
        let rules: Vec<(&str, &[&str])> = rules.iter().map(|(name, aliases)| (*name, aliases.as_slice())).collect();
        let table = table(&rules);
        for name in names {
            prop_assert_eq!(table.find(name.as_bytes()).cloned(), reference(&hosts(&rules), &name), "{} in {:?}", name, rules);
        }
    }
}
