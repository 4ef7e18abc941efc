//! The ConfigMaps that Ingresses and the main ConfigMap name. Each is followed by a watch of its own, so that the right to read it can be
//! granted by its name, and of all others nothing is read.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::core::v1::ConfigMap;
use smallvec::SmallVec;

use super::secrets::is_name;
use crate::{
    objects::{Ingress, Key},
    options::{NamespaceScope, Options},
};

/// Annotations whose value is a ConfigMap, `namespace/name`, and whether `name` alone is one of the Ingress's namespace.
const ANNOTATIONS: [(&str, bool); 3] = [
    ("auth-proxy-set-headers", false),
    ("custom-headers", false),
    ("fastcgi-params-configmap", true),
];
/// Keys of the main ConfigMap whose value is another one, `namespace/name`.
const CONFIG_KEYS: [&str; 2] = ["add-headers", "proxy-set-headers"];
/// ConfigMaps that are followed at most. Each costs the API server a watch.
const MOST: usize = 512;

/// The ConfigMaps that an Ingress names, but for those that are followed anyway.
pub fn named_by(options: &Options, own: &Key, ingress: &Ingress) -> SmallVec<[Key; 1]> {
    let values = ANNOTATIONS.iter().filter_map(|(name, may_be_near)| {
        let value = ingress.annotation(&format!("{}/{name}", options.annotations_prefix))?.trim();
        let near = may_be_near.then_some((own.namespace(), value));
        value.split_once('/').or(near)
    });
    keys(options, values)
}

/// The ConfigMaps that the main one names.
pub fn named_by_config(options: &Options, map: &ConfigMap) -> SmallVec<[Key; 1]> {
    let is_key = |name: &str| CONFIG_KEYS.iter().any(|key| key.eq_ignore_ascii_case(name));
    let data = map.data.iter().flatten().filter(|(name, _)| is_key(name));
    keys(options, data.filter_map(|(_, value)| value.trim().split_once('/')))
}

/// Those of the names that can be an object's where we may look for it. Each once, and none that is followed anyway.
fn keys<'a>(
    options: &Options,
    names: impl Iterator<Item = (&'a str, &'a str)>,
) -> SmallVec<[Key; 1]> {
    let own = options.config_maps();
    let named = names.filter_map(|(namespace, name)| {
        let in_scope = match &options.namespaces {
            NamespaceScope::One(only) => only == namespace,
            NamespaceScope::All | NamespaceScope::Labelled(_) => true,
        };
        (in_scope && is_name(namespace) && is_name(name)).then(|| Key::new(namespace, name))
    });
    let is_other = |key: &Key| own.iter().all(|own| Key::from(*own) != *key);
    let mut named: SmallVec<[Key; 1]> = named.filter(is_other).collect();
    named.sort();
    named.dedup();
    named
}

/// What is to be done about a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Follow this ConfigMap.
    Follow(Key),
    /// Nobody names it any more.
    Forget(Key),
}

/// Who names which ConfigMap, and which of them have been read.
#[derive(Debug, Default)]
pub struct Maps {
    named: HashMap<Key, Named>,
    wishes: Vec<Wish>,
}

#[derive(Debug, Default)]
struct Named {
    by: HashSet<Key>,
    is_known: bool,
}

impl Maps {
    /// Notes that an Ingress names these, beside those that it named before.
    pub fn add(&mut self, ingress: &Key, named: &[Key]) {
        for key in named {
            if let Some(known) = self.named.get_mut(key) {
                known.by.insert(ingress.clone());
            } else if self.named.len() < MOST {
                let by = HashSet::from([ingress.clone()]);
                self.named.insert(key.clone(), Named { by, is_known: false });
                self.wishes.push(Wish::Follow(key.clone()));
            } else {
                tracing::warn!(
                    config_map = %key, %ingress,
                    "{MOST} ConfigMaps are followed already; this one is as if it did not exist"
                );
            }
        }
    }

    /// Notes that an Ingress names these and no other; returns those that nobody names any more.
    pub fn settle(&mut self, ingress: &Key, named: &[Key]) -> Vec<Key> {
        let left = self.named.iter_mut().filter(|(key, _)| !named.contains(key));
        let dropped = left.filter_map(|(key, named)| {
            (named.by.remove(ingress) && named.by.is_empty()).then(|| key.clone())
        });
        let dropped: Vec<_> = dropped.collect();
        for key in &dropped {
            self.named.remove(key);
            self.wishes.push(Wish::Forget(key.clone()));
        }
        dropped
    }

    /// Whether anybody names it.
    pub fn contains(&self, key: &Key) -> bool {
        self.named.contains_key(key)
    }

    /// Notes that what it holds is known, or that there is none, or that it may not be read.
    pub fn known(&mut self, key: &Key) {
        if let Some(named) = self.named.get_mut(key) {
            named.is_known = true;
        }
    }

    /// Whether it is still to be read.
    pub fn is_unknown(&self, key: &Key) -> bool {
        self.named.get(key).is_some_and(|named| !named.is_known)
    }

    /// What is to be done, in order.
    pub fn wishes(&self) -> &[Wish] {
        &self.wishes
    }

    /// What is to be done since this was asked last, in order.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("a", name)
    }

    #[test]
    fn an_annotation_names_a_config_map() {
        let named = |value: &str| {
            let ingress = Ingress {
                annotations: [(
                    "nginx.ingress.kubernetes.io/auth-proxy-set-headers".into(),
                    value.into(),
                )]
                .into(),
                ..Ingress::default()
            };
            let options = Options { configmap: "sys/main".parse().ok(), ..Options::default() };
            named_by(&options, &Key::new("a", "i"), &ingress).to_vec()
        };
        assert_eq!(named(" a/headers "), [key("headers")]);
        for value in ["headers", "a/", "a/B", "a/b/c", "sys/main", "a/x,metadata.name=y"] {
            assert_eq!(named(value), [], "{value}");
        }
    }

    #[test]
    fn a_map_is_followed_while_anybody_names_it() {
        let mut maps = Maps::default();
        maps.add(&key("one"), &[key("m")]);
        maps.add(&key("two"), &[key("m")]);
        assert_eq!(maps.wishes(), [Wish::Follow(key("m"))]);
        assert!(maps.is_unknown(&key("m")));
        maps.known(&key("m"));
        assert!(!maps.is_unknown(&key("m")));
        assert_eq!(maps.settle(&key("one"), &[]), []);
        assert_eq!(maps.settle(&key("two"), &[key("m")]), []);
        assert_eq!(maps.settle(&key("two"), &[]), [key("m")]);
        assert!(!maps.contains(&key("m")));
        assert_eq!(maps.take_wishes(), [Wish::Follow(key("m")), Wish::Forget(key("m"))]);
        assert_eq!(maps.take_wishes(), []);
    }

    #[test]
    fn there_are_not_too_many() {
        let mut maps = Maps::default();
        for number in 0..MOST + 10 {
            maps.add(&key("one"), &[key(&number.to_string())]);
        }
        assert_eq!(maps.take_wishes().len(), MOST);
        assert!(!maps.is_unknown(&key(&(MOST + 1).to_string())), "nobody waits for it");
    }
}
