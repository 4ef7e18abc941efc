//! What scripts of other origins may do (annotations §3.10).

use std::sync::Arc;

use headgate_config::cors::{Cors, Origins};

use super::{
    Annotations,
    check::{BOOL, Check, HEADERS, INT},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{Low, Medium},
    },
    group::Group::Cors as CrossOrigin,
    values::Values,
};

const METHODS: Check = Check::list(
    |value| value.chars().all(|c| c.is_ascii_alphabetic() || ", \t".contains(c)),
    "methods separated by commas",
);
const ORIGINS: Check = Check::list(
    |value| value.replace(' ', "").split(',').all(is_item),
    "origins such as https://a.test or https://*.a.test, or *",
);
const EXPOSED: Check = Check::list(
    |value| value.chars().all(|c| c.is_ascii_alphanumeric() || "-_*, \t".contains(c)),
    "names of headers separated by commas, or *",
);

const ALLOWED_METHODS: &str = "GET, PUT, POST, DELETE, PATCH, OPTIONS";
const ALLOWED_HEADERS: &str = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,\
    Cache-Control,Content-Type,Range,Authorization";
/// Seconds.
const MAX_AGE: i64 = 1_728_000;

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("cors-allow-credentials", BOOL, Fallback, Low).documented(
        CrossOrigin,
        "true",
        "Whether scripts may send cookies.",
    ),
    Definition::new("cors-allow-headers", HEADERS, Fallback, Medium).documented(
        CrossOrigin,
        ALLOWED_HEADERS,
        "Headers that scripts may send.",
    ),
    Definition::new("cors-allow-methods", METHODS, Fallback, Medium).documented(
        CrossOrigin,
        ALLOWED_METHODS,
        "Methods that scripts may use.",
    ),
    Definition::new("cors-allow-origin", ORIGINS, Fallback, Medium).documented(
        CrossOrigin,
        "`*`",
        "Origins whose scripts may ask.",
    ),
    Definition::new("cors-expose-headers", EXPOSED, Fallback, Medium).documented(
        CrossOrigin,
        "none",
        "Headers that scripts may read.",
    ),
    Definition::new("cors-max-age", INT, Fallback, Low).documented(
        CrossOrigin,
        "1728000",
        "Seconds for which a browser need not ask again.",
    ),
    Definition::new("enable-cors", BOOL, Fallback, Low).documented(
        CrossOrigin,
        "false",
        "Answers the questions of browsers, and tells them what scripts of other origins may do.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if values.bool("enable-cors") != Some(true) {
        return;
    }
    let Some((origins, is_meant)) = origins(values) else { return };
    annotations.cors = Some(Arc::new(Cors {
        origins,
        credentials: is_meant && values.bool("cors-allow-credentials").unwrap_or(true),
        methods: header(values, "cors-allow-methods").unwrap_or_else(|| ALLOWED_METHODS.into()),
        headers: header(values, "cors-allow-headers").unwrap_or_else(|| ALLOWED_HEADERS.into()),
        exposed: header(values, "cors-expose-headers"),
        max_age: values.int("cors-max-age").unwrap_or(MAX_AGE),
    }));
}

/// Whose scripts are meant, and whether somebody has meant it so; none if nobody's are.
fn origins(values: &mut Values<'_>) -> Option<(Origins, bool)> {
    const NAME: &str = "cors-allow-origin";
    let Some(list) = values.text(NAME) else {
        let is_invalid = values.written(NAME).is_some_and(|text| !text.trim().is_empty());
        if is_invalid {
            values.warn(
                "InvalidAnnotation",
                format!("{NAME} is not usable as written, so that scripts of every origin may ask, without credentials; correct it"),
            );
        }
        return Some((Origins::Any, !is_invalid));
    };
    let items = || list.split(',').map(str::trim).filter(|item| !item.is_empty());
    if items().any(|item| item == "*") {
        return Some((Origins::Any, true));
    }
    let (usable, odd): (Vec<_>, Vec<_>) = items().partition(|item| is_origin(item));
    if !odd.is_empty() {
        let rest = if usable.is_empty() { "; there is no other: CORS is off" } else { "" };
        values.warn(
            "InvalidAnnotation",
            format!("{NAME}: {odd:?} is no origin with a scheme, such as https://a.test, and is left out{rest}"),
        );
    }
    let usable: Vec<_> = usable.into_iter().map(str::to_ascii_lowercase).collect();
    (!usable.is_empty()).then_some((Origins::Listed(usable), true))
}

/// A text that is sent as it is. Only without validation it may be none that can be.
fn header(values: &Values<'_>, name: &str) -> Option<String> {
    values.text(name).filter(|text| text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')))
}

/// What may stand in a list. Some of it has no effect.
fn is_item(text: &str) -> bool {
    text.is_empty() || text == "*" || is_origin(text) || is_host(text)
}

/// `null`, or `scheme://host[:port]`, where the host may begin with `*.`.
fn is_origin(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_part)
    };
    text == "null"
        || text.split_once("://").is_some_and(|(scheme, host)| is_scheme(scheme) && is_host(host))
}

fn is_host(text: &str) -> bool {
    let (host, behind) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, behind)) => (address, behind),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if !behind.is_empty() && !behind.strip_prefix(':').is_some_and(is_port) {
        return false;
    }
    if text.starts_with('[') {
        return host.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let host = host.strip_prefix("*.").unwrap_or(host);
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}
