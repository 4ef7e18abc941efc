//! Asks for a token that an issuer has signed (RFC 7519, RFC 6750): what of a request is one, whether it counts, and what
//! the upstream is told of it. Where the keys come from is left to [`upstream::keys`](crate::upstream::keys). No I/O.
//!
//! Nothing of a token is believed before its signature is verified, but for the names of the key and of the algorithm.
//! Those only choose among keys and algorithms that are allowed anyway: what a token itself brings as a key, or as the
//! place of one, is not looked at.

mod bearer;
mod claims;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod issuer;
pub mod keys;
mod parts;
mod verified;

use std::sync::Arc;

use aws_lc_rs::hmac;
use headgate_config::protection::TokenAuth;
use http::HeaderValue;
use serde_json::{Map, Value};

pub use self::{
    bearer::Bearer,
    verified::{Verified, VerifiedTokens},
};
use self::{keys::KeySet, parts::Parts};
use crate::filter::request_headers::Override;

/// A location's question for a token.
pub struct Token {
    /// As configured.
    spec: Arc<TokenAuth>,
    /// What clients are asked with, up to what is wrong with their token.
    challenge: String,
    /// A keyed digest that has begun with what this location asks of a token.
    scope: hmac::Context,
    verified: Arc<VerifiedTokens>,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is more than one `Authorization`, or no token behind the scheme.
    #[error("the request does not hold exactly one token")]
    Ambiguous,
    /// It is no JWS in its compact form, or its claims are no JSON object.
    #[error("the token is malformed")]
    Malformed,
    /// It is signed in a way that is not allowed, or that does not fit the key that it names.
    #[error("the token is signed in a way that is not accepted")]
    Algorithm,
    /// It has to be understood in a way that is not known here (RFC 7515 §4.1.11).
    #[error("the token asks for an extension that is not known")]
    Extension,
    /// The issuer publishes no such key.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    /// The key has not made this signature.
    #[error("the signature of the token is wrong")]
    Signature,
    /// `exp` is missing, or a time is no number.
    #[error("the token has no valid times")]
    Times,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not begun, or it comes from the future.
    #[error("the token is not valid yet")]
    Early,
    /// It is from somebody else.
    #[error("the token is from another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
}

impl Flaw {
    /// All of them with their word in metrics and in the log, in order.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Ambiguous, "ambiguous"),
        (Self::Malformed, "malformed"),
        (Self::Algorithm, "algorithm"),
        (Self::Extension, "extension"),
        (Self::UnknownKey, "unknown_key"),
        (Self::Signature, "signature"),
        (Self::Times, "times"),
        (Self::Expired, "expired"),
        (Self::Early, "early"),
        (Self::Issuer, "issuer"),
        (Self::Audience, "audience"),
    ];
}

impl Token {
    /// Compiles `spec` for the locations of `host`.
    pub fn new(spec: &Arc<TokenAuth>, host: &str, verified: &Arc<VerifiedTokens>) -> Self {
        let realm = host.replace('\\', "\\\\").replace('"', "\\\"");
        let challenge = format!("Bearer realm=\"{realm}\"");
        let is_value = HeaderValue::from_str(&challenge).is_ok();
        Self {
            challenge: if is_value { challenge } else { "Bearer realm=\"\"".to_owned() },
            scope: verified.scope(spec),
            verified: Arc::clone(verified),
            spec: Arc::clone(spec),
        }
    }

    /// What a client is asked with (RFC 6750 §3). Without a flaw it has brought no token.
    pub fn challenge(&self, flaw: Option<Flaw>) -> HeaderValue {
        let mut text = self.challenge.clone();
        if let Some(flaw) = flaw {
            let code = if flaw == Flaw::Ambiguous { "invalid_request" } else { "invalid_token" };
            text.push_str(&format!(", error=\"{code}\", error_description=\"{flaw}\""));
        }
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer realm=\"\""))
    }

    /// What is remembered of a token, if it counted with the keys of this generation, and still does at `now` (seconds
    /// since 1970).
    pub fn remembered(&self, token: &str, generation: u64, now: u64) -> Option<Arc<Verified>> {
        self.verified.find(&self.scope, token, generation, now)
    }

    /// Verifies a token at `now` (seconds since 1970), and remembers it for keys of this generation.
    ///
    /// # Errors
    /// What is wrong with it. With [`Flaw::UnknownKey`] newer keys may know it.
    pub fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        generation: u64,
        now: u64,
    ) -> Result<Arc<Verified>, Flaw> {
        let verified = Arc::new(self.compute(token, keys, now)?);
        self.verified.insert(&self.scope, token, generation, now, &verified);
        Ok(verified)
    }

    fn compute(&self, token: &str, keys: &KeySet, now: u64) -> Result<Verified, Flaw> {
        let parts = Parts::split(token)?;
        let head = parts.head()?;
        if !self.spec.algorithms.contains(&head.algorithm) {
            return Err(Flaw::Algorithm);
        }
        keys.verify(&head, &parts)?;
        let claims = parts.claims()?;
        let until = claims::check(&claims, &self.spec, now)?;
        Ok(Verified { until, headers: self.headers(&claims) })
    }

    /// The values of the headers that are made of claims, in the order of the configuration.
    fn headers(&self, claims: &Map<String, Value>) -> Box<[Option<Box<[u8]>>]> {
        let names = self.spec.claim_headers.iter();
        names.map(|name| claims::header(claims, &name.claim)).collect()
    }

    /// The headers that the upstream gets of a token. [`wipe_names`](super::external::answer::wipe_names) has removed the client's.
    pub fn overrides(&self, verified: &Verified) -> Vec<Override<'static>> {
        let both = self.spec.claim_headers.iter().zip(&verified.headers);
        let set = both.filter_map(|(name, value)| {
            Some(Override::set(name.header.clone(), value.as_ref()?.to_vec()))
        });
        set.collect()
    }
}

#[cfg(test)]
mod tests;
