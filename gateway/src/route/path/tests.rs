//! Facts of path matching, and comparisons with slow but obvious implementations.

mod facts;
mod patterns;

use std::sync::Arc;

use headgate_config::{
    Action, Host, HostPattern, HttpsRedirect, Location, Origin, PathMatch, PathMode, ProxySettings,
    Redirect,
};

use super::{Found, PathTable};

fn location(matcher: PathMatch, slash_redirect: bool) -> Arc<Location> {
    Arc::new(Location {
        matcher,
        slash_redirect,
        origin: Arc::new(Origin::default()),
        action: Action::Respond(404),
        body_limit: None,
        https_redirect: HttpsRedirect::Never,
        redirect: Redirect::default(),
        rewrite: None,
        upstream_host: None,
        proxy: Arc::new(ProxySettings::default()),
        access_log: true,
    })
}

fn host(mode: PathMode, locations: Vec<Arc<Location>>) -> Host {
    Host {
        name: "a.test".to_owned(),
        pattern: HostPattern::Exact("a.test".to_owned()),
        aliases: Vec::new(),
        mode,
        locations,
        alias_origin: None,
        app_root: None,
        origin: None,
    }
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
