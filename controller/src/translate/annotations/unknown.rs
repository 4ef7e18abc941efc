//! Names that no annotation has: what was probably meant by them, and whether they can be passed over.
//!
//! The reference ignores what it does not know, and so it is here, with a word about it. Of our own names whoever writes one
//! means this program: one that looks like protection closes its locations, since the author takes them for closed.

use std::{collections::HashMap, sync::LazyLock};

use parking_lot::Mutex;

use super::{
    BY_NAME, OWN_PREFIX,
    definition::Definition,
    full_name,
    group::Group::{Auth, RateLimit},
    values::Values,
};
use crate::{near, translate::wording};

/// A longer name was not meant to be one of ours.
const LONGEST: usize = 64;
/// Names that a message has, at most.
const MOST: usize = 8;
/// Names of which it is remembered what they are like.
const REMEMBERED: usize = 512;
/// Words in the names of what protects.
const PROTECTING: &[&str] = &[
    "acl",
    "allow",
    "allowlist",
    "auth",
    "authn",
    "authz",
    "blacklist",
    "block",
    "blocklist",
    "deny",
    "denylist",
    "jwks",
    "jwt",
    "limit",
    "limits",
    "mtls",
    "oauth",
    "oauth2",
    "oidc",
    "password",
    "ratelimit",
    "secret",
    "secure",
    "security",
    "token",
    "waf",
    "whitelist",
];

/// Says what is to be said about names that no annotation has, as they are written behind the prefix.
pub fn tell(values: &mut Values<'_>, names: &[&str]) {
    let prefix = &values.subject.options.annotations_prefix;
    let mut passed_over = Vec::new();
    let mut denial = None;
    for name in names {
        let meant = nearest(name);
        let suggestion = meant.map(|meant| {
            // In the same form as the name itself, where both have the same prefix.
            if is_own(name) { full_name(prefix, meant) } else { meant.to_owned() }
        });
        if protects(name, meant) {
            let hint =
                suggestion.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
            let full = full_name(prefix, name).escape_debug().to_string();
            denial.get_or_insert_with(|| format!(
                "there is no annotation {full}{hint}; correct its name or remove it: it looks like protection, so that the locations answer 503 rather than stand open"
            ));
        } else {
            let hint = suggestion.map(|meant| format!(" (did you mean {meant}?)"));
            passed_over.push(format!("{}{}", name.escape_debug(), hint.unwrap_or_default()));
        }
    }
    if passed_over.len() > MOST {
        let more = passed_over.len() - MOST;
        passed_over.truncate(MOST);
        passed_over.push(format!("{more} more"));
    }
    if !passed_over.is_empty() {
        let message =
            wording::without_effect("annotation", &passed_over, ["is unknown", "are unknown"]);
        values.warn("UnknownAnnotation", message);
    }
    values.denied = values.denied.take().or(denial);
}

/// The name of the definition that is most like a name that there is none of, if any is like it at all. Thousands of
/// Ingresses may have the same one, so that it is looked for once.
pub fn nearest(name: &str) -> Option<&'static str> {
    static FOUND: LazyLock<Mutex<HashMap<Box<str>, Option<&'static str>>>> =
        LazyLock::new(Mutex::default);
    if short(name).len() > LONGEST {
        return None;
    }
    if let Some(found) = FOUND.lock().get(name) {
        return *found;
    }
    let nearest = look_for(name);
    let mut found = FOUND.lock();
    if found.len() >= REMEMBERED {
        found.clear();
    }
    found.insert(name.into(), nearest);
    nearest
}

fn look_for(name: &str) -> Option<&'static str> {
    let plain = short(name);
    // Of an own name, own ones first.
    let preferred = |known: &str| is_own(known) != is_own(name);
    let similar = BY_NAME
        .keys()
        .filter_map(|known| Some((near::edits(short(known), plain)?, preferred(known), *known)));
    similar.min().map(|(_, _, known)| known)
}

fn is_own(name: &str) -> bool {
    name.starts_with(OWN_PREFIX)
}

/// A name without the prefix of our own.
fn short(name: &str) -> &str {
    name.strip_prefix(OWN_PREFIX).unwrap_or(name)
}

/// Whether whoever wrote an unknown name expects to be protected by it.
fn protects(name: &str, meant: Option<&str>) -> bool {
    let definition: Option<&&Definition> = meant.and_then(|meant| BY_NAME.get(meant));
    let groups = definition.and_then(|known| Some(known.documentation.as_ref()?.group));
    if !is_own(name) {
        // The reference has nothing of this name: ours is meant, behind the other prefix.
        return meant.is_some_and(|meant| is_own(meant) && short(meant) == name);
    }
    matches!(groups, Some(Auth | RateLimit))
        || short(name).split(['-', '.', '_']).any(|word| PROTECTING.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_like_one_another() {
        for (name, expected) in [
            ("headgate.io/limit-share", Some("headgate.io/limit-shared")),
            ("headgate.io/jwt-issuers", Some("headgate.io/jwt-issuer")),
            ("headgate.io/auth-url", Some("auth-url")),
            ("auth-ur", Some("auth-url")),
            ("limit-shared", Some("headgate.io/limit-shared")),
            ("white-list-source-range", Some("whitelist-source-range")),
            ("headgate.io/of-tomorrow", None),
            ("tpyo", None),
            (&"a".repeat(1000), None),
        ] {
            assert_eq!(nearest(name), expected, "{name:.60}");
        }
    }
}
