//! Limits of requests, of connections and of the speed of answers (annotations §3.9).

use std::num::NonZeroU32;

use serde::Serialize;

use crate::Network;

/// Whose counters they are: those of one Ingress, whatever its hosts and paths, until it is made anew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LimitId {
    /// Namespace of the Ingress.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was created, in seconds since 1970; 0 where that is not known.
    pub created: i64,
}

/// How many requests each client address may make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequestLimits {
    /// Whose counters are used.
    pub id: LimitId,
    /// Requests per second (`limit-rps`).
    pub per_second: Option<Rate>,
    /// Requests per minute (`limit-rpm`).
    pub per_minute: Option<Rate>,
    /// Both are counted for all replicas together, in the store of the settings if it can be asked
    /// (`headgate.io/limit-shared`).
    pub shared: bool,
    /// Requests at the same time (`limit-connections`).
    pub connections: Option<NonZeroU32>,
    /// Addresses without limits; sorted, each once (`limit-allowlist`).
    pub exempt: Vec<Network>,
    /// Status of an answer to a request too many (`limit-req-status-code`).
    pub rate_status: u16,
    /// Status of an answer to a connection too many (`limit-conn-status-code`).
    pub connection_status: u16,
}

/// A rate with its burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// Requests in the unit of time.
    pub requests: NonZeroU32,
    /// How many may come ahead of time.
    pub burst: u32,
}

/// How fast the body of an answer is sent (`limit-rate`, `limit-rate-after`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Throttle {
    /// Bytes per second.
    pub rate: u64,
    /// Bytes that are sent without a limit first.
    pub after: u64,
}
