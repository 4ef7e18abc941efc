//! Body limit, timeouts, retries, request buffering (annotations §3.16, §3.17).

use std::{sync::Arc, time::Duration};

use headgate_config::{ProxySettings, RetryOn};

use super::{
    Annotations,
    check::{COUNT, Check, ON_OFF, SIZE},
    definition::{
        Bad::Fallback,
        Definition,
        Risk::{Low, Medium},
    },
    group::Group::{Body, Buffering, Protocol, Timeouts},
    values::Values,
};

/// The body limit where nothing sensible is said: 1 MiB.
pub const BODY_LIMIT: u64 = 1024 * 1024;
/// Longer times than this are as good as none, and safe to add to any instant.
const LONGEST: u64 = 10 * 365 * 24 * 3600;

const NEXT_UPSTREAM: Check = Check::list(
    |value| retry_on(value).is_some(),
    "error, timeout, invalid_header, http_5xx …, non_idempotent or off",
);

const VERSION: Check = Check::choice(|value| http10(value).is_some(), "1.0 or 1.1");

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new("proxy-body-size", SIZE, Fallback, Medium).documented(
        Body,
        "ConfigMap: `proxy-body-size`, 1m",
        "Size of a request's body above which 413 is answered; 0 is no limit.",
    ),
    Definition::new("proxy-buffer-size", SIZE, Fallback, Low).documented(
        Buffering,
        "ConfigMap: `proxy-buffer-size`, 4k",
        "Size of the head of an upstream's answer above which 502 is answered.",
    ),
    Definition::new("proxy-buffering", ON_OFF, Fallback, Low).documented(
        Buffering,
        "ConfigMap: `proxy-buffering`, off",
        "`on`: answers are passed on in pieces of `proxy-buffer-size`, unless the upstream says `X-Accel-Buffering: no`.",
    ),
    Definition::new("proxy-connect-timeout", COUNT, Fallback, Low).documented(
        Timeouts,
        "ConfigMap: `proxy-connect-timeout`, 5",
        "Seconds for a connection to an upstream.",
    ),
    Definition::new("proxy-http-version", VERSION, Fallback, Low).documented(
        Protocol,
        "ConfigMap: `proxy-http-version`, 1.1",
        "Version of HTTP that upstreams are spoken to in.",
    ),
    Definition::new("proxy-next-upstream", NEXT_UPSTREAM, Fallback, Medium).documented(
        Timeouts,
        "ConfigMap: `proxy-next-upstream`, error timeout",
        "What a request is tried again for, with another endpoint.",
    ),
    Definition::new("proxy-next-upstream-timeout", COUNT, Fallback, Low).documented(
        Timeouts,
        "ConfigMap: `proxy-next-upstream-timeout`, 0",
        "Seconds within which it may be tried again; 0 is no limit.",
    ),
    Definition::new("proxy-next-upstream-tries", COUNT, Fallback, Low).documented(
        Timeouts,
        "ConfigMap: `proxy-next-upstream-tries`, 3",
        "How often it is tried in all; 0 is no limit.",
    ),
    Definition::new("proxy-read-timeout", COUNT, Fallback, Low).documented(
        Timeouts,
        "ConfigMap: `proxy-read-timeout`, 60",
        "Seconds between two parts of an upstream's answer.",
    ),
    Definition::new("proxy-request-buffering", ON_OFF, Fallback, Low).documented(
        Buffering,
        "ConfigMap: `proxy-request-buffering`, on",
        "`off`: bodies reach the upstream as they arrive, and are not sent a second time.",
    ),
    Definition::new("proxy-send-timeout", COUNT, Fallback, Low).documented(
        Timeouts,
        "ConfigMap: `proxy-send-timeout`, 60",
        "Seconds between two parts of a request to an upstream.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if let Some(size) = values.size("proxy-body-size") {
        annotations.body_limit = body_limit(size);
    }
    let mut proxy: ProxySettings = (*annotations.proxy).clone();
    let time = |name, field: &mut Duration| *field = values.int(name).map_or(*field, seconds);
    time("proxy-connect-timeout", &mut proxy.connect_timeout);
    time("proxy-send-timeout", &mut proxy.send_timeout);
    time("proxy-read-timeout", &mut proxy.read_timeout);
    time("proxy-next-upstream-timeout", &mut proxy.retry.budget);
    if let Some(tries) = values.int("proxy-next-upstream-tries") {
        proxy.retry.tries = u32::try_from(tries).unwrap_or(u32::MAX);
    }
    if let Some(on) = values.raw("proxy-next-upstream").and_then(retry_on) {
        proxy.retry.on = on;
        proxy.retry.on.non_idempotent |= values.defaults.retry_non_idempotent;
    }
    // Zero, or a size that counts for nothing, leaves what is.
    if let Some(Some(size @ 1..)) = values.size("proxy-buffer-size") {
        proxy.head_limit = size;
    }
    if let Some(word) = values.text("proxy-request-buffering") {
        proxy.request_buffering = word != "off";
    }
    if let Some(word) = values.text("proxy-buffering") {
        proxy.buffering = word == "on";
    }
    if let Some(http10) = values.raw("proxy-http-version").and_then(http10) {
        proxy.http10 = http10;
    }
    if proxy != *annotations.proxy {
        annotations.proxy = Arc::new(proxy);
    }
}

/// The limit that a size stands for: 0 is none, and one that counts for nothing leaves the built-in.
pub fn body_limit(size: Option<u64>) -> Option<u64> {
    match size {
        Some(0) => None,
        Some(bytes) => Some(bytes),
        None => Some(BODY_LIMIT),
    }
}

/// Whether a version of HTTP is 1.0; `None` if it is neither that nor 1.1.
pub fn http10(text: &str) -> Option<bool> {
    match text.trim() {
        "1.0" => Some(true),
        "1.1" => Some(false),
        _ => None,
    }
}

/// A time in whole seconds.
pub fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0).min(LONGEST))
}

/// The conditions of `proxy-next-upstream`; `None` if a word is not known.
pub fn retry_on(words: &str) -> Option<RetryOn> {
    let mut on = RetryOn {
        error: false,
        timeout: false,
        invalid_header: false,
        statuses: Vec::new(),
        non_idempotent: false,
    };
    let mut off = false;
    for word in words.split_whitespace() {
        match word {
            "error" => on.error = true,
            "timeout" => on.timeout = true,
            "invalid_header" => on.invalid_header = true,
            "non_idempotent" => on.non_idempotent = true,
            "off" => off = true,
            "http_500" | "http_502" | "http_503" | "http_504" | "http_403" | "http_404"
            | "http_429" => {
                on.statuses.push(word.strip_prefix("http_")?.parse().ok()?);
            }
            _ => return None,
        }
    }
    on.statuses.sort_unstable();
    on.statuses.dedup();
    if off {
        on = RetryOn {
            error: false,
            timeout: false,
            statuses: Vec::new(),
            invalid_header: false,
            non_idempotent: false,
        };
    }
    Some(on)
}
