//! Headers of requests and answers (annotations §3.15).

use crate::translate::annotations::{
    check::{BASIC, Check, FULL_REFERENCE, URL_SPACES},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::{Low, Medium},
    },
    group::Group::Headers,
};

const CONNECTION: Check =
    Check::choice(|value| matches!(value.trim(), "close" | "keep-alive"), "close or keep-alive");
const DOMAINS: Check = Check::new(is_domain_pair, "off, or two domains");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("connection-proxy-header", CONNECTION, Refuse, Low).documented(
        Headers,
        "unset",
        "`Connection` header that the upstream sees.",
    ),
    Definition::new("custom-headers", FULL_REFERENCE, Fallback, Medium).documented(
        Headers,
        "none",
        "ConfigMap with headers for answers.",
    ),
    Definition::new("proxy-cookie-domain", DOMAINS, Fallback, Medium).documented(
        Headers,
        "ConfigMap: `proxy-cookie-domain`, off",
        "Replaces the `Domain` of upstreams' cookies.",
    ),
    Definition::new("proxy-cookie-path", URL_SPACES, Fallback, Medium).documented(
        Headers,
        "ConfigMap: `proxy-cookie-path`, off",
        "Replaces the `Path` of upstreams' cookies.",
    ),
    Definition::new("proxy-redirect-from", URL_SPACES, Fallback, Medium).documented(
        Headers,
        "ConfigMap: `proxy-redirect-from`, off",
        "What is replaced in `Location` and `Refresh` of answers.",
    ),
    Definition::new("proxy-redirect-to", URL_SPACES, Fallback, Medium).documented(
        Headers,
        "ConfigMap: `proxy-redirect-to`, off",
        "What it is replaced by.",
    ),
];

fn is_domain_pair(value: &str) -> bool {
    let words: Vec<_> = value.split_whitespace().collect();
    words == ["off"] || words.len() == 2 && (BASIC.accepts)(value)
}
