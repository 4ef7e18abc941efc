//! What is wrong at the moment with things that a table needs from elsewhere: keys of tokens, answers about certificates.
//! It comes and goes while the table stays, and joins the verdicts wherever these are shown.

use std::sync::Arc;

use headgate_config::{Snapshot, Verdict};

use super::Live;

impl Live {
    /// Verdicts about what is wrong at the moment, sorted. None when all is well.
    pub fn conditions(&self) -> Vec<Verdict> {
        let mut found = self.keys.conditions();
        found.extend(self.load().tls.conditions());
        found.sort();
        found.dedup();
        found
    }

    /// What the live table was compiled from, with verdicts about what is wrong with it at the moment; none before the
    /// first.
    pub fn shown(&self) -> Option<Arc<Snapshot>> {
        let live = self.load();
        if live.revision == 0 {
            return None;
        }
        let conditions = self.conditions();
        if conditions.is_empty() {
            return Some(Arc::clone(&live.snapshot));
        }
        let mut snapshot = Snapshot::clone(&live.snapshot);
        let verdicts = Arc::make_mut(&mut snapshot.verdicts);
        verdicts.extend(conditions);
        verdicts.sort();
        Some(Arc::new(snapshot))
    }
}
