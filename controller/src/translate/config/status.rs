//! What has become of a key: it is honoured, has no effect here, or is refused. Users are told in `docs/configmap.md`.

use super::{keys, silent};

/// What a key is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does what it says.
    Honoured,
    /// It only tunes the reference's own workings, has no effect there either, or asks for what there is none of here, which a
    /// warning then says.
    NoEffect,
    /// It is not executed, and what that means for requests is said in a verdict.
    Refused,
}

/// What the key of this name is; `None` if there is no such key.
pub fn of(name: &str) -> Option<Status> {
    match keys::find(name) {
        Some((name, _)) if REFUSED.contains(&name) => Some(Status::Refused),
        Some((name, _)) if ONLY_SAID.contains(&name) => Some(Status::NoEffect),
        Some(_) => Some(Status::Honoured),
        None if silent::has_no_effect(name) => Some(Status::NoEffect),
        None => None,
    }
}

/// Keys that are read only to say what they do not do.
#[rustfmt::skip]
const ONLY_SAID: &[&str] = &[
    "access-log-params", "enable-modsecurity", "enable-owasp-modsecurity-crs", "geoip2-autoreload-in-minutes", "ssl-dh-param",
    "ssl-early-data", "use-geoip2", "worker-processes",
];

/// Raw configuration of what there is none of.
const REFUSED: &[&str] =
    &["global-auth-snippet", "main-snippet", "modsecurity-snippet", "stream-snippet"];
