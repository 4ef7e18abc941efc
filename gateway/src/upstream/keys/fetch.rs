//! Fetches a set of keys.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header};

use super::Shared;
use crate::{
    filter::jwt::keys::{KeySet, SetError},
    observe::metrics::Metrics,
    upstream::{
        errand::{self, Errand, Place},
        names::Names,
    },
};

/// Limit of a fetch from one address, from connecting to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// A larger set is none.
const MOST_BYTES: usize = 256 * 1024;
/// How long keys hold that nothing is said about.
const USUAL: Duration = Duration::from_secs(300);
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// Keys as they were fetched.
#[derive(Debug)]
pub struct Fetched {
    /// The keys.
    pub keys: KeySet,
    /// When they are to be fetched again.
    pub lifetime: Duration,
}

/// Why there are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no answer.
    #[error("{0}")]
    Errand(#[from] errand::Failure),
    /// The answer is no set of keys.
    #[error("{0}")]
    Set(#[from] SetError),
}

/// Fetches the keys of one source.
#[derive(Clone)]
pub struct Fetcher {
    shared: Arc<Shared>,
    names: Arc<Names>,
    metrics: Arc<Metrics>,
}

impl Fetcher {
    /// For a source.
    pub fn new(shared: Arc<Shared>, names: Arc<Names>, metrics: Arc<Metrics>) -> Self {
        Self { shared, names, metrics }
    }

    /// Fetches the keys once.
    pub async fn fetch(self) -> Result<Fetched, Failure> {
        let outcome = self.ask().await;
        self.metrics.keys_fetched(outcome.is_ok());
        outcome
    }

    async fn ask(&self) -> Result<Fetched, Failure> {
        let source = &self.shared.source;
        let place = Place::parse(&source.url).ok_or(errand::Failure::Url)?;
        let tls = place.tls(&source.authorities)?;
        let errand = Errand {
            body: None,
            accept: HeaderValue::from_static("application/jwk-set+json, application/json"),
            most: MOST_BYTES,
            patience: PATIENCE,
        };
        let answer = errand.run(&place, self.addresses(&place).await, tls.as_ref()).await?;
        Ok(Fetched { keys: KeySet::parse(&answer.body)?, lifetime: lifetime(&answer.headers) })
    }

    async fn addresses(&self, place: &Place) -> Vec<SocketAddr> {
        if self.shared.source.upstream.is_some() {
            let endpoints = self.shared.endpoints.lock().clone();
            return endpoints.map(|upstream| upstream.addresses().to_vec()).unwrap_or_default();
        }
        place.addresses(&self.names).await
    }
}

/// How long an answer holds (RFC 9111 §5.2.2), within bounds.
fn lifetime(headers: &HeaderMap) -> Duration {
    let lines = headers.get_all(header::CACHE_CONTROL).iter();
    let words = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut said = None;
    for word in words.map(|word| word.trim().to_ascii_lowercase()) {
        if matches!(word.as_str(), "no-store" | "no-cache") {
            return SHORTEST;
        }
        let age = word.strip_prefix("max-age=").map(|age| age.trim_matches('"').parse::<u64>());
        if let Some(Ok(age)) = age {
            said = Some(age);
        }
    }
    let Some(said) = said else { return USUAL };
    let age = headers.get(header::AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(said.saturating_sub(age.unwrap_or(0))).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_bounded() {
        for (lines, seconds) in [
            (&[][..], 300),
            (&[("cache-control", "max-age=600")][..], 600),
            (&[("cache-control", "public, Max-Age=\"600\", must-revalidate")], 600),
            (&[("cache-control", "public"), ("cache-control", "max-age=900")], 900),
            (&[("cache-control", "max-age=600"), ("age", "200")], 400),
            (&[("cache-control", "max-age=600"), ("age", "900")], 60),
            (&[("cache-control", "max-age=0")], 60),
            (&[("cache-control", "no-store, max-age=600")], 60),
            (&[("cache-control", "max-age=99999999")], 3600),
            (&[("cache-control", "max-age=-1")], 300),
            (&[("cache-control", "max-age=99999999999999999999999")], 300),
            (&[("cache-control", "s-maxage=600")], 300),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().unwrap());
            }
            assert_eq!(lifetime(&headers), Duration::from_secs(seconds), "{lines:?}");
        }
    }
}
