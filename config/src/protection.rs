//! What a request has to pass before it is forwarded: limits, access lists, passwords, tokens, an external service
//! (annotations §3.6–3.9). The order is that of annotations §3.0.
//!
//! Whoever makes one has checked that it can be honoured as written; what cannot be makes the location
//! [`Action::Deny`](crate::Action::Deny).

pub mod access;
pub mod external;
pub mod hash;
pub mod jwt;
pub mod limits;
pub mod password;
pub mod store;

use std::sync::Arc;

use serde::Serialize;

pub use access::{AccessLists, AccessRule};
pub use external::{CacheDuration, ExternalAuth, SignIn};
pub use hash::{HashKind, HashProblem};
pub use jwt::{ClaimHeader, KeySource, TokenAlgorithm, TokenAuth};
pub use limits::{LimitId, Rate, RequestLimits, Throttle};
pub use password::{PasswordAuth, PasswordScheme, Users};
pub use store::{LimitCounting, LimitFallback, LimitStore, StoreLogin, StoreTls};

/// Everything that protects a location. The default protects nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Protection {
    /// How many requests a client may make.
    pub limits: Option<Arc<RequestLimits>>,
    /// Which addresses may come.
    pub access: Option<Arc<AccessLists>>,
    /// A user name and a password are asked for.
    pub password: Option<Arc<PasswordAuth>>,
    /// A token is asked for.
    pub token: Option<Arc<TokenAuth>>,
    /// Another service is asked.
    pub external: Option<Arc<ExternalAuth>>,
    /// One of `access`, `password`, `token` and `external` is enough, where all that there are have to be passed otherwise
    /// (`satisfy: any`).
    pub any_is_enough: bool,
    /// Headers that clients may not send, because elsewhere they say who a client is, and here nobody asks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed_headers: Vec<String>,
    /// Where a client is sent instead of being answered 401 (`auth-signin`).
    pub sign_in: Option<Arc<SignIn>>,
}
