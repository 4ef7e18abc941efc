//! OCSP stapling (`enable-ocsp`, routing §8.6): what the responder of a certificate says about it is asked for beside the
//! workers, checked, and shown in handshakes. A handshake takes what is there and never waits; nothing of all this exists
//! while the setting is off.
//!
//! Who staples what to which handshake is [`crate::listen::tls`]'s business.

mod answer;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod question;
mod refresh;
#[cfg(any(test, fuzzing))]
mod sample;
mod staple;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use tokio::sync::Semaphore;

use self::question::Question;
pub use self::staple::{Held, Staple};
use crate::upstream::{names::Names, resolve::Resolver};

/// Responders that are asked at the same time.
const MOST_ASKED: usize = 16;

/// Everything that is asked about certificates. Certificates that are the same share one answer.
pub struct Stapler {
    means: Arc<Means>,
    known: Mutex<HashMap<[u8; 32], Weak<Staple>>>,
}

/// What asking takes.
struct Means {
    resolver: Resolver,
    names: Names,
    places: Semaphore,
}

impl Stapler {
    /// Nothing is asked yet; everything will run where names are resolved.
    pub fn new(resolver: &Resolver) -> Self {
        let names = Names::new(resolver.clone());
        let places = Semaphore::new(MOST_ASKED);
        let means = Arc::new(Means { resolver: resolver.clone(), names, places });
        Self { means, known: Mutex::default() }
    }

    /// What is to be stapled to the certificate of a Secret, for as long as somebody holds it. None if its chain (leaf
    /// first) lacks its issuer, or it names no responder.
    pub fn staple(&self, chain: &[CertificateDer<'_>], secret: &str) -> Option<Arc<Staple>> {
        let question = Question::new(chain)?;
        let key = question.identity(&chain[0]);
        let mut known = self.known.lock();
        if let Some(staple) = known.get(&key).and_then(Weak::upgrade) {
            return Some(staple);
        }
        let staple = Arc::new(Staple::new(question, secret, Arc::clone(&self.means)));
        if known.len() == known.capacity() {
            known.retain(|_, staple| staple.strong_count() > 0);
        }
        known.insert(key, Arc::downgrade(&staple));
        Some(staple)
    }
}

impl std::fmt::Debug for Stapler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stapler")
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut value = [0; 32];
    value.copy_from_slice(digest(&SHA256, &parts.concat()).as_ref());
    value
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
