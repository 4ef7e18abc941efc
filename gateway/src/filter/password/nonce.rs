//! What clients are asked with for a digest. A nonce says when it was made, and that it was made here: none is kept
//! until it has been used by somebody who knows a password.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use aws_lc_rs::hmac;
use parking_lot::Mutex;

use crate::clock::TICK;

/// How often a nonce may be used (annotations §3.6).
const MAX_USES: u32 = 20;
/// Ticks for which it may be used, from its first use on (annotations §3.6).
const USE_TICKS: u32 = ticks(10);
/// Ticks until its first use. Behind them it is forgotten.
const FRESH_TICKS: u32 = ticks(60);
const SHARDS: usize = 16;
/// Nonces in use that a shard keeps. Only who knows a password can fill it.
const MAX_OF_SHARD: usize = 4096;
/// Bytes of the proof that it was made here.
const PROOF: usize = 16;

const fn ticks(seconds: u32) -> u32 {
    seconds * 1000 / TICK.as_millis() as u32
}

/// Makes nonces, and counts their uses.
pub struct Nonces {
    key: hmac::Key,
    next: AtomicU64,
    shards: [Mutex<HashMap<u64, Uses>>; SHARDS],
}

/// The uses of a nonce.
#[derive(Clone, Copy, Debug)]
struct Uses {
    made: u32,
    first: u32,
    /// Bit n: it was used with the count n+1.
    counts: u32,
}

impl Nonces {
    /// Those that this key proves.
    pub fn new(key: hmac::Key) -> Self {
        Self { key, next: AtomicU64::new(1), shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// A new one: hexadecimal digits.
    pub fn make(&self, now: u32) -> String {
        let number = self.next.fetch_add(1, Relaxed);
        let mut head = [0; 12];
        head[..4].copy_from_slice(&now.to_be_bytes());
        head[4..].copy_from_slice(&number.to_be_bytes());
        let proof = hmac::sign(&self.key, &head);
        let bytes = head.iter().chain(&proof.as_ref()[..PROOF]);
        bytes.fold(String::with_capacity(56), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Counts a use by somebody who knows the password; false if it is used up, out of date, used with this count
    /// before, or not ours.
    pub fn admit(&self, nonce: &[u8], count: u32, now: u32) -> bool {
        let Some((made, number)) = self.open(nonce) else { return false };
        if made > now || !(1..=MAX_USES).contains(&count) {
            return false;
        }
        let mut shard = self.shards[(number % SHARDS as u64) as usize].lock();
        let bit = 1 << (count - 1);
        if let Some(uses) = shard.get_mut(&number) {
            let fine = now - uses.first.min(now) < USE_TICKS && uses.counts & bit == 0;
            uses.counts |= bit;
            return fine;
        }
        if now - made >= FRESH_TICKS {
            return false;
        }
        if shard.len() >= MAX_OF_SHARD {
            // Before it is forgotten it must be too old to be used for the first time.
            shard.retain(|_, uses| {
                now - uses.made.min(now) < FRESH_TICKS || now - uses.first.min(now) < USE_TICKS
            });
            if shard.len() >= MAX_OF_SHARD {
                return false;
            }
        }
        shard.insert(number, Uses { made, first: now, counts: bit });
        true
    }

    /// When a nonce was made, and its number, if it was made here.
    fn open(&self, nonce: &[u8]) -> Option<(u32, u64)> {
        let mut bytes = [0; 12 + PROOF];
        if nonce.len() != bytes.len() * 2 {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(nonce.chunks(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(value(digits[0])? << 4 | value(digits[1])?).ok()?;
        }
        let (head, proof) = bytes.split_at(12);
        let expected = hmac::sign(&self.key, head);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected.as_ref()[..PROOF], proof)
            .ok()?;
        let (made, number) = head.split_at(4);
        Some((
            u32::from_be_bytes(made.try_into().ok()?),
            u64::from_be_bytes(number.try_into().ok()?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces(key: u8) -> Nonces {
        Nonces::new(hmac::Key::new(hmac::HMAC_SHA256, &[key; 32]))
    }

    #[test]
    fn each_count_of_a_nonce_is_admitted_once() {
        let nonces = nonces(1);
        let nonce = nonces.make(100);
        assert!((1..=MAX_USES).all(|count| nonces.admit(nonce.as_bytes(), count, 101)));
        assert!((0..=MAX_USES + 1).all(|count| !nonces.admit(nonce.as_bytes(), count, 101)));
        assert_ne!(nonce, nonces.make(100));
    }

    #[test]
    fn a_nonce_runs_out_after_its_first_use_and_without_one() {
        let nonces = nonces(1);
        let used = nonces.make(100);
        assert!(nonces.admit(used.as_bytes(), 1, 100 + FRESH_TICKS - 1));
        assert!(nonces.admit(used.as_bytes(), 2, 98 + FRESH_TICKS + USE_TICKS));
        assert!(!nonces.admit(used.as_bytes(), 3, 99 + FRESH_TICKS + USE_TICKS));
        let unused = nonces.make(100);
        assert!(!nonces.admit(unused.as_bytes(), 1, 100 + FRESH_TICKS));
        assert!(!nonces.admit(nonces.make(200).as_bytes(), 1, 100), "from the future");
    }

    #[test]
    fn a_nonce_of_others_or_a_changed_one_is_not_ours() {
        let nonces = nonces(1);
        let nonce = nonces.make(100);
        assert!(!super::tests::nonces(2).admit(nonce.as_bytes(), 1, 101));
        for index in 0..nonce.len() {
            let mut changed = nonce.clone().into_bytes();
            changed[index] = if changed[index] == b'0' { b'1' } else { b'0' };
            assert!(!nonces.admit(&changed, 1, 101), "{index}");
        }
        for malformed in ["", "00", "zz", &nonce[1..], &nonce.replace('0', "+")] {
            assert!(!nonces.admit(malformed.as_bytes(), 1, 101), "{malformed}");
        }
        assert!(nonces.admit(nonce.as_bytes(), 1, 101));
    }

    #[test]
    fn what_has_been_used_is_not_forgotten_while_it_could_be_used_again() {
        let nonces = nonces(1);
        let first = nonces.make(100);
        assert!(nonces.admit(first.as_bytes(), 1, 100));
        let enough = MAX_OF_SHARD * SHARDS * 2;
        let admitted = (0..enough).filter(|_| nonces.admit(nonces.make(100).as_bytes(), 1, 100));
        assert!(admitted.count() < MAX_OF_SHARD * SHARDS);
        assert!(!nonces.admit(first.as_bytes(), 1, 100 + USE_TICKS), "no replay");
        // Room is made when they have run out.
        let later = 100 + FRESH_TICKS + USE_TICKS;
        assert!(nonces.admit(nonces.make(later).as_bytes(), 1, later));
    }
}
