//! Copies of requests (annotations §3.20).

use serde::Serialize;

use crate::UpstreamId;

/// Where copies of a location's requests go. Their answers count for nothing. Texts may contain `$variables`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mirror {
    /// The URL of a copy (`mirror-target`). One without variables is sent the query of the request as well.
    pub target: String,
    /// The path of a copy where the URL has none.
    pub default_path: String,
    /// The endpoints of its host, where that is not a name to be resolved. The snapshot holds an upstream of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamId>,
    /// `Host` of a copy; none is the URL's, without its port (`mirror-host`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Copies have the body of their request (`mirror-request-body`).
    pub with_body: bool,
}
