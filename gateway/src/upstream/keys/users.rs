//! Whose tokens the keys of a source are for: what a message about it names.

use std::{collections::BTreeMap, fmt, ops::Deref, sync::Arc};

use headgate_config::ObjectRef;
use parking_lot::Mutex;

use super::KeyStore;

/// Objects that one message names.
const MOST_NAMED: usize = 5;

/// The objects that use a source, each with the number of its locations.
#[derive(Debug, Default)]
pub struct Users(Mutex<BTreeMap<ObjectRef, usize>>);

impl Users {
    /// The objects.
    pub(super) fn objects(&self) -> Vec<ObjectRef> {
        self.0.lock().keys().cloned().collect()
    }
}

/// The keys of a source, in use by a location. As long as this lives the object that the location comes from is among
/// those that messages about the source name.
pub struct KeyUse {
    /// The keys.
    pub(super) store: Arc<KeyStore>,
    user: Option<ObjectRef>,
}

impl KeyUse {
    pub(super) fn new(store: Arc<KeyStore>, user: Option<&ObjectRef>) -> Self {
        if let Some(user) = user {
            *store.users().0.lock().entry(user.clone()).or_default() += 1;
        }
        Self { store, user: user.cloned() }
    }
}

impl Deref for KeyUse {
    type Target = KeyStore;

    fn deref(&self) -> &KeyStore {
        &self.store
    }
}

impl Drop for KeyUse {
    fn drop(&mut self) {
        let Some(user) = &self.user else { return };
        let mut users = self.store.users().0.lock();
        if let Some(count) = users.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                users.remove(user);
            }
        }
    }
}

/// `shop/a, shop/b and 3 more`.
impl fmt::Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = self.0.lock();
        for (index, user) in users.keys().take(MOST_NAMED).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}/{}", user.namespace, user.name)?;
        }
        match users.len().saturating_sub(MOST_NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
