//! How the requests of an upstream are spread: over its endpoints, and between it and the one that stands in for it.
//!
//! All of it belongs to the upstream, not to the locations that lead to it (routing §11.1).

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use serde::Serialize;

use crate::UpstreamId;

/// How requests are spread over endpoints that nothing binds them to (annotations §3.13).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Balance {
    /// One after the other, from a random start.
    #[default]
    RoundRobin,
    /// The better of two random ones, by how long their answers took of late.
    Ewma,
    /// The same one for the same text.
    Hash(Arc<HashBy>),
}

/// A text that decides which endpoint serves a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HashBy {
    /// The text, with variables `$name` and `${name}` (`upstream-hash-by`).
    pub key: String,
    /// Any endpoint out of a group of this size that the text decides, instead of a single one
    /// (`upstream-hash-by-subset`, `upstream-hash-by-subset-size`).
    pub subset: Option<NonZeroU32>,
}

/// Clients come back to the endpoint that a cookie leads to (annotations §3.12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Affinity {
    /// How the cookie leads to an endpoint.
    pub mode: AffinityMode,
    /// The cookie.
    pub cookie: AffinityCookie,
    /// Who may set it: paths of rules, by the name of their host as it is configured (`*.parent` and `_` as well).
    pub places: BTreeMap<String, Vec<String>>,
}

/// How an affinity cookie leads to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AffinityMode {
    /// It is hashed: some clients move when endpoints come and go, unnoticed by them.
    #[default]
    Balanced,
    /// It names the endpoint: who has one that is gone gets another cookie.
    Persistent,
}

/// The cookie of an affinity, and its attributes (`session-cookie-*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AffinityCookie {
    /// Its name.
    pub name: String,
    /// Seconds from now to its `Expires`.
    pub expires: Option<i64>,
    /// Its `Max-Age` in seconds.
    pub max_age: Option<i64>,
    /// Its `Domain`.
    pub domain: Option<String>,
    /// Its `Path`; without one that of the location's rule.
    pub path: Option<String>,
    /// `Secure` over plain HTTP, too.
    pub secure: bool,
    /// Its `SameSite`.
    pub same_site: Option<SameSite>,
    /// Leave `SameSite=None` out for browsers that misread it.
    pub conditional_same_site: bool,
    /// After a failure the client is given another endpoint, and another cookie.
    pub change_on_failure: bool,
}

/// Values of `SameSite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SameSite {
    /// Sent wherever the request comes from.
    None,
    /// Sent when somebody follows a link.
    Lax,
    /// Sent from the site itself only.
    Strict,
}

/// An upstream that gets a share of the requests of another (annotations §3.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// Where the share goes. The snapshot holds an upstream of this id.
    pub upstream: UpstreamId,
    /// Which share it is.
    pub rules: Arc<CanaryRules>,
}

/// Which requests are a canary's, in the order of their precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryRules {
    /// The header that is asked first (`canary-by-header`).
    pub header: Option<CanaryHeader>,
    /// The cookie whose `always` and `never` decide next (`canary-by-cookie`).
    pub cookie: Option<String>,
    /// How many of `total` other requests (`canary-weight`).
    pub weight: u32,
    /// At least 100 (`canary-weight-total`).
    pub total: u32,
}

/// A header of requests that decides about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryHeader {
    /// Its name.
    pub name: String,
    /// What its value has to be.
    pub value: CanaryValue,
}

/// What the value of a canary's header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CanaryValue {
    /// `always` and `never` mean that.
    Words,
    /// This one is the canary's; any other says nothing (`canary-by-header-value`).
    Is(String),
    /// What this PCRE is found in is the canary's; if it is no pattern, the primary's (`canary-by-header-pattern`).
    Matches(String),
}
