//! A hash table of names that keeps their texts in one piece.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Values by name. The first value of a name stays.
pub(super) struct Names<V> {
    table: HashTable<Entry<V>>,
    texts: Vec<u8>,
    longest: usize,
    hash: RandomState,
}

struct Entry<V> {
    hash: u64,
    start: u32,
    length: u32,
    value: V,
}

impl<V> Default for Names<V> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            texts: Vec::new(),
            longest: 0,
            hash: RandomState::default(),
        }
    }
}

impl<V: Copy> Names<V> {
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn get(&self, name: &[u8]) -> Option<V> {
        if name.len() > self.longest {
            return None;
        }
        let hash = self.hash.hash_one(name);
        let same = |entry: &Entry<V>| entry.hash == hash && entry.text(&self.texts) == name;
        self.table.find(hash, same).map(|entry| entry.value)
    }

    /// Adds a name and says whether it is new.
    pub fn insert(&mut self, name: &[u8], value: V) -> bool {
        if self.get(name).is_some() {
            return false;
        }
        let hash = self.hash.hash_one(name);
        let entry =
            Entry { hash, start: self.texts.len() as u32, length: name.len() as u32, value };
        self.longest = self.longest.max(name.len());
        self.texts.extend_from_slice(name);
        self.table.insert_unique(hash, entry, |entry| entry.hash);
        true
    }
}

impl<V> Entry<V> {
    fn text<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        &texts[self.start as usize..][..self.length as usize]
    }
}
