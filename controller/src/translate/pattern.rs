//! Regular expressions that cannot be served. What becomes of their requests is left to the gateway, which denies them.

use std::collections::BTreeSet;

use headgate_config::{Effect, Host, HostPattern, Location, PathMatch, Rewrite, Verdict};

use super::annotations::Finding;
use crate::options::PatternCheck;

/// What is wrong with the patterns of a host, sorted.
pub fn broken(check: PatternCheck, host: &Host) -> Vec<Verdict> {
    let paths = host.locations.iter().filter_map(|location| {
        let found = broken_location(check, &host.name, location)?;
        Some(found.about(location.origin.object.clone()?))
    });
    let aliases = host.aliases.iter().filter_map(|alias| {
        let HostPattern::Regex(regex) = alias else { return None };
        let found = broken_alias(check, &host.name, regex)?;
        Some(found.about(host.alias_origin.as_deref()?.clone()))
    });
    paths.chain(aliases).collect::<BTreeSet<_>>().into_iter().collect()
}

fn broken_location(check: PatternCheck, host: &str, location: &Location) -> Option<Finding> {
    let path = &location.origin.path;
    if let PathMatch::Pattern(pattern) = &location.matcher
        && let Some(found) = broken_path(check, host, path, pattern)
    {
        return Some(found);
    }
    broken_rewrite(check, host, path, location.rewrite.as_ref()?)
}

/// What is wrong with the pattern that a path of a host is.
pub fn broken_path(check: PatternCheck, host: &str, path: &str, pattern: &str) -> Option<Finding> {
    let error = (check.path)(pattern).err()?;
    Some(Finding {
        effect: Effect::Denied,
        reason: "InvalidPath",
        message: format!(
            "path {path:?} of host {host:?} is no usable regular expression: {error}; requests that begin like it are answered with 503: correct it"
        ),
    })
}

/// What is wrong with the rewrite of a path of a host.
pub fn broken_rewrite(
    check: PatternCheck,
    host: &str,
    path: &str,
    rewrite: &Rewrite,
) -> Option<Finding> {
    let error = (check.rewrite)(rewrite).err()?;
    let target = &rewrite.target;
    Some(Finding {
        effect: Effect::Denied,
        reason: "InvalidRewrite",
        message: format!(
            "path {path:?} of host {host:?} cannot be rewritten to {target:?}: {error}; its requests are answered with 503: correct rewrite-target"
        ),
    })
}

/// What is wrong with an alias of a host.
pub fn broken_alias(check: PatternCheck, host: &str, alias: &str) -> Option<Finding> {
    let error = (check.alias)(alias).err()?;
    Some(Finding {
        effect: Effect::Warning,
        reason: "InvalidAlias",
        message: format!(
            "alias {alias:?} of host {host}: {error}; it matches nothing: correct server-alias"
        ),
    })
}
