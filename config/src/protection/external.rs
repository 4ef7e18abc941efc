//! Asking another service whether a request may pass (annotations §3.7).

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::UpstreamId;

/// A service that is asked before a request is forwarded. Texts may contain `$variables` where it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExternalAuth {
    /// Where it is asked, with variables (`auth-url`). Its query may hold credentials, and is not shown.
    #[serde(serialize_with = "without_query")]
    pub url: String,
    /// The endpoints of its host, where that is not a name to be resolved. The snapshot holds an upstream of this id.
    pub upstream: Option<UpstreamId>,
    /// The method that it is asked with; none is GET (`auth-method`).
    pub method: Option<String>,
    /// Headers that it is sent, sorted by name; values with variables (`auth-proxy-set-headers`). They may be credentials, and
    /// are not shown.
    #[serde(serialize_with = "names")]
    pub request_headers: Vec<(String, String)>,
    /// `X-Auth-Request-Redirect`; none is the request's target (`auth-request-redirect`).
    pub request_redirect: Option<String>,
    /// Headers of its answer that the upstream gets (`auth-response-headers`).
    pub response_headers: Vec<String>,
    /// Give its cookies to the client whatever status the answer has (`auth-always-set-cookie`).
    pub always_set_cookie: bool,
    /// What answers are kept by, with variables; none keeps no answer (`auth-cache-key`).
    pub cache_key: Option<String>,
    /// How long answers are kept (`auth-cache-duration`).
    pub cache_durations: Vec<CacheDuration>,
}

impl ExternalAuth {
    /// `url` without its query, which may hold credentials.
    pub fn place(&self) -> &str {
        place(&self.url)
    }
}

fn names<S: Serializer>(headers: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|(name, _)| (name, "hidden")))
}

fn without_query<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match place(url) {
        place if place.len() < url.len() => serializer.collect_str(&format_args!("{place}?hidden")),
        place => serializer.serialize_str(place),
    }
}

/// What of a URL may be shown: all but the query, which may hold credentials.
fn place(url: &str) -> &str {
    url.split_once('?').map_or(url, |(place, _)| place)
}

/// How long answers of some statuses are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheDuration {
    /// The statuses; empty are 200, 301 and 302.
    pub statuses: Vec<u16>,
    /// How long.
    pub time: Duration,
}

/// Where a client is sent to sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignIn {
    /// The URL, with variables.
    pub url: String,
    /// The query parameter with the address to come back to (`auth-signin-redirect-param`).
    pub return_parameter: String,
}
