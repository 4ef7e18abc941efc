//! How patterns are written: escapes, classes, options, quantifiers.

use super::{PATHS, agree, both_refuse, pcre};

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
