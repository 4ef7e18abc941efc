//! Remembers which tokens counted, so that a signature is verified once and not for every request. Keyed by a keyed digest:
//! no token is kept.

use std::sync::Arc;

use aws_lc_rs::hmac;
use hashbrown::HashTable;
use headgate_config::protection::TokenAuth;
use parking_lot::Mutex;

use crate::filter::process_key::{self, ProcessKey};

/// A digest, with a key that is never told, of what a location asks of a token, and of a token.
type Fingerprint = [u8; 32];

/// Requests with different tokens rarely meet in one shard, and hold it for some nanoseconds.
const SHARDS: usize = 32;
/// Tokens that a shard remembers.
const MOST_TOKENS: usize = 128;
/// A token whose headers have more bytes is verified each time.
const MOST_HEADERS: usize = 4096;

/// What is known of a token that counts.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// When it ends to count, in seconds since 1970.
    pub(super) until: u64,
    /// Values of the headers that are made of its claims, in the order of the configuration.
    pub(super) headers: Box<[Option<Box<[u8]>>]>,
}

/// Tokens that counted, of all locations. Bounded: at most 4,096 with 4 KiB of headers each.
pub struct VerifiedTokens {
    /// Made when it is first needed.
    key: ProcessKey,
    shards: [Mutex<HashTable<Slot>>; SHARDS],
}

struct Slot {
    fingerprint: Fingerprint,
    /// Of the keys that it was verified with. With others it has to be verified again.
    generation: u64,
    verified: Arc<Verified>,
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self { key: process_key::unmade(), shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl VerifiedTokens {
    /// Begins the digests of a location. Locations that ask for the same remember together; where anything differs that a
    /// token is measured by, or that is made of it, what one lets pass means nothing to the other. The keys are told apart
    /// by their generation.
    pub fn scope(&self, spec: &TokenAuth) -> hmac::Context {
        let TokenAuth { keys: _, issuer, audiences, algorithms, claim_headers, clock_skew } = spec;
        let asked = serde_json::to_vec(&(issuer, audiences, algorithms, claim_headers, clock_skew));
        // Lists of texts and numbers have a form in JSON.
        let asked = asked.unwrap_or_default();
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(asked.len() as u64).to_le_bytes());
        context.update(&asked);
        context
    }

    /// What is known of a token with keys of this generation, as long as it counts.
    pub fn find(
        &self,
        scope: &hmac::Context,
        token: &str,
        generation: u64,
        now: u64,
    ) -> Option<Arc<Verified>> {
        let fingerprint = fingerprint(scope, token);
        let shard = self.shard(&fingerprint).lock();
        let slot = shard.find(hash(&fingerprint), |slot| slot.fingerprint == fingerprint)?;
        let counts = slot.generation == generation && now < slot.verified.until;
        counts.then(|| Arc::clone(&slot.verified))
    }

    /// Remembers a token.
    pub fn insert(
        &self,
        scope: &hmac::Context,
        token: &str,
        generation: u64,
        now: u64,
        verified: &Arc<Verified>,
    ) {
        let bytes: usize = verified.headers.iter().flatten().map(|value| value.len()).sum();
        if bytes > MOST_HEADERS {
            return;
        }
        let fingerprint = fingerprint(scope, token);
        let slot = Slot { fingerprint, generation, verified: Arc::clone(verified) };
        let mut shard = self.shard(&fingerprint).lock();
        let same = |slot: &Slot| slot.fingerprint == fingerprint;
        if let Some(old) = shard.find_mut(hash(&fingerprint), same) {
            *old = slot;
            return;
        }
        if shard.len() >= MOST_TOKENS {
            make_room(&mut shard, now);
        }
        shard.insert_unique(hash(&fingerprint), slot, |slot| hash(&slot.fingerprint));
    }

    fn shard(&self, fingerprint: &Fingerprint) -> &Mutex<HashTable<Slot>> {
        &self.shards[usize::from(fingerprint[31]) % SHARDS]
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

/// Forgets tokens that have ended, or else the one that ends next.
fn make_room(shard: &mut HashTable<Slot>, now: u64) {
    let before = shard.len();
    shard.retain(|slot| now < slot.verified.until);
    if shard.len() < before {
        return;
    }
    let next = shard.iter().min_by_key(|slot| slot.verified.until).map(|slot| slot.fingerprint);
    if let Some(next) = next
        && let Ok(slot) = shard.find_entry(hash(&next), |slot| slot.fingerprint == next)
    {
        slot.remove();
    }
}

fn fingerprint(scope: &hmac::Context, token: &str) -> Fingerprint {
    let mut context = scope.clone();
    context.update(token.as_bytes());
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(context.sign().as_ref());
    fingerprint
}

/// The digest is as good as random.
fn hash(fingerprint: &Fingerprint) -> u64 {
    fingerprint.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headgate_config::protection::{KeySource, TokenAlgorithm};

    use super::*;

    fn spec(issuer: &str) -> TokenAuth {
        TokenAuth {
            keys: KeySource { url: String::new(), upstream: None, authorities: Vec::new() },
            issuer: Some(issuer.into()),
            audiences: Vec::new(),
            algorithms: vec![TokenAlgorithm::Es256],
            claim_headers: Vec::new(),
            clock_skew: Duration::ZERO,
        }
    }

    fn until(until: u64) -> Arc<Verified> {
        Arc::new(Verified { until, headers: Box::default() })
    }

    #[test]
    fn a_token_is_known_for_its_location_its_keys_and_its_time() {
        let tokens = VerifiedTokens::default();
        let (scope, other) = (tokens.scope(&spec("a")), tokens.scope(&spec("b")));
        tokens.insert(&scope, "t", 1, 10, &until(20));
        assert_eq!(tokens.find(&scope, "t", 1, 19), Some(until(20)));
        assert_eq!(tokens.find(&tokens.scope(&spec("a")), "t", 1, 19), Some(until(20)));
        assert_eq!(tokens.find(&scope, "t", 1, 20), None, "it has ended");
        assert_eq!(tokens.find(&scope, "t", 2, 19), None, "the keys are others");
        assert_eq!(tokens.find(&scope, "u", 1, 19), None, "it is another");
        assert_eq!(tokens.find(&other, "t", 1, 19), None, "another issuer is asked for");
        tokens.insert(&scope, "t", 2, 10, &until(20));
        assert_eq!(tokens.find(&scope, "t", 2, 19), Some(until(20)));
        assert_eq!(tokens.len(), 1);
    }

    #[test]
    fn a_flood_of_tokens_takes_bounded_room() {
        let tokens = VerifiedTokens::default();
        let scope = tokens.scope(&spec("a"));
        for n in 0..20_000 {
            tokens.insert(&scope, &n.to_string(), 1, 0, &until(1 + n));
        }
        assert!(tokens.len() <= SHARDS * MOST_TOKENS, "{}", tokens.len());
        assert!(tokens.find(&scope, "19999", 1, 0).is_some(), "the newest stays");
        let large: Box<[u8]> = vec![b'x'; MOST_HEADERS + 1].into();
        let large = Arc::new(Verified { until: 9, headers: [Some(large)].into() });
        tokens.insert(&scope, "large", 1, 0, &large);
        assert_eq!(tokens.find(&scope, "large", 1, 0), None);
    }
}
