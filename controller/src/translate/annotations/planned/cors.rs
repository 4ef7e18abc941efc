//! Scripts of other origins (annotations §3.10).

use crate::translate::annotations::{
    check::{BOOL, Check, HEADERS, INT},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{Low, Medium},
    },
    group::Group::Cors,
};

const METHODS: Check = Check::list(
    |value| value.chars().all(|c| c.is_ascii_alphabetic() || c == ',' || c.is_ascii_whitespace()),
    "methods separated by commas",
);
const ORIGINS: Check = Check::list(
    |value| value.replace(' ', "").split(',').all(is_origin),
    "origins such as https://a.test or https://*.a.test, or *",
);
const EXPOSED: Check = Check::list(
    |value| {
        let is_part =
            |c: char| c.is_ascii_alphanumeric() || "-_*,".contains(c) || c.is_ascii_whitespace();
        value.chars().all(is_part)
    },
    "names of headers separated by commas, or *",
);

const ALLOWED_HEADERS: &str = "DNT, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, \
    Cache-Control, Content-Type, Range, Authorization";

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("cors-allow-credentials", BOOL, Fallback, Low).documented(
        Cors,
        "true",
        "Whether scripts may send cookies.",
    ),
    Definition::new("cors-allow-headers", HEADERS, Fallback, Medium).documented(
        Cors,
        ALLOWED_HEADERS,
        "Headers that scripts may send.",
    ),
    Definition::new("cors-allow-methods", METHODS, Fallback, Medium).documented(
        Cors,
        "GET, PUT, POST, DELETE, PATCH, OPTIONS",
        "Methods that scripts may use.",
    ),
    Definition::new("cors-allow-origin", ORIGINS, Fallback, Medium).documented(
        Cors,
        "`*`",
        "Origins whose scripts may ask.",
    ),
    Definition::new("cors-expose-headers", EXPOSED, Fallback, Medium).documented(
        Cors,
        "none",
        "Headers that scripts may read.",
    ),
    Definition::new("cors-max-age", INT, Fallback, Low).documented(
        Cors,
        "1728000",
        "Seconds for which a browser need not ask again.",
    ),
    Definition::new("enable-cors", BOOL, Fallback, Low).documented(
        Cors,
        "false",
        "Answers the questions of browsers, and tells them what scripts of other origins may do.",
    ),
];

fn is_origin(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._:*[]".contains(c);
    match text.split_once("://") {
        None => matches!(text, "*" | "null"),
        Some((scheme, host)) => {
            let labels = host.strip_prefix("*.").unwrap_or(host);
            scheme.chars().all(|c| c.is_ascii_alphabetic())
                && ![scheme, labels].contains(&"")
                && labels.chars().all(|c| is_part(c) && c != '*')
        }
    }
}
