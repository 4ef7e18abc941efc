//! Facts of path matching, and comparisons with slow but obvious implementations.

mod facts;
mod patterns;

use std::sync::Arc;

use headgate_config::{Location, PathMatch, PathMode};

use super::{Found, PathTable};
use crate::route::sample::{self, host};

fn location(matcher: PathMatch, slash_redirect: bool) -> Arc<Location> {
    Arc::new(Location { slash_redirect, ..sample::location(matcher) })
}

/// A plain host: `=/foo` is exact, `/foo/` a prefix; a `+` behind it turns the slash redirect on.
fn plain(paths: &[&str]) -> PathTable {
    let locations = paths.iter().map(|path| {
        let (path, redirect) = path.strip_suffix('+').map_or((*path, false), |path| (path, true));
        let matcher = match path.strip_prefix('=') {
            Some(exact) => PathMatch::Exact(exact.to_owned()),
            None => PathMatch::Prefix(path.to_owned()),
        };
        location(matcher, redirect)
    });
    PathTable::compile(&host(PathMode::Literal, locations.collect()))
}

/// A regular-expression host.
fn patterns<T: AsRef<str>>(paths: &[T]) -> PathTable {
    let locations =
        paths.iter().map(|path| location(PathMatch::Pattern(path.as_ref().to_owned()), false));
    PathTable::compile(&host(PathMode::Pattern, locations.collect()))
}

#[track_caller]
fn check(table: &PathTable, cases: &[(&str, Found)]) {
    for (path, expected) in cases {
        assert_eq!(table.find(path.as_bytes()), *expected, "{path}");
    }
}
