//! `load-balance`, `upstream-hash-by`, `session-cookie-*`, `canary-*` as one Ingress says them.

use headgate_config::balance::{Balance, SameSite};

use super::*;

/// What is read, and reasons and beginnings of the findings.
fn balance(annotations: &[(&str, &str)]) -> (Balance, Vec<String>) {
    let (read, findings) = try_read(annotations).expect("it is served");
    (read.balance.clone(), findings.into_iter().map(|finding| finding.message).collect())
}

#[test]
fn words_that_need_something_else_are_as_round_robin() {
    for (word, expected, warns) in [
        ("ewma", Balance::Ewma, false),
        (" ewma ", Balance::Ewma, false),
        ("round_robin", Balance::RoundRobin, false),
        ("chash", Balance::RoundRobin, true),
        ("sticky_balanced", Balance::RoundRobin, true),
    ] {
        let (balance, findings) = balance(&[("load-balance", word)]);
        assert_eq!((balance, !findings.is_empty()), (expected, warns), "{word}");
    }
    assert_eq!(balance(&[("load-balance", "sticky_balanced"), ("affinity", "cookie")]).1, [""; 0]);
    assert!(try_read(&[("load-balance", "least")]).is_err());
}

#[test]
fn a_hash_goes_first_and_has_groups_of_three_unless_another_size_makes_sense() {
    let by = ("upstream-hash-by", "$request_uri$host");
    let on = ("upstream-hash-by-subset", "true");
    let size = |size| ("upstream-hash-by-subset-size", size);
    for (annotations, expected) in [
        (&[by, ("load-balance", "ewma")][..], None),
        (&[by, size("5")], None),
        (&[by, on], Some(3)),
        (&[by, on, size("5")], Some(5)),
        (&[by, on, size("0")], Some(3)),
        (&[by, on, size("-2")], Some(3)),
    ] {
        let (Balance::Hash(hash), _) = balance(annotations) else { panic!("{annotations:?}") };
        assert_eq!(hash.subset.map(std::num::NonZeroU32::get), expected, "{annotations:?}");
    }
    // One that is empty makes the reference skip all of them.
    assert_eq!(balance(&[by, ("upstream-hash-by-subset", "")]).0, Balance::RoundRobin);
    assert_eq!(balance(&[on]).0, Balance::RoundRobin);
    let (_, findings) = balance(&[("upstream-hash-by", "$request_uri$typo")]);
    assert_eq!(
        findings,
        [
            "upstream-hash-by: there is no variable $typo; it is empty for every request: name another"
        ]
    );
}

#[test]
fn a_cookie_is_made_of_what_makes_sense() {
    let read = |annotations: &[(&str, &str)]| {
        let with = [&[("affinity", "cookie")], annotations].concat();
        let (read, findings) = try_read(&with).expect("it is served");
        (read.affinity.clone().unwrap().cookie.clone().unwrap(), findings.len())
    };
    let (plain, _) = read(&[]);
    assert_eq!(
        (plain.name.as_str(), plain.same_site, plain.secure),
        ("INGRESSCOOKIE", None, false)
    );
    for (name, value, expected, findings) in [
        ("session-cookie-expires", "172800", Some(172_800), 0),
        ("session-cookie-expires", "-1", Some(-1), 0),
        ("session-cookie-expires", "0", Some(0), 0),
        ("session-cookie-expires", "x5", None, 1),
        ("session-cookie-expires", "soon", None, 1),
    ] {
        let (cookie, found) = read(&[(name, value)]);
        assert_eq!((cookie.expires, found), (expected, findings), "{value}");
    }
    for (value, expected) in [
        ("None", Some(SameSite::None)),
        ("Lax", Some(SameSite::Lax)),
        ("Strict", Some(SameSite::Strict)),
        ("lax", None),
    ] {
        assert_eq!(read(&[("session-cookie-samesite", value)]).0.same_site, expected, "{value}");
    }
    assert_eq!(read(&[("use-regex", "true")]).1, 1, "its path is of no use");
    assert_eq!(read(&[("use-regex", "true"), ("session-cookie-path", "/")]).1, 0);
    let (read, _) = try_read(&[("session-cookie-name", "a"), ("affinity", "ip")]).unwrap();
    assert_eq!(read.affinity, None);
}

#[test]
fn a_canary_has_a_share_within_bounds() {
    for (weight, total, expected) in [
        ("10", "", (10, 100)),
        ("-5", "10", (0, 100)),
        ("50", "1000", (50, 1000)),
        ("9999999999", "9999999999", (u32::MAX, u32::MAX)),
    ] {
        let annotations =
            [("canary", "true"), ("canary-weight", weight), ("canary-weight-total", total)];
        let (read, _) = try_read(&annotations).unwrap();
        let rules = read.canary_rules.clone().unwrap();
        assert_eq!((rules.weight, rules.total), expected, "{weight} of {total}");
        let (read, _) = try_read(&annotations[1..]).unwrap();
        assert!(!read.canary && read.canary_rules.is_none(), "without it they mean nothing");
    }
}

#[test]
fn shares_that_are_none_are_named_with_what_counts() {
    for (annotations, says) in [
        (
            &[("canary-weight", "150")][..],
            "canary-weight: 150 is more than canary-weight-total, 100: all requests",
        ),
        (&[("canary-weight", "-1")], "canary-weight: -1 is negative and counts as 0"),
        (
            &[("canary-weight", "5"), ("canary-weight-total", "50")],
            "canary-weight-total: 50 is less than 100, which counts instead",
        ),
        (
            &[("canary-weight", "5"), ("canary-by-header-value", "x")],
            "canary-by-header-value has no effect without canary-by-header",
        ),
        (&[], "canary: none of canary-weight, canary-by-header and canary-by-cookie is set"),
    ] {
        let message = finding(&[annotations, &[("canary", "true")]].concat()).1.message;
        assert!(message.starts_with(says), "{message}");
    }
    for fine in [("canary-weight", "0"), ("canary-weight", "100"), ("canary-by-cookie", "c")] {
        means(&[("canary", "true"), fine]);
    }
}
