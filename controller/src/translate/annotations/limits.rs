//! Limits of requests, of requests at the same time, and of the speed of answers (annotations §3.9).

use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc};

use headgate_config::{
    Effect, Network,
    protection::{LimitFallback, LimitId, Rate, RequestLimits, Throttle},
};

use super::{
    Annotations, Finding,
    check::{BOOL, CIDRS, INT},
    definition::{
        Bad::{Fallback, Refuse},
        Definition,
        Risk::Low,
    },
    group::Group::RateLimit,
    values::Values,
};

const BURST_MULTIPLIER: i64 = 5;
const KIB: u64 = 1024;

const MULTIPLIER: &str = "limit-burst-multiplier";
const EXEMPT: &str = "limit-allowlist";
/// The rates are counted for all replicas together. One of our own.
pub const SHARED: &str = "headgate.io/limit-shared";
/// These limit, so that a value that cannot be read must not leave the location without a limit.
const LIMITING: [&str; 4] = ["limit-connections", "limit-rate", "limit-rpm", "limit-rps"];

pub const ANNOTATIONS: &[Definition] = &[
    Definition::new(EXEMPT, CIDRS, Refuse, Low).alias("limit-whitelist").documented(
        RateLimit,
        "none",
        "Clients with these addresses are not limited by `limit-rps`, `limit-rpm`, `limit-connections`.",
    ),
    Definition::new(SHARED, BOOL, Refuse, Low).documented(
        RateLimit,
        "false",
        "Counts `limit-rps` and `limit-rpm` for all replicas together: [shared-limits.md](shared-limits.md).",
    ),
    Definition::new(MULTIPLIER, INT, Fallback, Low).documented(
        RateLimit,
        "5",
        "How many times the limit may come at once.",
    ),
    Definition::new("limit-connections", INT, Refuse, Low).documented(
        RateLimit,
        "no limit",
        "Requests of a client address that are served at the same time.",
    ),
    Definition::new("limit-rate", INT, Fallback, Low).documented(
        RateLimit,
        "ConfigMap: `limit-rate`, no limit",
        "KiB per second of each answer.",
    ),
    Definition::new("limit-rate-after", INT, Fallback, Low).documented(
        RateLimit,
        "ConfigMap: `limit-rate-after`, 0",
        "KiB of each answer that come before `limit-rate` counts.",
    ),
    Definition::new("limit-rpm", INT, Refuse, Low).documented(
        RateLimit,
        "no limit",
        "Requests of a client address per minute, to all locations of the Ingress together.",
    ),
    Definition::new("limit-rps", INT, Refuse, Low).documented(
        RateLimit,
        "no limit",
        "Requests of a client address per second, to all locations of the Ingress together.",
    ),
];

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    // Only without validation.
    let unreadable = |name: &&str| values.raw(name).is_some() && values.int(name).is_none();
    if let Some(name) = LIMITING.into_iter().find(unreadable) {
        let text = values.raw(name).unwrap_or_default();
        annotations.deny(format!("{name}: {text:?} is not a whole number; give one"));
    }
    let throttle = &values.defaults.limits.throttle;
    let rate = values.int("limit-rate").unwrap_or(throttle.rate);
    let after = values.int("limit-rate-after").unwrap_or(throttle.after);
    annotations.throttle = Speed { rate, after }.throttle();

    tell_off(values);
    let number = |name| values.int(name).and_then(count);
    let (per_second, per_minute) = (number("limit-rps"), number("limit-rpm"));
    let connections = number("limit-connections");
    let shared = is_shared(values, annotations, per_second.or(per_minute).is_some());
    if per_second.or(per_minute).or(connections).is_none() {
        return;
    }
    let defaults = &values.defaults.limits;
    if let Some(reason) = &defaults.unusable_key {
        annotations.deny(reason.clone());
    }
    let multiplier = multiplier(values);
    let rate = |requests| Rate { requests, burst: burst(requests, multiplier) };
    let (key, ingress) = (values.subject.key, values.subject.ingress);
    let limits = RequestLimits {
        id: LimitId {
            namespace: key.namespace().into(),
            name: key.name().into(),
            created: ingress.created,
        },
        per_second: per_second.map(rate),
        per_minute: per_minute.map(rate),
        shared,
        connections,
        exempt: exempt(values),
        rate_status: defaults.rate_status,
        connection_status: defaults.connection_status,
    };
    annotations.protect().limits = Some(Arc::new(limits));
}

/// Says which limits are none, since they are below zero (annotations §3.9). 0 is the usual way to say so.
fn tell_off(values: &mut Values<'_>) {
    for name in LIMITING {
        if let Some(number) = values.int(name).filter(|number| *number < 0) {
            let message = format!(
                "{name}: {number} means that there is no such limit; give one above zero, or remove it"
            );
            values.warn("InvalidAnnotation", message);
        }
    }
}

/// Whether the rates, if there are any, are counted for all replicas together. Says what of it cannot be.
fn is_shared(values: &mut Values<'_>, annotations: &mut Annotations, has_rate: bool) -> bool {
    match values.bool(SHARED) {
        Some(true) => {}
        Some(false) => return false,
        None => {
            // Only without validation.
            if let Some(text) = values.raw(SHARED) {
                annotations.deny(format!(
                    "{SHARED}: {text:?} is neither true nor false; write one of them"
                ));
            }
            return false;
        }
    }
    if values.int("limit-connections").and_then(count).is_some() {
        let message =
            format!("limit-connections is counted by each replica, whatever {SHARED} says");
        values.warn("NotSupported", message);
    }
    if !has_rate {
        let message =
            format!("{SHARED} has no effect without limit-rps or limit-rpm; add one of them");
        values.warn("InvalidAnnotation", message);
        return false;
    }
    let store = &values.defaults.limits.store;
    let Some(problem) = &store.problem else { return true };
    match store.fallback {
        LimitFallback::Local => {
            let message = format!("{SHARED}: {problem}; each replica counts for itself");
            values.warn("LimitNotShared", message);
        }
        LimitFallback::Closed if store.is_set => values.findings.push(Finding {
            effect: Effect::Denied,
            reason: "LimitNotShared",
            message: format!("{SHARED}: {problem}; requests that it limits are answered 503"),
        }),
        LimitFallback::Closed => annotations.deny(format!("{SHARED}: {problem}")),
    }
    // What was meant to be a store is asked in vain, as one that is down, so that metrics tell.
    store.is_set
}

/// How fast answers are sent, in KiB as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speed {
    /// Per second; none if it is not above zero.
    pub rate: i64,
    /// At once.
    pub after: i64,
}

impl Speed {
    /// The limit that it stands for.
    pub fn throttle(self) -> Option<Throttle> {
        let bytes = |kib: i64| u64::try_from(kib).unwrap_or(0).saturating_mul(KIB);
        (self.rate > 0).then(|| Throttle { rate: bytes(self.rate), after: bytes(self.after) })
    }
}

/// A limit; none if it is not above zero.
fn count(number: i64) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(number.max(0)).unwrap_or(u32::MAX))
}

fn burst(requests: NonZeroU32, multiplier: i64) -> u32 {
    let burst = i64::from(requests.get()).saturating_mul(multiplier);
    u32::try_from(burst).unwrap_or(u32::MAX)
}

fn multiplier(values: &mut Values<'_>) -> i64 {
    match values.int(MULTIPLIER) {
        None => BURST_MULTIPLIER,
        Some(multiplier @ 0..) => multiplier,
        Some(negative) => {
            values.warn(
                "InvalidAnnotation",
                format!("{MULTIPLIER}: {negative} is below zero and counts as 0; give 0 or more"),
            );
            0
        }
    }
}

/// Who is not limited. What cannot be read, which only gets here without validation, is nobody.
fn exempt(values: &mut Values<'_>) -> Vec<Network> {
    let items = values.raw(EXEMPT).into_iter().flat_map(|text| text.split(',')).map(str::trim);
    let (mut known, mut unknown) = (BTreeSet::new(), Vec::new());
    for item in items {
        match item.parse() {
            Ok(network) => drop(known.insert(network)),
            Err(_) => unknown.push(item),
        }
    }
    if !unknown.is_empty() {
        let items = unknown.join(", ");
        let message = format!(
            "{EXEMPT}: {items:?} is neither an address nor a network and exempts nobody; correct or remove it"
        );
        values.warn("InvalidAnnotation", message);
    }
    known.into_iter().collect()
}
