//! Which Secrets anybody asks for. Of all others nothing is kept, not even that they exist.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::ConfigMap;
use smallvec::SmallVec;

use crate::{
    objects::{Ingress, Key},
    options::{NamespaceScope, Options},
    translate::annotations::full_name,
};

/// Annotations whose value is a Secret, `name` or `namespace/name`.
const ANNOTATIONS: [&str; 4] =
    ["auth-secret", "auth-tls-secret", "headgate.io/jwt-ca-secret", "proxy-ssl-secret"];

/// Key of the main ConfigMap whose value is a Secret, `namespace/name`.
const CONFIG_KEY: &str = "limit-shared-secret";

/// The Secrets that the main ConfigMap names. Sorted, each once.
pub fn named_by_config(options: &Options, map: &ConfigMap) -> SmallVec<[Key; 1]> {
    let data = map.data.iter().flatten();
    let values = data.filter(|(name, _)| name.eq_ignore_ascii_case(CONFIG_KEY));
    let named = values.filter_map(|(_, value)| value.trim().split_once('/'));
    keys(options, named)
}

/// Who asks for what the main ConfigMap names. No Ingress has such a name.
pub fn config_asker(map: &Key) -> Key {
    Key::new(map.namespace(), &format!("configmap/{}", map.name()))
}

/// The Secrets that an Ingress names, whether they exist or may be read or not. Sorted, each once.
pub fn named_by(options: &Options, key: &Key, ingress: &Ingress) -> SmallVec<[Key; 1]> {
    let tls = ingress.tls.iter().map(|tls| (key.namespace(), &*tls.secret));
    let annotated = ANNOTATIONS.iter().filter_map(|name| {
        let value = ingress.annotation(&full_name(&options.annotations_prefix, name))?.trim();
        Some(value.split_once('/').unwrap_or((key.namespace(), value)))
    });
    keys(options, tls.chain(annotated))
}

/// Those of the names that an object may have, where we may look for it. Sorted, each once.
fn keys<'a>(
    options: &Options,
    named: impl Iterator<Item = (&'a str, &'a str)>,
) -> SmallVec<[Key; 1]> {
    let named = named.filter(|(namespace, name)| {
        let in_scope = match &options.namespaces {
            NamespaceScope::One(only) => only == namespace,
            NamespaceScope::All | NamespaceScope::Labelled(_) => true,
        };
        in_scope && is_name(namespace) && is_name(name)
    });
    let mut named: SmallVec<[Key; 1]> =
        named.map(|(namespace, name)| Key::new(namespace, name)).collect();
    named.sort();
    named.dedup();
    named
}

/// Whether an object may have this name (a DNS subdomain, RFC 1123). No other text becomes part of a request.
pub(super) fn is_name(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| fine(byte) || matches!(byte, b'-' | b'.'))
        && text.split('.').all(|label| {
            label.bytes().next().is_some_and(fine) && label.bytes().last().is_some_and(fine)
        })
}

/// Who asks for which Secret, and which of them have been read.
#[derive(Debug, Default)]
pub struct Interest {
    asked: HashMap<Key, Asked>,
    by_ingress: HashMap<Key, SmallVec<[Key; 1]>>,
    /// How many lists of all Secrets have begun.
    lists: u64,
}

#[derive(Debug)]
struct Asked {
    by: usize,
    /// Whether it is known what it holds, or that it does not exist.
    is_known: bool,
    /// How many lists had begun when it was asked for first: those may have passed it by.
    since: u64,
}

impl Interest {
    /// Asks for a Secret for ever.
    pub fn pin(&mut self, secret: Key) {
        self.ask(secret);
    }

    /// Notes that an Ingress names these Secrets, beside those that it named before. Returns those that have to be
    /// fetched: nobody has asked for them before, and the list has begun without them.
    pub fn add(&mut self, ingress: &Key, named: &[Key]) -> Vec<Key> {
        let mut to_fetch = Vec::new();
        for secret in named {
            let by_ingress = self.by_ingress.entry(ingress.clone()).or_default();
            if by_ingress.contains(secret) {
                continue;
            }
            by_ingress.push(secret.clone());
            if self.ask(secret.clone()) && self.lists > 0 {
                to_fetch.push(secret.clone());
            }
        }
        to_fetch
    }

    /// Notes that an Ingress names these Secrets and no other. Returns those that nobody asks for any more.
    pub fn settle(&mut self, ingress: &Key, named: &[Key]) -> Vec<Key> {
        let Some(before) = self.by_ingress.get_mut(ingress) else { return Vec::new() };
        let mut dropped = Vec::new();
        before.retain(|secret| {
            let stays = named.contains(secret);
            if !stays && let Some(asked) = self.asked.get_mut(secret) {
                asked.by -= 1;
                if asked.by == 0 {
                    self.asked.remove(secret);
                    dropped.push(secret.clone());
                }
            }
            stays
        });
        if before.is_empty() {
            self.by_ingress.remove(ingress);
        }
        dropped
    }

    /// Whether anybody asks for it.
    pub fn contains(&self, secret: &Key) -> bool {
        self.asked.contains_key(secret)
    }

    /// Notes that what a Secret holds, or that there is none, is known now; says whether anybody asks for it.
    pub fn known(&mut self, secret: &Key) -> bool {
        let asked = self.asked.get_mut(secret);
        asked.map(|asked| asked.is_known = true).is_some()
    }

    /// Whether it is still to be read.
    pub fn is_unknown(&self, secret: &Key) -> bool {
        self.asked.get(secret).is_some_and(|asked| !asked.is_known)
    }

    /// A list of all Secrets begins.
    pub fn list_begins(&mut self) {
        self.lists += 1;
    }

    /// The list is complete: every Secret that was asked for before it began is known.
    pub fn list_is_complete(&mut self) {
        for asked in self.asked.values_mut().filter(|asked| asked.since < self.lists) {
            asked.is_known = true;
        }
    }

    /// Whether the list that has begun last must have named it, if it exists.
    pub fn is_covered(&self, secret: &Key) -> bool {
        self.asked.get(secret).is_none_or(|asked| asked.since < self.lists)
    }

    /// Says whether nobody has asked for it before.
    fn ask(&mut self, secret: Key) -> bool {
        let since = self.lists;
        let asked = self.asked.entry(secret);
        let asked = asked.or_insert(Asked { by: 0, is_known: false, since });
        asked.by += 1;
        asked.by == 1
    }
}

#[cfg(test)]
#[expect(
    clippy::cloned_ref_to_slice_refs,
    reason = "lists of one read like the longer ones beside them"
)]
mod tests {
    use super::*;
    use crate::objects::Tls;

    #[test]
    fn tls_and_annotations_name_secrets() {
        let tls = |secret: &str| Tls { secret: secret.into(), ..Tls::default() };
        let ingress = Ingress {
            tls: [tls("y"), tls(""), tls("y")].into(),
            annotations: [
                ("headgate.io/jwt-ca-secret".into(), "ca".into()),
                ("nginx.ingress.kubernetes.io/auth-secret".into(), "b/users".into()),
                ("nginx.ingress.kubernetes.io/auth-tls-secret".into(), "x".into()),
            ]
            .into(),
            ..Ingress::default()
        };
        let named = named_by(&Options::default(), &Key::new("a", "i"), &ingress);
        let own = ["ca", "x", "y"].map(|name| Key::new("a", name));
        assert_eq!((&named[..3], &named[3..]), (&own[..], &[Key::new("b", "users")][..]));
    }

    #[test]
    fn what_is_no_name_of_an_object_is_not_asked_for() {
        for value in
            ["a?b/c", "../x", "a/b/c", "A", "", "/", "a/", "-a", "a..b", "x,metadata.name=y"]
        {
            let ingress = Ingress {
                annotations: [("nginx.ingress.kubernetes.io/auth-secret".into(), value.into())]
                    .into(),
                ..Ingress::default()
            };
            let named = named_by(&Options::default(), &Key::new("a", "i"), &ingress);
            assert!(named.is_empty(), "{value:?}");
        }
    }

    #[test]
    fn with_one_namespace_no_other_is_asked() {
        let options = Options { namespaces: NamespaceScope::One("a".into()), ..Options::default() };
        let ingress = Ingress {
            annotations: [("nginx.ingress.kubernetes.io/auth-secret".into(), "b/s".into())].into(),
            ..Ingress::default()
        };
        assert!(named_by(&options, &Key::new("a", "i"), &ingress).is_empty());
    }

    #[test]
    fn a_secret_is_dropped_with_the_last_that_names_it() {
        let mut interest = Interest::default();
        let [first, second] = ["1", "2"].map(|name| Key::new("a", name));
        let [s, t, u] = ["s", "t", "u"].map(|name| Key::new("a", name));
        interest.add(&first, &[s.clone(), t.clone()]);
        interest.add(&second, &[s.clone()]);
        assert_eq!(interest.settle(&first, &[]), [t]);
        assert!(interest.contains(&s));
        interest.add(&second, &[u.clone()]);
        assert!(interest.contains(&s), "until it is settled");
        assert_eq!(interest.settle(&second, &[u]), [s.clone()]);
        assert!(!interest.known(&s));
    }

    #[test]
    fn a_list_makes_known_what_was_asked_for_before_it_began() {
        let mut interest = Interest::default();
        let ingress = Key::new("a", "1");
        let [early, late] = ["early", "late"].map(|name| Key::new("a", name));
        assert!(interest.add(&ingress, &[early.clone()]).is_empty(), "the list will name it");
        interest.list_begins();
        assert_eq!(interest.add(&ingress, &[late.clone()]), [late.clone()]);
        assert!(interest.add(&ingress, &[late.clone()]).is_empty(), "once is enough");
        assert!(interest.is_covered(&early) && !interest.is_covered(&late));
        interest.list_is_complete();
        assert!(!interest.is_unknown(&early) && interest.is_unknown(&late));
        interest.list_begins();
        interest.list_is_complete();
        assert!(!interest.is_unknown(&late));
    }
}
