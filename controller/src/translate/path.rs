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
pub struct Entry<'a, T> {
    /// The path as the rule writes it.
    pub path: &'a str,
    /// Whether its type is Exact; all other types are Prefix (routing §4.1).
    pub exact: bool,
    /// The annotations that hold for it.
    pub annotations: &'a Arc<Annotations>,
    /// What it was made from.
    pub what: T,
}

/// The paths of one host while they are collected, in the order of conflicts.
#[derive(Debug)]
pub struct Paths<'a, T> {
    entries: Vec<Entry<'a, T>>,
    index: HashMap<(&'a str, bool), usize>,
    /// Whether the first entry still is the implicit `/`.
    implicit: bool,
}

impl<'a, T: Clone> Paths<'a, T> {
    /// A host begins with the implicit `/`, which a declared one may replace (routing §2.2).
    pub fn new(annotations: &'a Arc<Annotations>, what: T) -> Self {
        let mut paths = Self { entries: Vec::new(), index: HashMap::new(), implicit: false };
        paths.add(Entry { path: "/", exact: false, annotations, what });
        paths.implicit = true;
        paths
    }

    /// A host whose `/` cannot be replaced, because a catch-all Ingress has it (routing §2.3).
    pub fn with_root(annotations: &'a Arc<Annotations>, what: T) -> Self {
        Self { implicit: false, ..Self::new(annotations, what) }
    }

    /// Adds the next younger path: the first of equal path and type keeps its place (routing §4.2).
    pub fn add(&mut self, entry: Entry<'a, T>) {
        let key = (entry.path, entry.exact);
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

    /// The finished table.
    pub fn finish(self) -> Table<'a, T> {
        let exact = self.entries.iter().filter(|entry| entry.exact);
        let exact: HashSet<&str> = exact.map(|entry| entry.path).collect();
        let mut entries: Vec<_> = self.entries.into_iter().enumerate().collect();
        // Longest text first, in bytes; equal lengths in reverse order; equal texts stay as they were collected.
        let precedence = |entry: &Entry<'a, T>| (Reverse(entry.path.len()), Reverse(entry.path));
        entries.sort_by(|(_, a), (_, b)| precedence(a).cmp(&precedence(b)));
        let mut places = Vec::with_capacity(entries.len() * 2);
        for (rank, entry) in entries {
            expand(rank, entry, &exact, &mut places);
        }
        let is_pattern =
            |place: &Place<'a, T>| place.annotations.use_regex || place.rewrites().is_some();
        if places.iter().any(is_pattern) {
            // Of all places, also of those that no request will reach.
            let app_root = app_root(&places);
            Table { mode: PathMode::Pattern, app_root, places: patterns(places) }
        } else {
            let places = literals(places, &exact);
            Table { mode: PathMode::Literal, app_root: app_root(&places), places }
        }
    }
}

/// The path table of a host.
#[derive(Debug)]
pub struct Table<'a, T> {
    /// How paths are matched.
    pub mode: PathMode,
    /// Where requests for `/` are sent: the `app-root` of the longest path that has one.
    pub app_root: Option<String>,
    /// The locations in the order of precedence.
    pub places: Vec<Place<'a, T>>,
}

fn app_root<T>(places: &[Place<'_, T>]) -> Option<String> {
    places.iter().find_map(|place| place.annotations.app_root.clone())
}

/// One location of the finished table.
#[derive(Clone, Debug)]
pub struct Place<'a, T> {
    /// What it matches.
    pub matcher: PathMatch,
    /// Whether the path without its last `/` is redirected to it.
    pub slash_redirect: bool,
    /// The annotations that hold for it.
    pub annotations: &'a Arc<Annotations>,
    /// What it was made from.
    pub what: T,
    rank: usize,
}

impl<T> Place<'_, T> {
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

/// Whether a Prefix path becomes a subtree and an exact path, rather than staying as it is written.
pub fn is_expanded(path: &str, annotations: &Annotations) -> bool {
    let is_rewritten = annotations.rewrite_target.as_ref().is_some_and(|target| *target != path);
    !path.ends_with('/') && !annotations.use_regex && !is_rewritten
}

/// Prefix `/foo` becomes the subtree `/foo/` and the exact `/foo`, unless it will be a regular expression anyway
/// (routing §4.3).
fn expand<'a, T: Clone>(
    rank: usize,
    entry: Entry<'a, T>,
    exact: &HashSet<&str>,
    places: &mut Vec<Place<'a, T>>,
) {
    let Entry { path, annotations, what, .. } = entry;
    let place =
        |matcher| Place { matcher, slash_redirect: false, annotations, what: what.clone(), rank };
    if entry.exact {
        places.push(place(PathMatch::Exact(path.to_owned())));
    } else if !is_expanded(path, annotations) {
        // The exact `/foo/` beside the subtree `/foo/` would take nothing that the subtree does not.
        places.push(place(PathMatch::Prefix(path.to_owned())));
    } else {
        places.push(place(PathMatch::Prefix(format!("{path}/"))));
        if !exact.contains(path) {
            places.push(place(PathMatch::Exact(path.to_owned())));
        }
    }
}

/// All paths as regular expressions in order; of equal ones only the first can ever match.
fn patterns<T>(places: Vec<Place<'_, T>>) -> Vec<Place<'_, T>> {
    let mut seen = HashSet::new();
    let is_first: Vec<bool> = places.iter().map(|place| seen.insert(place.path())).collect();
    let first = places.into_iter().zip(is_first).filter(|(_, is_first)| *is_first);
    let as_pattern = first.map(|(place, _)| {
        let (PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::Pattern(path)) =
            place.matcher;
        Place { matcher: PathMatch::Pattern(path), ..place }
    });
    as_pattern.collect()
}

/// Of two subtrees of one path (`/foo` and `/foo/`, both Prefix) the older has it; the reference cannot load such a set
/// (routing §4.3).
fn literals<'a, T>(places: Vec<Place<'a, T>>, exact: &HashSet<&str>) -> Vec<Place<'a, T>> {
    let mut oldest: HashMap<&PathMatch, usize> = HashMap::new();
    for place in &places {
        let rank = oldest.entry(&place.matcher).or_insert(place.rank);
        *rank = place.rank.min(*rank);
    }
    let has_exact = |path: &str| {
        exact.contains(path) || oldest.contains_key(&PathMatch::Exact(path.to_owned()))
    };
    let redirects = |place: &Place<'a, T>| {
        let bare = place.path().strip_suffix('/').filter(|path| !path.is_empty());
        bare.is_some_and(|path| !has_exact(path))
    };
    let kept: Vec<_> = places
        .iter()
        .map(|place| (oldest[&place.matcher] == place.rank).then(|| redirects(place)))
        .collect();
    let kept =
        places.into_iter().zip(kept).filter_map(|(place, redirect)| Some((place, redirect?)));
    kept.map(|(place, slash_redirect)| Place { slash_redirect, ..place }).collect()
}
