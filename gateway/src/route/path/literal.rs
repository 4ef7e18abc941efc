//! Exact and prefix locations.
//!
//! One hash table knows everything about a path without its last slash: which location is exactly that, which is
//! that with a slash, and which takes everything below. So the usual look-up is one probe, and the longest prefix is
//! found by probing from the longest to the shortest part of the path that ends before a slash. Lengths that no
//! location has are not probed.

use std::{hash::BuildHasher, sync::Arc};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use headgate_config::{Location, PathMatch};
use smallvec::SmallVec;

use super::Found;

const NONE: u32 = u32::MAX;

/// The exact and prefix locations of a host.
#[derive(Default)]
pub(super) struct LiteralTable {
    slots: HashTable<Slot>,
    /// The keys of all slots, one after the other.
    keys: Box<[u8]>,
    lengths: Lengths,
    /// Prefixes that do not end in a slash, the longest first: only the built-in paths are such.
    bytewise: Vec<(Box<[u8]>, u32)>,
    hash: Hash,
}

/// What the locations say about one path without its last slash.
struct Slot {
    hash: u64,
    key_start: u32,
    key_length: u32,
    /// The exact location of the key.
    exact: u32,
    /// The exact location of the key and a slash.
    exact_slash: u32,
    /// The prefix location of the key and a slash.
    below: u32,
    redirect: bool,
}

impl LiteralTable {
    pub fn compile(locations: &[Arc<Location>]) -> Self {
        let mut builder = Builder::default();
        for (index, location) in locations.iter().enumerate() {
            let Ok(index) = u32::try_from(index) else { break };
            builder.add(index, location);
        }
        builder.finish()
    }

    pub fn find(&self, path: &[u8]) -> Found {
        let mut best = (0, NONE);
        if !self.slots.is_empty() {
            let hashes = self.hash.parts(path, &self.lengths);
            if let Some(found) = self.exact(path, &hashes) {
                return found;
            }
            best = self.longest(path, &hashes);
        }
        for (prefix, index) in &self.bytewise {
            if prefix.len() >= best.0 && path.starts_with(prefix) {
                best.1 = *index;
                break;
            }
        }
        location(best.1)
    }

    /// Like [`find`](Self::find), without prefixes.
    pub fn find_exact(&self, path: &[u8]) -> Found {
        if self.slots.is_empty() {
            return Found::Nothing;
        }
        let hashes = self.hash.parts(path, &self.lengths);
        self.exact(path, &hashes).unwrap_or(Found::Nothing)
    }

    /// The location that is exactly the path, or the redirect to the path with a slash.
    fn exact(&self, path: &[u8], hashes: &Parts) -> Option<Found> {
        let (key, slash) = match path {
            [key @ .., b'/'] => (key, true),
            key => (key, false),
        };
        let slot = self.slot(key, hashes.last(key.len())?)?;
        if slash {
            return (slot.exact_slash != NONE).then(|| location(slot.exact_slash));
        }
        if slot.exact != NONE {
            return Some(location(slot.exact));
        }
        if !slot.redirect || self.bytewise.iter().any(|(prefix, _)| **prefix == *path) {
            return None;
        }
        let target = if slot.exact_slash == NONE { slot.below } else { slot.exact_slash };
        Some(Found::SlashRedirect(target as usize))
    }

    /// Length and location of the longest prefix that ends in a slash.
    fn longest(&self, path: &[u8], hashes: &Parts) -> (usize, u32) {
        let mut parts = hashes.parts.iter().rev();
        let found = parts.find_map(|part| {
            let end = part.end as usize;
            if path.get(end) != Some(&b'/') {
                return None;
            }
            let slot = self.slot(&path[..end], part.hash)?;
            (slot.below != NONE).then_some((end + 1, slot.below))
        });
        found.unwrap_or((0, NONE))
    }

    fn slot(&self, key: &[u8], hash: u64) -> Option<&Slot> {
        self.slots.find(hash, |slot| {
            slot.hash == hash
                && *key == self.keys[slot.key_start as usize..][..slot.key_length as usize]
        })
    }
}

fn location(index: u32) -> Found {
    if index == NONE { Found::Nothing } else { Found::Location(index as usize) }
}

/// The hashes of the beginnings of a path that end before a slash or with the path: those that may be in the table.
struct Parts {
    parts: SmallVec<[Part; 16]>,
}

#[derive(Clone, Copy)]
struct Part {
    end: u32,
    hash: u64,
}

impl Parts {
    /// The hash of the first `length` bytes, if they are the longest part.
    fn last(&self, length: usize) -> Option<u64> {
        let last = self.parts.last()?;
        (last.end as usize == length).then_some(last.hash)
    }
}

/// Hashes a path segment by segment, so that all its parts cost one pass.
#[derive(Default)]
struct Hash(RandomState);

impl Hash {
    fn parts(&self, path: &[u8], lengths: &Lengths) -> Parts {
        let mut parts = SmallVec::new();
        let mut hash = 0;
        let mut start = 0;
        // the path begins with a slash, so the first part is empty
        let key_end = path.strip_suffix(b"/").unwrap_or(path).len();
        let slashes = memchr::memchr_iter(b'/', &path[..key_end]);
        for end in slashes.chain(Some(key_end)) {
            if end > lengths.longest {
                break;
            }
            hash = self.extend(hash, &path[start..end]);
            start = end;
            if lengths.contains(end) {
                parts.push(Part { end: end as u32, hash });
            }
        }
        Parts { parts }
    }

    /// The hash of a key.
    fn whole(&self, key: &[u8]) -> u64 {
        let mut hash = 0;
        let mut start = 0;
        for end in memchr::memchr_iter(b'/', key).chain(Some(key.len())) {
            hash = self.extend(hash, &key[start..end]);
            start = end;
        }
        hash
    }

    fn extend(&self, hash: u64, segment: &[u8]) -> u64 {
        self.0.hash_one((hash, segment))
    }
}

/// Which lengths the keys have.
#[derive(Default)]
struct Lengths {
    longest: usize,
    seen: Vec<u64>,
}

impl Lengths {
    fn insert(&mut self, length: usize) {
        self.longest = self.longest.max(length);
        let word = length / 64;
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        self.seen[word] |= 1 << (length % 64);
    }

    fn contains(&self, length: usize) -> bool {
        self.seen.get(length / 64).is_some_and(|word| word & 1 << (length % 64) != 0)
    }
}

#[derive(Default)]
struct Builder {
    table: LiteralTable,
    keys: Vec<u8>,
}

impl Builder {
    fn add(&mut self, index: u32, location: &Location) {
        let first = |entry: &mut u32| {
            if *entry == NONE {
                *entry = index;
            }
        };
        match &location.matcher {
            PathMatch::Exact(path) => match path.strip_suffix('/') {
                Some(key) => {
                    let slot = self.slot(key.as_bytes());
                    first(&mut slot.exact_slash);
                    slot.redirect |= location.slash_redirect;
                }
                None => first(&mut self.slot(path.as_bytes()).exact),
            },
            PathMatch::Prefix(path) => match path.strip_suffix('/') {
                Some(key) => {
                    let slot = self.slot(key.as_bytes());
                    first(&mut slot.below);
                    slot.redirect |= location.slash_redirect;
                }
                None => self.table.bytewise.push((path.as_bytes().into(), index)),
            },
            PathMatch::Pattern(_) => {}
        }
    }

    /// The slot of a key, new if need be.
    fn slot(&mut self, key: &[u8]) -> &mut Slot {
        let hash = self.table.hash.whole(key);
        let keys = &mut self.keys;
        let same =
            |slot: &Slot| *key == keys[slot.key_start as usize..][..slot.key_length as usize];
        let entry = self.table.slots.entry(hash, same, |slot| slot.hash);
        self.table.lengths.insert(key.len());
        let new = || {
            let key_start = keys.len() as u32;
            keys.extend_from_slice(key);
            Slot {
                hash,
                key_start,
                key_length: key.len() as u32,
                exact: NONE,
                exact_slash: NONE,
                below: NONE,
                redirect: false,
            }
        };
        entry.or_insert_with(new).into_mut()
    }

    fn finish(mut self) -> LiteralTable {
        self.table.slots.shrink_to_fit(|slot| slot.hash);
        self.table.keys = self.keys.into();
        // stable: of two equal prefixes the first wins
        self.table.bytewise.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self.table
    }
}
