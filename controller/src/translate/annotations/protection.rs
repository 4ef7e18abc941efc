//! Annotations that protect and are not available yet: their locations answer 503 rather than stand open.
//!
//! Each family leaves this file for one of its own when it is there. Names that mean nothing without another are
//! checked only beside it, as in the reference.

use super::{
    Annotations,
    check::{
        ANY, BASIC, BASIC_SPACES, BOOL, CIDRS, Check, INT, ON_OFF, URL_VARIABLES, parse_bool,
        parse_int,
    },
    definition::{
        Bad::{self, Deny, Fallback, Refuse},
        Definition,
        Needs::Present,
        Risk::{self, High, Low, Medium},
    },
    values::Values,
};

const AUTH_TYPE: Check =
    Check::new(|value| value.contains("basic") || value.contains("digest"), "basic or digest");
const AUTH_SECRET_TYPE: Check = Check::new(
    |value| value.contains("auth-file") || value.contains("auth-map"),
    "auth-file or auth-map",
);
const PROTOCOL: Check = Check::new(
    |value| is_plain_http(value) || is_other_protocol(value),
    "HTTP, HTTPS, AUTO_HTTP, GRPC, GRPCS or FCGI",
);

/// These protect even if they are empty (annotations §1.4).
const LISTS: [&str; 2] = ["allowlist-source-range", "denylist-source-range"];
/// Whether a value of an annotation asks for nothing.
type AsksForNothing = fn(&str) -> bool;
/// These protect unless their value is empty or one that asks for nothing. A value that cannot be read protects: it
/// gets here where validation is switched off, which must not open anything (annotations §1.4).
const UNLESS: [(&str, AsksForNothing); 11] = [
    ("auth-type", |_| false),
    ("auth-url", |_| false),
    ("satisfy", |_| false),
    ("limit-connections", is_no_limit),
    ("limit-rate", is_no_limit),
    ("limit-rpm", is_no_limit),
    ("limit-rps", is_no_limit),
    // Without these, what is meant to be encrypted or checked on its way to the upstream would be neither.
    ("backend-protocol", is_plain_http),
    ("proxy-ssl-secret", |_| false),
    ("proxy-ssl-verify", |value| value.trim() == "off"),
    ("ssl-passthrough", |value| parse_bool(value) == Some(false)),
];

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("allowlist-source-range", CIDRS, Deny, Medium).alias("whitelist-source-range"),
    url("auth-always-set-cookie", ANY, Fallback, Low),
    url("auth-cache-duration", ANY, Fallback, Medium),
    url("auth-cache-key", ANY, Fallback, Medium),
    url("auth-method", ANY, Deny, Low),
    url("auth-proxy-set-headers", ANY, Fallback, Medium),
    basic("auth-realm", BASIC_SPACES, Refuse, Medium),
    url("auth-request-redirect", ANY, Fallback, Medium),
    url("auth-response-headers", ANY, Deny, Medium),
    basic("auth-secret", BASIC, Deny, Medium),
    basic("auth-secret-type", AUTH_SECRET_TYPE, Refuse, Low),
    url("auth-signin", ANY, Fallback, High),
    url("auth-signin-redirect-param", ANY, Fallback, Medium),
    Definition::new("auth-type", AUTH_TYPE, Refuse, Low),
    Definition::new("auth-url", URL_VARIABLES, Refuse, High),
    Definition::new("backend-protocol", PROTOCOL, Fallback, Low),
    Definition::new("denylist-source-range", CIDRS, Deny, Medium),
    Definition::new("enable-global-auth", ANY, Fallback, Low),
    Definition::new("limit-allowlist", CIDRS, Refuse, Low).alias("limit-whitelist"),
    Definition::new("limit-burst-multiplier", ANY, Fallback, Low),
    Definition::new("limit-connections", INT, Refuse, Low),
    Definition::new("limit-rate", INT, Fallback, Low),
    Definition::new("limit-rate-after", ANY, Fallback, Low),
    Definition::new("limit-rpm", INT, Refuse, Low),
    Definition::new("limit-rps", INT, Refuse, Low),
    Definition::new("proxy-ssl-secret", BASIC, Refuse, Medium),
    Definition::new("proxy-ssl-verify", ON_OFF, Fallback, Low),
    Definition::new("satisfy", ANY, Fallback, Low),
    Definition::new("ssl-passthrough", BOOL, Refuse, Low),
];

const fn basic(name: &'static str, check: Check, bad: Bad, risk: Risk) -> Definition {
    Definition::new(name, check, bad, risk).needs(Present("auth-type"))
}

const fn url(name: &'static str, check: Check, bad: Bad, risk: Risk) -> Definition {
    Definition::new(name, check, bad, risk).needs(Present("auth-url"))
}

fn is_no_limit(value: &str) -> bool {
    parse_int(value).is_some_and(|number| number <= 0)
}

fn is_plain_http(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("HTTP")
}

/// Whether a protocol is known and is not plain HTTP.
fn is_other_protocol(value: &str) -> bool {
    ["HTTPS", "AUTO_HTTP", "GRPC", "GRPCS", "FCGI"]
        .iter()
        .any(|protocol| value.trim().eq_ignore_ascii_case(protocol))
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let lists = LISTS.into_iter().filter(|name| values.is_present(name));
    let others = UNLESS.into_iter().filter_map(|(name, asks_for_nothing)| {
        values.raw(name).filter(|value| !asks_for_nothing(value)).map(|_| name)
    });
    let active: Vec<_> = lists.chain(others).collect();
    if let Some(reason) = values.denied.take() {
        annotations.denied = Some(reason);
    } else if !active.is_empty() {
        let names = active.join(", ");
        annotations.denied.get_or_insert_with(|| {
            format!("{names} is not available yet: the locations answer 503 rather than stand open")
        });
    }
}
