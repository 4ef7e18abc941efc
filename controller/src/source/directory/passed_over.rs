//! How many documents of the folders are of kinds that nobody reads. That is no fault: a folder may hold a whole application.
//! It is said once for each kind, so that whoever expects something of such an object hears that nothing comes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::file::File;

/// Kinds that a line names, at most.
const MOST: usize = 12;

/// The documents by their kinds.
#[derive(Debug, Default)]
pub struct PassedOver {
    counts: BTreeMap<Box<str>, u64>,
    /// The kinds that have been named.
    said: BTreeSet<Box<str>>,
}

impl PassedOver {
    /// Puts one version of a file in place of another.
    pub fn replace(&mut self, before: Option<&File>, after: Option<&File>) {
        for (kind, count) in after.into_iter().flat_map(|file| &file.passed_over) {
            *self.counts.entry(kind.clone()).or_default() += u64::from(*count);
        }
        for (kind, count) in before.into_iter().flat_map(|file| &file.passed_over) {
            if let Some(left) = self.counts.get_mut(kind) {
                *left = left.saturating_sub((*count).into());
                if *left == 0 {
                    self.counts.remove(kind);
                }
            }
        }
    }

    /// All of them, the most frequent first, if there is a kind that has not been named: `6 Deployment, 1 Role`.
    pub fn news(&mut self) -> Option<String> {
        if self.counts.keys().all(|kind| self.said.contains(kind)) {
            return None;
        }
        self.said.extend(self.counts.keys().cloned());
        let mut kinds: Vec<_> = self.counts.iter().collect();
        // Equally frequent ones by name.
        kinds.sort_by(|(_, one), (_, other)| other.cmp(one));
        let named = kinds.iter().take(MOST).map(|(kind, count)| format!("{count} {kind}"));
        let mut parts: Vec<_> = named.collect();
        if kinds.len() > MOST {
            parts.push(format!("and {} more kinds", kinds.len() - MOST));
        }
        Some(parts.join(", "))
    }
}
