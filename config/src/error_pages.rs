//! Answers that give way to those of an error backend (annotations §3.19).

use serde::Serialize;

use crate::UpstreamId;

/// Which answers of a location are replaced, and by whose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ErrorPages {
    /// Statuses that are replaced, sorted, without repeats (`custom-http-errors`). There may be none: then only the
    /// redirect to sign in is made, of the 401 of an upstream as well.
    pub statuses: Vec<u16>,
    /// Answers of upstreams are replaced, too, and not only those that the gateway makes (inverse of
    /// `disable-proxy-intercept-errors`).
    pub of_upstreams: bool,
    /// They hold for everybody (the ConfigMap's `custom-http-errors`), and so also for what a denied location answers.
    pub for_all: bool,
    /// Who makes the pages: the first of them that has an endpoint, or else the built-in default backend, which answers
    /// 404. The snapshot holds an upstream of each id.
    pub backends: Vec<UpstreamId>,
}
