//! Lists of addresses (annotations §3.8).

use serde::Serialize;

use crate::Network;

/// Which client addresses may come. What is on `deny` may not; then what is on `allow` may; then nobody else may if
/// `allow` is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccessLists {
    /// Who may not come; sorted, each once (`denylist-source-range`).
    pub deny: Vec<Network>,
    /// Who may come; sorted, each once (`allowlist-source-range`). Empty is no list.
    pub allow: Vec<Network>,
    /// What else is said where `allow` is empty, by snippets: the first rule that is about a client decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<AccessRule>,
}

/// `allow` or `deny` of a snippet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AccessRule {
    /// The clients may come.
    pub allows: bool,
    /// Which clients; none is all.
    pub network: Option<Network>,
}
