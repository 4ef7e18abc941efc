//! The path table of one host: collects the paths of its Ingresses, orders and expands them (routing §4).
//!
//! Works on paths and annotations only; what a location does is left to [`host`](super::host).

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use headgate_config::{PathMatch, PathMode};

use super::annotations::Annotations;

/// A path of a rule, or the implicit `/`, with something that says what happens to its requests.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The path as the rule writes it.
    pub path: String,
    /// Whether its type is Exact; all other types are Prefix (routing §4.1).
    pub exact: bool,
    /// The annotations that hold for it.
    pub annotations: Arc<Annotations>,
    /// What it was made from.
    pub what: T,
}

/// The paths of one host while they are collected, in the order of conflicts.
#[derive(Debug)]
pub struct Paths<T> {
    entries: Vec<Entry<T>>,
    index: HashMap<(String, bool), usize>,
    /// Whether the first entry still is the implicit `/`.
    implicit: bool,
}

impl<T> Paths<T> {
    /// A host begins with the implicit `/`, which a declared one may replace (routing §2.2).
    pub fn new(annotations: Arc<Annotations>, what: T) -> Self {
        let mut paths = Self { entries: Vec::new(), index: HashMap::new(), implicit: false };
        paths.add(Entry { path: "/".into(), exact: false, annotations, what });
        paths.implicit = true;
        paths
    }

    /// A host whose `/` cannot be replaced, because a catch-all Ingress has it (routing §2.3).
    pub fn with_root(annotations: Arc<Annotations>, what: T) -> Self {
        Self { implicit: false, ..Self::new(annotations, what) }
    }

    /// Adds the next younger path: the first of equal path and type keeps its place (routing §4.2).
    pub fn add(&mut self, entry: Entry<T>) {
        let key = (entry.path.clone(), entry.exact);
        match self.index.get(&key) {
            None => {
                self.index.insert(key, self.entries.len());
                self.entries.push(entry);
            }
            Some(0) if self.implicit => {
                self.implicit = false;
                self.entries[0] = entry;
            }
            Some(_) => {}
        }
    }

    /// The table: how paths are matched, and the locations in the order of precedence.
    pub fn finish(self) -> (PathMode, Vec<Place<T>>)
    where
        T: Clone,
    {
        let exact: HashSet<String> = self
            .entries
            .iter()
            .filter(|entry| entry.exact)
            .map(|entry| entry.path.clone())
            .collect();
        let mut entries: Vec<_> = self.entries.into_iter().enumerate().collect();
        // Longest text first, in bytes; equal lengths in reverse order; equal texts stay as they were collected.
        entries.sort_by(|(_, a), (_, b)| {
            (Reverse(a.path.len()), Reverse(&a.path))
                .cmp(&(Reverse(b.path.len()), Reverse(&b.path)))
        });
        let mut places = Vec::with_capacity(entries.len() * 2);
        for (rank, entry) in entries {
            expand(rank, entry, &exact, &mut places);
        }
        let is_pattern =
            |place: &Place<T>| place.annotations.use_regex || place.rewrites().is_some();
        if places.iter().any(is_pattern) {
            (PathMode::Pattern, patterns(places))
        } else {
            (PathMode::Literal, literals(places, &exact))
        }
    }
}

/// One location of the finished table.
#[derive(Clone, Debug)]
pub struct Place<T> {
    /// What it matches.
    pub matcher: PathMatch,
    /// Whether the path without its last `/` is redirected to it.
    pub slash_redirect: bool,
    /// The annotations that hold for it.
    pub annotations: Arc<Annotations>,
    /// What it was made from.
    pub what: T,
    rank: usize,
}

impl<T> Place<T> {
    /// The path that it was made for.
    pub fn path(&self) -> &str {
        match &self.matcher {
            PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::Pattern(path) => path,
        }
    }

    /// The target of its rewrite, if there is one: a target that is the path itself is none.
    pub fn rewrites(&self) -> Option<&str> {
        let target = self.annotations.rewrite_target.as_deref()?;
        (target != self.path()).then_some(target)
    }
}

/// Prefix `/foo` becomes the subtree `/foo/` and the exact `/foo`, unless it will be a regular expression anyway
/// (routing §4.3).
fn expand<T: Clone>(
    rank: usize,
    entry: Entry<T>,
    exact: &HashSet<String>,
    places: &mut Vec<Place<T>>,
) {
    let Entry { path, annotations, what, .. } = entry;
    let place = |matcher| Place {
        matcher,
        slash_redirect: false,
        annotations: annotations.clone(),
        what: what.clone(),
        rank,
    };
    let rewritten = annotations.rewrite_target.as_ref().is_some_and(|target| *target != path);
    if entry.exact {
        places.push(place(PathMatch::Exact(path)));
    } else if path.ends_with('/') || annotations.use_regex || rewritten {
        // The exact `/foo/` beside the subtree `/foo/` would take nothing that the subtree does not.
        places.push(place(PathMatch::Prefix(path)));
    } else {
        places.push(place(PathMatch::Prefix(format!("{path}/"))));
        if !exact.contains(&path) {
            places.push(place(PathMatch::Exact(path)));
        }
    }
}

/// All paths as regular expressions in order; of equal ones only the first can ever match.
fn patterns<T>(mut places: Vec<Place<T>>) -> Vec<Place<T>> {
    let mut seen = HashSet::new();
    for place in &mut places {
        place.matcher = PathMatch::Pattern(place.path().to_owned());
    }
    places.retain(|place| seen.insert(place.path().to_owned()));
    places
}

/// Of two subtrees of one path (`/foo` and `/foo/`, both Prefix) the older has it; the reference cannot load such a set
/// (routing §4.3).
fn literals<T>(mut places: Vec<Place<T>>, exact: &HashSet<String>) -> Vec<Place<T>> {
    let mut oldest: HashMap<PathMatch, usize> = HashMap::new();
    let mut bare: HashSet<String> = exact.clone();
    for place in &places {
        let rank = oldest.entry(place.matcher.clone()).or_insert(place.rank);
        *rank = place.rank.min(*rank);
        if let PathMatch::Exact(path) = &place.matcher {
            bare.insert(path.clone());
        }
    }
    places.retain(|place| oldest.get(&place.matcher) == Some(&place.rank));
    for place in &mut places {
        let without_slash = place.path().strip_suffix('/').filter(|path| !path.is_empty());
        place.slash_redirect = without_slash.is_some_and(|path| !bare.contains(path));
    }
    places
}
