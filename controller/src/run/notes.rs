//! The way from what is served to the objects that it comes from: what turns out to be wrong only while it is served.

use std::{fmt, sync::Arc};

use headgate_config::Verdict;

/// Takes what is wrong at the moment, all of it each time, and makes events of what is new.
#[derive(Clone, Default)]
pub struct Notes(Option<Arc<dyn Fn(Vec<Verdict>) + Send + Sync>>);

impl Notes {
    pub(super) fn new(take: impl Fn(Vec<Verdict>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(take)))
    }

    /// Says what is wrong now, sorted; nothing if all is well again. Never waits.
    pub fn tell(&self, conditions: Vec<Verdict>) {
        if let Some(take) = &self.0 {
            take(conditions);
        }
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}
