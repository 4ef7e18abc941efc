//! Patterns that are refused, and matching that is given up.

use super::{
    super::{Pattern, engine::Exhausted, fancy::Fancy},
    both_refuse,
};

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
