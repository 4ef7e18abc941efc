//! Asking another service whether a request may pass (annotations §3.7): what it is asked, what its answer means, and
//! how long that is remembered. Sending and waiting is left to `proxy`. No I/O.

pub mod answer;
pub mod cache;
mod freshness;

use std::sync::Arc;

use headgate_config::{PathMatch, protection::ExternalAuth};
use http::{HeaderName, HeaderValue, Method};

use self::cache::Scope;
use super::{
    url::{Destination, Url},
    variables::{Part, Variables, parts},
};

/// A service that is asked, in the form in which requests use it.
pub struct External {
    /// As configured.
    pub spec: Arc<ExternalAuth>,
    /// What it is asked with.
    pub method: Method,
    /// Headers of its answer that the upstream gets.
    pub response_headers: Box<[HeaderName]>,
    /// Whose answers are remembered together.
    pub scope: Arc<Scope>,
    url: Url,
}

impl External {
    /// Compiles `spec` for the location of `host` with this matcher; `None` if it cannot be asked as written.
    pub fn new(spec: &Arc<ExternalAuth>, host: &str, matcher: &PathMatch) -> Option<Self> {
        let method = spec.method.as_deref().unwrap_or("GET");
        let names = spec.response_headers.iter();
        let names = names.map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        Some(Self {
            method: Method::from_bytes(method.as_bytes()).ok()?,
            response_headers: names.collect::<Option<_>>()?,
            scope: Arc::new(Scope::new(host, matcher, spec)),
            url: Url::parse(&spec.url, || default_path(matcher))?,
            spec: Arc::clone(spec),
        })
    }

    /// Where a request is asked about; `None` if what the client sent leads nowhere, or out of the URL.
    pub fn destination(&self, variables: &Variables<'_>) -> Option<Destination> {
        self.url.destination(variables)
    }

    /// What the answer about a request is remembered by; `None` if none is. Where one variable ends and the next begins
    /// is a part of it: two clients must not get the same by moving a character. So is what the service is `told` about the
    /// client by the gateway itself.
    pub fn key(
        &self,
        variables: &Variables<'_>,
        told: &[(&'static str, HeaderValue)],
    ) -> Option<Vec<u8>> {
        /// Of longer ones nothing is remembered.
        const LONGEST: usize = 16 * 1024;
        let text = self.spec.cache_key.as_deref()?;
        if !self.is_safe() {
            return None;
        }
        let mut key = Vec::with_capacity(text.len() + 64);
        for part in parts(text) {
            match part {
                Part::Text(text) => key.extend_from_slice(text.as_bytes()),
                Part::Variable(name) => {
                    let value = variables.text(name)?;
                    key.extend_from_slice(&value);
                    key.extend_from_slice(&value.len().to_le_bytes());
                }
            }
            if key.len() > LONGEST {
                return None;
            }
        }
        for (name, value) in told {
            for text in [name.as_bytes(), value.as_bytes()] {
                key.extend_from_slice(text);
                key.extend_from_slice(&text.len().to_le_bytes());
            }
        }
        (key.len() <= LONGEST).then_some(key)
    }

    /// Whether answers to its method may be remembered.
    fn is_safe(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// What is asked for where the URL has no path: not `/`, but a name that tells the locations of a host apart (annotations
/// §3.7).
fn default_path(matcher: &PathMatch) -> String {
    let (path, kind) = match matcher {
        PathMatch::Exact(path) => (path, "Exact"),
        PathMatch::Prefix(path) | PathMatch::Pattern(path) => (path, "Prefix"),
    };
    format!("/_external-auth-{}-{kind}", base64url(path.as_bytes()))
}

/// Base64 for URLs without padding (RFC 4648 §5).
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            out.push(char::from(DIGITS[(group >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_have_names_of_their_own() {
        let prefix = |path: &str| default_path(&PathMatch::Prefix(path.into()));
        assert_eq!(prefix("/"), "/_external-auth-Lw-Prefix");
        assert_eq!(prefix("/foo/"), "/_external-auth-L2Zvby8-Prefix");
        assert_eq!(
            default_path(&PathMatch::Exact("/a?>~".into())),
            "/_external-auth-L2E_Pn4-Exact"
        );
    }
}
