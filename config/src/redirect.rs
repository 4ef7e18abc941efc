//! Answers that lead elsewhere, whatever is asked for.

use serde::Serialize;

/// Every request of a location is sent to one place (`permanent-redirect`, `temporal-redirect`; annotations §3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FixedRedirect {
    /// A URL, or a path of the same host: sent as it is, but for `$variables`.
    pub target: String,
    /// The status, 300 to 308. Those that are no redirects for browsers (300, 304, 305, 306) have the target as body.
    pub status: u16,
}
