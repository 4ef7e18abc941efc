//! Random patterns and paths.

use proptest::prelude::*;

const WORDS: &[&str] = &["a", "b", "foo", "ab", "v1", "/", "/foo", "/a", "-", "X", "\n", "é"];

const SETS: &[&str] = &[
    ".",
    "[^/]",
    "[a-b]",
    "[^a]",
    "\\d",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "[ab/]",
    "\\.",
    "/",
    "[[:alpha:]]",
    "\\n",
    "[^\\n]",
    "\\h",
];

fn atom() -> impl Strategy<Value = String> {
    let fixed = prop_oneof![3 => prop::sample::select(WORDS), 2 => prop::sample::select(SETS)];
    fixed.prop_map(str::to_owned)
}

/// What one quantifier applies to.
fn item() -> impl Strategy<Value = &'static str> {
    prop_oneof![1 => prop::sample::select(vec!["a", "b", "/", "-", "X", "\n", "é"]), 1 => prop::sample::select(SETS)]
}

fn look() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["^", "$", "\\b", "\\B", "\\z", "\\Z", "\\A"]).prop_map(str::to_owned)
}

/// A pattern of nested groups, alternatives and quantifiers.
pub fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![16 => atom(), 2 => look(), 1 => Just("\\1".to_owned())];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        let quantifier = prop::sample::select(vec!["*", "+", "?", "{2}", "{1,2}", "*?", "+?", "??", "{0,1}", "*+", "++", "?+"]);
        // the body of a repetition is not empty: engines differ in the groups of empty rounds
        let repeated = (inner.clone(), atom(), quantifier)
            .prop_map(|(body, solid, quantifier)| format!("(?:{solid}{body}){quantifier}"));
        let single = (item(), prop::sample::select(vec!["*", "+", "?", "*?", "{2}", "++"]))
            .prop_map(|(item, quantifier)| format!("{item}{quantifier}"));
        let around = prop::sample::select(vec!["(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:", "(?-i:", "(?s:", "(?m:"]);
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join("|"))),
            1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            3 => single,
            1 => repeated,
            1 => inner.clone().prop_map(|body| format!("({body})")),
            1 => (around, inner).prop_map(|(open, body)| format!("{open}{body})")),
        ]
    });
    let branches = prop_oneof![4 => tree.clone().boxed(), 1 => (tree.clone(), tree).prop_map(|(a, b)| format!("{a}|{b}")).boxed()];
    (prop::bool::weighted(0.7), branches)
        .prop_map(|(anchored, text)| format!("{}{text}", if anchored { "^/" } else { "" }))
}

/// Text in which every second character means something.
pub fn noise() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a",
        "b",
        "/",
        "1",
        "2",
        ",",
        "{",
        "}",
        "{2}",
        "{1,}",
        "(",
        ")",
        "(?:",
        "(?=",
        "(?!",
        "(?i)",
        "(?-i:",
        "(?<n>",
        "[",
        "]",
        "[^",
        "-",
        "*",
        "+",
        "?",
        "|",
        "^",
        "$",
        ".",
        "\\",
        "\\d",
        "\\w",
        "\\Q",
        "\\E",
        "\\x",
        "\\b",
        ":",
        "[:alpha:]",
        "\\1",
        "\\8",
        "\\07",
        "\\k<n>",
        "\\g{1}",
        "#",
        "(?x)",
        " ",
        "\n",
        "é",
        "(?#",
        "(?U)",
        "\\K",
        "(?n)",
        "\\c",
        "\\N",
        "(?(1)",
        "\\h",
    ]);
    prop::collection::vec(token, 0..9).prop_map(|tokens| tokens.concat())
}

/// A path that such patterns may match.
pub fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        5 => prop::sample::select(WORDS),
        1 => prop::sample::select(vec!["1", " ", ".", "ba", "\r", "_", "B"]),
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| format!("/{}", pieces.concat()))
}
