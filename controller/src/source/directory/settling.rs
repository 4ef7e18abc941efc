//! What has to be looked at once more: files that are gone, perhaps only for a moment, and whatever may have been
//! incomplete when it was looked at. Knows times, but no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use super::{Change, scan::FilePath};

/// How long it takes until something is believed. Editors and version control remove a file and write it anew, the folder
/// behind a link is exchanged; and what happens in a new folder before its watch is set is not reported.
pub const SETTLE: Duration = Duration::from_millis(100);
/// A file that has just been written is looked at again this much later, if nobody says that it is complete.
const SOON: Duration = Duration::from_millis(10);

/// The looks that are still to come.
#[derive(Debug, Default)]
pub struct Settling {
    /// When to look again at what.
    looks: BTreeMap<Change, Instant>,
    /// Files that were read once and are not there, and when that makes them removed.
    absent: BTreeMap<FilePath, Instant>,
}

impl Settling {
    /// Something is looked at again when it has had time to settle.
    pub fn look_again(&mut self, change: Change, now: Instant) {
        self.looks.entry(change).or_insert(now + SETTLE);
    }

    /// The same for a file whose writer may be in the middle of it.
    pub fn look_soon(&mut self, file: &Path, now: Instant) {
        self.looks.entry(Change::File(file.to_owned())).or_insert(now + SOON);
    }

    /// A file is complete: there is no need to look again.
    pub fn completed(&mut self, change: &Change) {
        self.looks.remove(change);
    }

    /// When the next look is due.
    pub fn next(&self) -> Option<Instant> {
        self.looks.values().min().copied()
    }

    /// The looks that are due.
    pub fn take_due(&mut self, now: Instant) -> BTreeSet<Change> {
        self.looks.extract_if(.., |_, at| *at <= now).map(|(change, _)| change).collect()
    }

    /// Whether a file is going to be looked at anyway.
    pub fn awaits(&self, file: &Path) -> bool {
        !self.looks.is_empty() && self.looks.contains_key(&Change::File(file.to_owned()))
    }

    /// Notes that a file is not there, and says whether that has lasted long enough to be believed.
    pub fn missed(&mut self, file: &FilePath, now: Instant) -> bool {
        let believed_at = *self.absent.entry(file.clone()).or_insert(now + SETTLE);
        if believed_at <= now {
            self.absent.remove(file);
            return true;
        }
        self.looks.entry(Change::File(file.to_path_buf())).or_insert(believed_at);
        false
    }

    /// Notes that a file is there.
    pub fn came_back(&mut self, file: &FilePath) {
        self.absent.remove(file);
    }

    /// Whether a file was not there when it was looked at last.
    pub fn is_absent(&self, file: &FilePath) -> bool {
        self.absent.contains_key(file)
    }
}
