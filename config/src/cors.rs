//! What scripts of other origins may do at a location (annotations §3.10).

use serde::Serialize;

/// What browsers are told about scripts of other origins (`enable-cors` and `cors-*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cors {
    /// Whose scripts are meant.
    pub origins: Origins,
    /// `Access-Control-Allow-Credentials: true`; otherwise there is no such header.
    pub credentials: bool,
    /// `Access-Control-Allow-Methods`, as written.
    pub methods: String,
    /// `Access-Control-Allow-Headers`, as written.
    pub headers: String,
    /// `Access-Control-Expose-Headers`, as written.
    pub exposed: Option<String>,
    /// `Access-Control-Max-Age`, in seconds.
    pub max_age: i64,
}

/// Whose scripts are meant. Requests of others are passed on as if there were nothing to say about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origins {
    /// Everybody's: the answer is `*`.
    Any,
    /// Those of these origins, compared without regard to case: `null`, or `scheme://host[:port]`, where the host may
    /// begin with `*.` for any one label.
    Listed(Vec<String>),
}
