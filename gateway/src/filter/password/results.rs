//! Remembers which passwords were right and which were not, so that a slow hash is computed once and not for every
//! request. Keyed by a keyed digest: neither a password nor anything that one could be guessed from is kept.

use hashbrown::HashTable;
use parking_lot::Mutex;

use crate::clock::TICK;

/// A digest, with a key that is never told, of a stored hash, a user and a password. Where the stored hash changes it is
/// another, and what was remembered is never asked for again.
pub type Fingerprint = [u8; 32];

/// Requests of different users rarely meet in one shard, and hold it for some nanoseconds.
const SHARDS: usize = 32;
/// Ticks for which a right password is remembered.
const RIGHT_TICKS: u32 = ticks(600);
/// Ticks for which a wrong password is remembered.
const WRONG_TICKS: u32 = ticks(10);
/// Right passwords that a shard remembers.
const MAX_RIGHT: usize = 256;
/// Wrong passwords that a shard remembers. They never push out right ones.
const MAX_WRONG: usize = 128;

const fn ticks(seconds: u32) -> u32 {
    seconds * 1000 / TICK.as_millis() as u32
}

/// Results of comparisons. Bounded: about a megabyte.
pub struct Results {
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    right: HashTable<Slot>,
    wrong: HashTable<Slot>,
}

struct Slot {
    fingerprint: Fingerprint,
    until: u32,
}

impl Default for Results {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Results {
    /// Whether a password is right, if that is remembered at this tick.
    pub fn find(&self, fingerprint: &Fingerprint, now: u32) -> Option<bool> {
        let shard = self.shard(fingerprint).lock();
        let knows = |table: &HashTable<Slot>| {
            let same = |slot: &Slot| slot.fingerprint == *fingerprint;
            table.find(hash(fingerprint), same).is_some_and(|slot| now < slot.until)
        };
        if knows(&shard.right) { Some(true) } else { knows(&shard.wrong).then_some(false) }
    }

    /// Remembers whether a password is right.
    pub fn insert(&self, fingerprint: Fingerprint, right: bool, now: u32) {
        let mut shard = self.shard(&fingerprint).lock();
        let (table, most, ticks) = if right {
            (&mut shard.right, MAX_RIGHT, RIGHT_TICKS)
        } else {
            (&mut shard.wrong, MAX_WRONG, WRONG_TICKS)
        };
        let slot = Slot { fingerprint, until: now.saturating_add(ticks) };
        if let Some(old) =
            table.find_mut(hash(&fingerprint), |slot| slot.fingerprint == fingerprint)
        {
            *old = slot;
            return;
        }
        if table.len() >= most {
            make_room(table, now);
        }
        table.insert_unique(hash(&fingerprint), slot, |slot| hash(&slot.fingerprint));
    }

    fn shard(&self, fingerprint: &Fingerprint) -> &Mutex<Shard> {
        &self.shards[usize::from(fingerprint[31]) % SHARDS]
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let count = |shard: &Shard| shard.right.len() + shard.wrong.len();
        self.shards.iter().map(|shard| count(&shard.lock())).sum()
    }
}

/// Forgets what has run out, or else what does next. As rare as the comparisons that are remembered.
fn make_room(table: &mut HashTable<Slot>, now: u32) {
    let before = table.len();
    table.retain(|slot| now < slot.until);
    if table.len() < before {
        return;
    }
    let next = table.iter().min_by_key(|slot| slot.until).map(|slot| slot.fingerprint);
    if let Some(next) = next
        && let Ok(slot) = table.find_entry(hash(&next), |slot| slot.fingerprint == next)
    {
        slot.remove();
    }
}

/// The digest is as good as random.
fn hash(fingerprint: &Fingerprint) -> u64 {
    fingerprint.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(n: u32) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_le_bytes());
        bytes[28..].copy_from_slice(&n.to_be_bytes());
        bytes
    }

    #[test]
    fn a_result_is_known_until_its_time_has_passed() {
        let results = Results::default();
        assert_eq!(results.find(&fingerprint(1), 5), None);
        results.insert(fingerprint(1), true, 5);
        results.insert(fingerprint(2), false, 5);
        assert_eq!(results.find(&fingerprint(1), 5), Some(true));
        assert_eq!(results.find(&fingerprint(2), 5 + WRONG_TICKS - 1), Some(false));
        assert_eq!(results.find(&fingerprint(2), 5 + WRONG_TICKS), None);
        assert_eq!(results.find(&fingerprint(1), 5 + RIGHT_TICKS - 1), Some(true));
        assert_eq!(results.find(&fingerprint(1), 5 + RIGHT_TICKS), None);
        results.insert(fingerprint(1), true, 9 + RIGHT_TICKS);
        assert_eq!(results.find(&fingerprint(1), 10 + RIGHT_TICKS), Some(true));
        assert_eq!(results.len(), 2);
    }

    #[test]
    fn a_flood_of_wrong_passwords_takes_bounded_room_and_pushes_out_no_right_one() {
        let results = Results::default();
        for n in 0..64 {
            results.insert(fingerprint(n), true, 1);
        }
        for n in 1000..50_000 {
            results.insert(fingerprint(n), false, 1);
        }
        assert!(results.len() <= 64 + SHARDS * MAX_WRONG, "{}", results.len());
        assert!((0..64).all(|n| results.find(&fingerprint(n), 2) == Some(true)));
        for n in 100_000..150_000 {
            results.insert(fingerprint(n), true, n);
        }
        assert!(results.len() <= SHARDS * (MAX_RIGHT + MAX_WRONG), "{}", results.len());
        assert_eq!(results.find(&fingerprint(149_999), 150_000), Some(true), "the newest stays");
    }
}
