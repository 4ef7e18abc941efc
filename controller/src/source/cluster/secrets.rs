//! Which Secrets anybody asks for. Of all others nothing is kept, not even that they exist.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::{
    objects::{Ingress, Key},
    options::Options,
};

/// Annotations whose value is a Secret, `name` or `namespace/name`.
const ANNOTATIONS: [&str; 3] = ["auth-secret", "auth-tls-secret", "proxy-ssl-secret"];

/// The Secrets that an Ingress names, whether they exist or may be read or not. Sorted, each once.
pub fn named_by(options: &Options, key: &Key, ingress: &Ingress) -> SmallVec<[Key; 1]> {
    let tls = ingress.tls.iter().map(|tls| &*tls.secret).filter(|name| !name.is_empty());
    let tls = tls.map(|name| Key::new(key.namespace(), name));
    let annotated = ANNOTATIONS.iter().filter_map(|name| {
        let value = ingress.annotation(&format!("{}/{name}", options.annotations_prefix))?.trim();
        Some(match value.split_once('/') {
            Some((namespace, name)) => Key::new(namespace, name),
            None => Key::new(key.namespace(), value),
        })
    });
    let mut named: SmallVec<[Key; 1]> = tls.chain(annotated).collect();
    named.sort();
    named.dedup();
    named
}

/// Who asks for which Secret, and which of them have been read.
#[derive(Debug, Default)]
pub struct Interest {
    asked: HashMap<Key, Asked>,
    by_ingress: HashMap<Key, SmallVec<[Key; 1]>>,
}

#[derive(Debug, Default)]
struct Asked {
    by: usize,
    /// Whether it is known what it holds, or that it does not exist.
    is_known: bool,
}

impl Interest {
    /// Asks for a Secret for ever.
    pub fn pin(&mut self, secret: Key) {
        self.asked.entry(secret).or_default().by += 1;
    }

    /// Notes which Secrets an Ingress names now. Returns those that nobody asks for any more.
    pub fn replace(&mut self, ingress: &Key, named: SmallVec<[Key; 1]>) -> Vec<Key> {
        for secret in &named {
            self.asked.entry(secret.clone()).or_default().by += 1;
        }
        let before = if named.is_empty() {
            self.by_ingress.remove(ingress)
        } else {
            self.by_ingress.insert(ingress.clone(), named)
        };
        let mut dropped = Vec::new();
        for secret in before.into_iter().flatten() {
            if let Some(asked) = self.asked.get_mut(&secret) {
                asked.by -= 1;
                if asked.by == 0 {
                    self.asked.remove(&secret);
                    dropped.push(secret);
                }
            }
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

    /// Everything that was asked for is known: a complete list has been read.
    pub fn all_known(&mut self) {
        for asked in self.asked.values_mut() {
            asked.is_known = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Tls;

    fn keys(names: &[&str]) -> SmallVec<[Key; 1]> {
        names.iter().map(|name| Key::new("a", name)).collect()
    }

    #[test]
    fn tls_and_annotations_name_secrets() {
        let tls = |secret: &str| Tls { secret: secret.into(), ..Tls::default() };
        let ingress = Ingress {
            tls: [tls("y"), tls(""), tls("y")].into(),
            annotations: [
                ("nginx.ingress.kubernetes.io/auth-secret".into(), "b/users".into()),
                ("nginx.ingress.kubernetes.io/auth-tls-secret".into(), "x".into()),
            ]
            .into(),
            ..Ingress::default()
        };
        let named = named_by(&Options::default(), &Key::new("a", "i"), &ingress);
        assert_eq!(named[..], [Key::new("a", "x"), Key::new("a", "y"), Key::new("b", "users")]);
    }

    #[test]
    fn a_secret_is_dropped_with_the_last_that_names_it() {
        let mut interest = Interest::default();
        let (first, second) = (Key::new("a", "1"), Key::new("a", "2"));
        assert!(interest.replace(&first, keys(&["s", "t"])).is_empty());
        assert!(interest.replace(&second, keys(&["s"])).is_empty());
        assert!(interest.is_unknown(&Key::new("a", "s")));
        assert!(interest.known(&Key::new("a", "s")));
        assert!(!interest.is_unknown(&Key::new("a", "s")));

        assert_eq!(interest.replace(&first, keys(&[])), [Key::new("a", "t"),]);
        assert!(interest.contains(&Key::new("a", "s")));
        assert_eq!(interest.replace(&second, keys(&["u"])), [Key::new("a", "s")]);
        assert!(!interest.known(&Key::new("a", "s")));
    }

    #[test]
    fn an_ingress_that_goes_on_naming_a_secret_keeps_it_known() {
        let mut interest = Interest::default();
        let ingress = Key::new("a", "1");
        interest.replace(&ingress, keys(&["s"]));
        interest.known(&Key::new("a", "s"));
        assert!(interest.replace(&ingress, keys(&["s"])).is_empty());
        assert!(!interest.is_unknown(&Key::new("a", "s")));
    }
}
