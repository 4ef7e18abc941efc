//! Which Ingresses depend on which Secrets and ConfigMaps.

use std::collections::{BTreeMap, BTreeSet};

use super::annotations::subject::References;
use crate::objects::{Changes, Key};

/// Ingresses by what their annotations name.
#[derive(Debug, Default)]
pub struct Referrers {
    secrets: BTreeMap<Key, BTreeSet<Key>>,
    config_maps: BTreeMap<Key, BTreeSet<Key>>,
}

impl Referrers {
    /// Puts what an Ingress names in place of what it named.
    pub fn replace(&mut self, ingress: &Key, before: &References, after: &References) {
        if before == after {
            return;
        }
        for (map, before, after) in [
            (&mut self.secrets, &before.secrets, &after.secrets),
            (&mut self.config_maps, &before.config_maps, &after.config_maps),
        ] {
            for key in before {
                if let Some(ingresses) = map.get_mut(key) {
                    ingresses.remove(ingress);
                    if ingresses.is_empty() {
                        map.remove(key);
                    }
                }
            }
            for key in after {
                map.entry(key.clone()).or_default().insert(ingress.clone());
            }
        }
    }

    /// The Ingresses that name any of the changed objects; one may come more than once.
    pub fn of<'a>(&'a self, changes: &'a Changes) -> impl Iterator<Item = &'a Key> {
        let secrets = changes.secrets.iter().filter_map(|key| self.secrets.get(key));
        let config_maps = changes.config_maps.iter().filter_map(|key| self.config_maps.get(key));
        secrets.chain(config_maps).flatten()
    }
}
