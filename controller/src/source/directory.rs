//! Folders of manifests, read at the start and followed afterwards.
//!
//! Each file is a unit: when it changes it is read again, and no other is. Documents that do not parse are reported,
//! and as long as a file has one, none of the file's earlier objects counts as deleted. When two files hold the same
//! object, the file whose path sorts first has it, and the other is reported. A file that is gone counts as removed when
//! it stays away. Watching is left to [`watch`], the meaning of a file's text to [`manifest`](super::manifest).

mod file;
mod holding;
mod passed_over;
mod scan;
mod settling;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    env, io,
    path::{Path, PathBuf},
    time::Instant,
};

use headgate_config::{Effect, ObjectRef, Verdict};
use smallvec::SmallVec;

use crate::objects::{Key, Kind, Objects};

use file::{File, Stamp};
use passed_over::PassedOver;
use scan::{FilePath, Found};
use settling::Settling;
pub use watch::{Change, Watch};

/// Why a folder of manifests cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The path is missing or cannot be read.
    #[error("cannot read the manifests in {path}: {reason}")]
    Unreadable {
        /// The folder as given.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The system does not report changes of the folder.
    #[error("cannot watch {path}: {reason}")]
    Unwatchable {
        /// The folder as given.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// The folders and what was read from them.
#[derive(Debug)]
pub struct Directory {
    roots: Vec<PathBuf>,
    files: BTreeMap<FilePath, File>,
    /// The files that hold an object, sorted. The first has it.
    holders: HashMap<(Kind, Key), SmallVec<[FilePath; 1]>>,
    /// Objects that more than one file holds.
    shared: BTreeSet<(Kind, Key)>,
    /// Files with documents that do not parse.
    faulty: BTreeSet<FilePath>,
    /// Folders that could not be read when they were looked at last, and why.
    unreadable: BTreeMap<PathBuf, String>,
    /// Documents of kinds that nobody reads.
    passed_over: PassedOver,
    settling: Settling,
}

/// When a folder is looked through, and why.
#[derive(Clone, Copy)]
struct Look {
    now: Instant,
    /// Because something is reported to have happened. If not, a file that was written just now may be in the middle of it.
    is_reported: bool,
}

impl Directory {
    /// Prepares to read these folders. From here on they are called by their absolute paths: what the system reports
    /// about a file names it like that.
    ///
    /// # Errors
    ///
    /// If one of them is no readable directory.
    pub fn open(roots: Vec<PathBuf>) -> Result<Self, DirectoryError> {
        let mut absolute_roots = Vec::new();
        for root in roots {
            let opened = std::fs::read_dir(&root).and_then(|_| absolute(&root));
            let path = opened.map_err(|error| DirectoryError::Unreadable {
                path: root,
                reason: error.to_string(),
            })?;
            if !absolute_roots.contains(&path) {
                absolute_roots.push(path);
            }
        }
        Ok(Self {
            roots: absolute_roots,
            files: BTreeMap::new(),
            holders: HashMap::new(),
            shared: BTreeSet::new(),
            faulty: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            passed_over: PassedOver::default(),
            settling: Settling::default(),
        })
    }

    /// The folders.
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Whether all folders could be read when they were looked at last.
    pub fn is_complete(&self) -> bool {
        self.unreadable.is_empty()
    }

    /// Whether all folders are there.
    pub fn is_there(&self) -> bool {
        self.roots.iter().all(|root| root.is_dir())
    }

    /// When to call [`Self::follow`] even if nothing is reported.
    pub fn next_look(&self) -> Option<Instant> {
        self.settling.next()
    }

    /// Reads whatever differs from what was read before, on all cores.
    pub fn rescan(&mut self, now: Instant, objects: &mut Objects) {
        self.unreadable.clear();
        let look = Look { now, is_reported: false };
        self.adopt(Found::in_folders(&self.roots), None, look, objects);
    }

    /// Takes in what a [`Watch`] reported, and looks again at what was unsettled before.
    pub fn follow(&mut self, reported: BTreeSet<Change>, now: Instant, objects: &mut Objects) {
        let due = self.settling.take_due(now);
        for change in &reported {
            match change {
                Change::Anything | Change::RootLost => {}
                Change::File(_) => self.settling.completed(change),
                Change::Folder(_) => self.settling.look_again(change.clone(), now),
                Change::Unsettled(path) => {
                    self.settling.look_again(Change::File(path.clone()), now);
                }
            }
        }
        for change in reported.union(&due) {
            match change {
                Change::Anything | Change::RootLost => self.rescan(now, objects),
                Change::File(path) => self.reread(path, now, objects),
                Change::Folder(path) => {
                    let is_reported = reported.contains(change);
                    self.rescan_folder(path, Look { now, is_reported }, objects);
                }
                Change::Unsettled(path) if path.exists() => {}
                Change::Unsettled(path) => self.miss(&path.as_path().into(), now, objects),
            }
        }
    }

    /// What is in the folders and read by nobody, if that is anything that has not been said.
    pub fn news_of_passed_over(&mut self) -> Option<String> {
        self.passed_over.news()
    }

    /// Findings about the files, sorted.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let faulty = self.faulty.iter().filter_map(|path| self.files.get_key_value(path));
        let mut verdicts: Vec<_> = faulty.flat_map(|(path, file)| file.verdicts(path)).collect();
        verdicts.extend(self.unreadable.iter().map(|(folder, reason)| Verdict {
            object: file_reference(folder),
            effect: Effect::Refused,
            reason: "Unreadable".into(),
            message: format!("{}: {reason}; what it held before stays", folder.display()),
        }));
        for identity in &self.shared {
            if let Some([first, others @ ..]) = self.holders.get(identity).map(SmallVec::as_slice) {
                verdicts.extend(others.iter().map(|other| duplicate(identity, first, other)));
            }
        }
        verdicts.sort();
        verdicts
    }

    fn reread(&mut self, path: &Path, now: Instant, objects: &mut Objects) {
        // Opening anything else, a pipe for example, might wait for ever.
        let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        match is_file.then(|| File::read(path)).flatten() {
            Some(read) => self.replace(&path.into(), read, objects),
            None => self.miss(&path.into(), now, objects),
        }
    }

    fn rescan_folder(&mut self, folder: &Path, look: Look, objects: &mut Objects) {
        self.unreadable.retain(|path, _| !path.starts_with(folder));
        let is_root = self.roots.iter().any(|root| root == folder);
        let mut found = Found::in_folders(&[folder.to_owned()]);
        if !is_root && !folder.exists() {
            found.unreadable.clear();
        }
        self.adopt(found, Some(folder), look, objects);
    }

    /// Takes in what was found, in all folders or in one.
    fn adopt(&mut self, found: Found, folder: Option<&Path>, look: Look, objects: &mut Objects) {
        let is_below = |path: &&FilePath| folder.is_none_or(|folder| path.starts_with(folder));
        let gone = self.files.keys().filter(is_below).filter(|path| !found.may_have(path));
        for path in gone.cloned().collect::<Vec<_>>() {
            self.miss(&path, look.now, objects);
        }
        self.unreadable.extend(found.unreadable);
        let outdated = |(path, stamp): &(FilePath, Stamp)| {
            let is_current = self.files.get(path).is_some_and(|file| file.is_current(stamp));
            (!is_current || self.settling.is_absent(path)) && !self.settling.awaits(path)
        };
        let outdated: Vec<_> =
            found.files.into_iter().filter(outdated).map(|(path, _)| path).collect();
        for (path, read) in File::read_all(&outdated) {
            let differs = |known: &File| !known.has_content_of(&read);
            if !look.is_reported && read.is_fresh() && self.files.get(&path).is_some_and(differs) {
                self.settling.look_soon(&path, look.now);
            } else {
                self.replace(&path, read, objects);
            }
        }
    }
}

/// The absolute form of a path, without `.`, and without the `..` that it begins with. One behind a name stays, because
/// the name may be a link.
fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path: PathBuf = std::path::absolute(path)?.components().collect();
    let above = env::current_dir()?;
    let Ok(mut rest) = path.strip_prefix(&above) else { return Ok(path) };
    let mut above = above.as_path();
    while let (Ok(behind), Some(parent)) = (rest.strip_prefix(".."), above.parent()) {
        (rest, above) = (behind, parent);
    }
    Ok(above.join(rest).components().collect())
}

fn duplicate((kind, key): &(Kind, Key), first: &Path, other: &Path) -> Verdict {
    let (first, other) = (first.display(), other.display());
    Verdict {
        object: kind.reference(key),
        effect: Effect::Warning,
        reason: "Duplicate".into(),
        message: format!(
            "{other} is not used for it, because {first} has it, too; delete one of them"
        ),
    }
}

/// How verdicts name a file.
fn file_reference(path: &Path) -> ObjectRef {
    ObjectRef { kind: "File".into(), namespace: String::new(), name: path.display().to_string() }
}

#[cfg(test)]
mod tests;
