//! All upstreams of a snapshot, shared with the snapshots before and after it but for the few that differ.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use serde::{Serialize, Serializer};

use crate::{Upstream, UpstreamId};

/// Parts that are shared or copied as a whole: with 10,000 upstreams, about 40 are in each.
const PARTS: usize = 256;

/// Sorted by identity.
type Part = Vec<Arc<Upstream>>;

/// Upstreams by their identity.
///
/// Endpoints change often, and one upstream at a time. A clone shares all its parts with the original; a change copies
/// the part that the upstream is in, which costs nothing that grows with the names in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Upstreams {
    parts: Box<[Arc<Part>]>,
}

impl Default for Upstreams {
    fn default() -> Self {
        let empty = Arc::<Part>::default();
        Self { parts: vec![empty; PARTS].into() }
    }
}

impl Upstreams {
    /// One of them.
    pub fn get(&self, id: &UpstreamId) -> Option<&Arc<Upstream>> {
        let part = &self.parts[place_of(id)];
        position(part, id).ok().map(|at| &part[at])
    }

    /// Whether there is one.
    pub fn contains(&self, id: &UpstreamId) -> bool {
        self.get(id).is_some()
    }

    /// Adds an upstream, or puts it in the place of the one of the same identity.
    pub fn insert(&mut self, upstream: Arc<Upstream>) {
        let part = Arc::make_mut(&mut self.parts[place_of(&upstream.id)]);
        match position(part, &upstream.id) {
            Ok(at) => part[at] = upstream,
            Err(at) => part.insert(at, upstream),
        }
    }

    /// Takes one away; says whether there was one.
    pub fn remove(&mut self, id: &UpstreamId) -> bool {
        let part = &mut self.parts[place_of(id)];
        let found = position(part, id);
        if let Ok(at) = found {
            Arc::make_mut(part).remove(at);
        }
        found.is_ok()
    }

    /// All of them, sorted by identity. Takes its time: meant for whoever shows them.
    pub fn sorted(&self) -> Vec<&Arc<Upstream>> {
        let mut all: Vec<_> = self.parts.iter().flat_map(|part| part.iter()).collect();
        all.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// What may differ between two: slices sorted by identity, of `before` and of `self`, that hold the same identities
    /// if they hold any. What is the same part in both is left out.
    pub fn unshared<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a [Arc<Upstream>], &'a [Arc<Upstream>])> {
        let pairs = before.parts.iter().zip(&self.parts);
        let differing = pairs.filter(|(before, now)| !Arc::ptr_eq(before, now));
        differing.map(|(before, now)| (before.as_slice(), now.as_slice()))
    }
}

/// The part that an identity belongs to: the same in every snapshot.
fn place_of(id: &UpstreamId) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (hasher.finish() % PARTS as u64) as usize
}

fn position(part: &Part, id: &UpstreamId) -> Result<usize, usize> {
    part.binary_search_by(|upstream| upstream.id.cmp(id))
}

impl FromIterator<Arc<Upstream>> for Upstreams {
    fn from_iter<I: IntoIterator<Item = Arc<Upstream>>>(upstreams: I) -> Self {
        let mut all = Self::default();
        upstreams.into_iter().for_each(|upstream| all.insert(upstream));
        all
    }
}

impl std::fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.sorted()).finish()
    }
}

/// As a map by identity, sorted.
impl Serialize for Upstreams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.sorted().into_iter().map(|upstream| (&upstream.id, upstream)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoints;

    fn id(number: usize) -> UpstreamId {
        UpstreamId { namespace: "ns".into(), service: format!("s{number:05}"), port: "80".into() }
    }

    fn upstream(number: usize, port: u16) -> Arc<Upstream> {
        let endpoints = Endpoints::Addresses(vec![([10, 0, 0, 1], port).into()]);
        Arc::new(Upstream::new(id(number), endpoints))
    }

    #[test]
    fn they_are_found_replaced_and_removed() {
        let mut all: Upstreams = (0..1000).rev().map(|number| upstream(number, 1)).collect();
        assert!((0..1000).all(|number| all.get(&id(number)).unwrap().id == id(number)));
        assert!(all.sorted().is_sorted_by(|one, other| one.id < other.id));
        let two = upstream(7, 2);
        all.insert(Arc::clone(&two));
        assert!(Arc::ptr_eq(all.get(&id(7)).unwrap(), &two));
        assert!(all.remove(&id(7)) && !all.remove(&id(7)) && !all.contains(&id(7)));
        assert_eq!(all.sorted().len(), 999);
    }

    #[test]
    fn a_change_copies_one_part_and_shares_the_others() {
        let before: Upstreams = (0..10_000).map(|number| upstream(number, 1)).collect();
        let mut now = before.clone();
        now.insert(upstream(5, 2));
        let unshared: Vec<_> = now.unshared(&before).collect();
        let [(old, new)] = &unshared[..] else { panic!("{} parts are copied", unshared.len()) };
        assert_eq!(old.len(), new.len());
        assert!(old.len() < 100, "{} are looked at for one", old.len());
        let differing = old.iter().zip(*new).filter(|(old, new)| !Arc::ptr_eq(old, new));
        assert_eq!(differing.count(), 1);
        assert!(before.get(&id(5)) != now.get(&id(5)) && before != now);
    }

    #[test]
    fn removing_what_is_not_there_copies_nothing() {
        let before: Upstreams = (0..10).map(|number| upstream(number, 1)).collect();
        let mut now = before.clone();
        assert!(!now.remove(&id(11)));
        assert_eq!(now.unshared(&before).count(), 0);
    }
}
