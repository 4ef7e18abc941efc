//! Which Ingress has which path of which host: what a new one is compared with (routing §14).
//!
//! Kept up to date with every change, so that the cost of a review does not grow with the number of Ingresses.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use smallvec::SmallVec;

use crate::{
    objects::{Backend, Ingress, Key},
    translate::{
        ingress::{Accepted, DEFAULT_HOST, host_of},
        path::is_expanded,
    },
};

/// The served Ingresses by their paths.
#[derive(Debug, Default)]
pub struct Claims {
    known: HashMap<Key, Arc<Accepted>>,
    /// Oldest first; the first one has the path.
    places: HashMap<Place, SmallVec<[Arc<Accepted>; 1]>>,
}

/// A path of a host.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Place {
    host: Box<str>,
    path: Box<str>,
    is_exact: bool,
}

/// Two Ingresses want the same path of the same host.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("host \"{host}\" and path \"{path}\" is already defined in ingress {owner}")]
pub struct Conflict {
    host: String,
    path: String,
    owner: Key,
}

impl Claims {
    /// Notes which version of an Ingress is served now.
    pub fn replace(&mut self, key: &Key, now: Option<&Arc<Accepted>>) {
        let before = match now {
            Some(now) => self.known.insert(key.clone(), now.clone()),
            None => self.known.remove(key),
        };
        if let (Some(before), Some(now)) = (&before, now)
            && Arc::ptr_eq(before, now)
        {
            return;
        }
        if let Some(ingress) = before {
            for place in places(&ingress) {
                if let Entry::Occupied(mut claims) = self.places.entry(place) {
                    claims.get_mut().retain(|claim| !Arc::ptr_eq(claim, &ingress));
                    if claims.get().is_empty() {
                        claims.remove();
                    }
                }
            }
        }
        if let Some(ingress) = now {
            for place in places(ingress) {
                let claims = self.places.entry(place).or_default();
                // Two rules of one Ingress may name a path twice.
                if !claims.iter().any(|claim| Arc::ptr_eq(claim, ingress)) {
                    let at = claims.partition_point(|claim| claim.age < ingress.age);
                    claims.insert(at, ingress.clone());
                }
            }
        }
    }

    /// How many Ingresses are served, this one counted as one of them.
    pub fn count_with(&self, key: &Key) -> usize {
        self.known.len() + usize::from(!self.known.contains_key(key))
    }

    /// The first path of a new Ingress, or of a new version, that another one has. As in the reference, types of paths
    /// are not told apart, the new one counts as the youngest, and `canary`, the annotation's full name, with any value
    /// on either side makes it no conflict: the canary itself has no paths of its own.
    pub fn conflict(&self, key: &Key, ingress: &Ingress, canary: &str) -> Option<Conflict> {
        if ingress.annotation(canary).is_some() {
            return None;
        }
        claimed(ingress).find_map(|(host, path, _)| {
            let owners = self.owners(key, host, path);
            let owner = owners
                .into_iter()
                .flatten()
                .filter(|owner| owner.ingress.annotation(canary).is_none())
                .min_by(|one, other| one.age.cmp(&other.age))?;
            Some(Conflict { host: host.into(), path: path.into(), owner: owner.key().clone() })
        })
    }

    /// Who else has locations of this path: as Exact, as Prefix, or because Prefix `/foo` also makes a location `/foo/`.
    fn owners(&self, except: &Key, host: &str, path: &str) -> [Option<&Accepted>; 3] {
        let oldest = |path: &str, is_exact| {
            let place = Place { host: host.into(), path: path.into(), is_exact };
            let claims = self.places.get(&place)?;
            claims.iter().map(|claim| &**claim).find(|claim| claim.key() != except)
        };
        let shorter = path.strip_suffix('/').filter(|shorter| !shorter.is_empty());
        let expanded = shorter.and_then(|shorter| {
            oldest(shorter, false).filter(|owner| is_expanded(shorter, &owner.annotations))
        });
        [oldest(path, true), oldest(path, false), expanded]
    }
}

/// What an accepted Ingress has. A canary has nothing (routing §13), a catch-all the default host's `/` (routing §2.3).
fn places(ingress: &Accepted) -> impl Iterator<Item = Place> {
    let ingress = Some(ingress).filter(|ingress| !ingress.annotations.canary);
    let root = ingress.filter(|ingress| ingress.is_catch_all()).map(|_| (DEFAULT_HOST, "/", false));
    let claimed = ingress.into_iter().flat_map(|ingress| claimed(&ingress.ingress)).chain(root);
    claimed.map(|(host, path, is_exact)| Place { host: host.into(), path: path.into(), is_exact })
}

/// Host, path, and whether it is Exact, of every path that a Service serves.
fn claimed(ingress: &Ingress) -> impl Iterator<Item = (&str, &str, bool)> {
    ingress.rules.iter().flat_map(|rule| {
        let is_served = |backend: &Backend| matches!(backend, Backend::Service { .. });
        let paths = rule.paths.iter().filter(move |path| is_served(&path.backend));
        paths.map(|path| (host_of(rule), &*path.text, path.is_exact))
    })
}
