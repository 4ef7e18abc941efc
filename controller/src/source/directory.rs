//! Folders of manifests, read at the start and followed afterwards.
//!
//! Each file is a unit: when it changes it is read again, and no other is. Documents that do not parse are reported,
//! and as long as a file has one, none of the file's earlier objects counts as deleted. When two files hold the same
//! object, the file whose path sorts first has it, and the other is reported. Watching is left to [`watch`], the
//! meaning of a file's text to [`manifest`](super::manifest).

mod file;
mod scan;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use headgate_config::{Effect, ObjectRef, Verdict};
use smallvec::SmallVec;

use crate::objects::{Key, Kind, Object, Objects};

use file::{File, Stamp};
use scan::{FilePath, Found};
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
}

impl Directory {
    /// Prepares to read these folders.
    ///
    /// # Errors
    ///
    /// If one of them is no readable directory.
    pub fn open(roots: Vec<PathBuf>) -> Result<Self, DirectoryError> {
        for root in &roots {
            std::fs::read_dir(root).map_err(|error| DirectoryError::Unreadable {
                path: root.clone(),
                reason: error.to_string(),
            })?;
        }
        Ok(Self {
            roots,
            files: BTreeMap::new(),
            holders: HashMap::new(),
            shared: BTreeSet::new(),
            faulty: BTreeSet::new(),
            unreadable: BTreeMap::new(),
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

    /// Reads whatever differs from what was read before, on all cores.
    pub fn rescan(&mut self, objects: &mut Objects) {
        self.unreadable.clear();
        self.adopt(Found::in_folders(&self.roots), None, objects);
    }

    /// Takes in what a [`Watch`] reported.
    pub fn follow(&mut self, changes: &BTreeSet<Change>, objects: &mut Objects) {
        if changes.contains(&Change::Anything) {
            return self.rescan(objects);
        }
        for change in changes {
            match change {
                Change::Anything => {}
                Change::File(path) => self.reread(path, objects),
                Change::Folder(path) => self.rescan_folder(path, objects),
            }
        }
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

    fn reread(&mut self, path: &Path, objects: &mut Objects) {
        // Opening anything else, a pipe for example, might wait for ever.
        let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        match is_file.then(|| File::read(path)).flatten() {
            Some(read) => self.replace(&path.into(), read, objects),
            None => self.forget(&path.into(), objects),
        }
    }

    fn rescan_folder(&mut self, folder: &Path, objects: &mut Objects) {
        self.unreadable.retain(|path, _| !path.starts_with(folder));
        let is_root = self.roots.iter().any(|root| root == folder);
        let mut found = Found::in_folders(&[folder.to_owned()]);
        if !is_root && !folder.exists() {
            found.unreadable.clear();
        }
        self.adopt(found, Some(folder), objects);
    }

    /// Takes in what was found, in all folders or in one.
    fn adopt(&mut self, found: Found, folder: Option<&Path>, objects: &mut Objects) {
        let is_below = |path: &&FilePath| folder.is_none_or(|folder| path.starts_with(folder));
        let gone = self.files.keys().filter(is_below).filter(|path| !found.may_have(path));
        for path in gone.cloned().collect::<Vec<_>>() {
            self.forget(&path, objects);
        }
        self.unreadable.extend(found.unreadable);
        let outdated = |(path, stamp): &(FilePath, Stamp)| {
            self.files.get(path).is_none_or(|file| !file.is_current(stamp))
        };
        let outdated: Vec<_> =
            found.files.into_iter().filter(outdated).map(|(path, _)| path).collect();
        for (path, read) in read_all(&outdated) {
            self.replace(&path, read, objects);
        }
    }

    /// Puts a file's new content in place of its old.
    fn replace(&mut self, path: &FilePath, mut read: File, objects: &mut Objects) {
        let old = self.files.remove(path);
        if let Some(old) = &old {
            if old.has_content_of(&read) {
                read.keep(old);
            } else if !read.faults.is_empty() {
                read.keep_missing(old);
            }
        }
        for object in read.objects() {
            self.claim(path, object, objects);
        }
        let dropped = old
            .iter()
            .flat_map(|old| old.objects())
            .filter(|old| read.object(old.kind(), old.key()).is_none());
        let dropped: Vec<_> = dropped.cloned().collect();
        if read.faults.is_empty() {
            self.faulty.remove(path);
        } else {
            self.faulty.insert(path.clone());
        }
        self.files.insert(path.clone(), read);
        for object in &dropped {
            self.release(path, object, objects);
        }
    }

    fn forget(&mut self, path: &FilePath, objects: &mut Objects) {
        self.faulty.remove(path);
        if let Some(file) = self.files.remove(path) {
            for object in file.objects() {
                self.release(path, object, objects);
            }
        }
    }

    /// `path` holds the object: it is applied unless a file that sorts before has it, too.
    fn claim(&mut self, path: &FilePath, object: &Object, objects: &mut Objects) {
        let identity = (object.kind(), object.key().clone());
        let holders = self.holders.entry(identity.clone()).or_default();
        if let Err(at) = holders.binary_search(path) {
            holders.insert(at, path.clone());
        }
        if holders.first() == Some(path) {
            objects.apply(object);
        }
        if holders.len() > 1 {
            self.shared.insert(identity);
        }
    }

    /// `path` does not hold the object any more: it passes to the next file that does, or is removed.
    fn release(&mut self, path: &FilePath, object: &Object, objects: &mut Objects) {
        let (kind, key) = (object.kind(), object.key());
        let identity = (kind, key.clone());
        let holders = self.holders.entry(identity.clone()).or_default();
        holders.retain(|holder| holder != path);
        let next = holders
            .first()
            .and_then(|next| self.files.get(next))
            .and_then(|file| file.object(kind, key));
        match next {
            Some(object) => drop(objects.apply(object)),
            None => drop(objects.remove(kind, key)),
        }
        if holders.len() < 2 {
            self.shared.remove(&identity);
        }
        if holders.is_empty() {
            self.holders.remove(&identity);
        }
    }
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

/// Reads files on all cores; in the order of their paths.
fn read_all(paths: &[FilePath]) -> Vec<(FilePath, File)> {
    const WORTH_A_THREAD: usize = 32;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(paths.len() / WORTH_A_THREAD + 1);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut read = Vec::new();
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            read.extend(File::read(path).map(|file| (path.clone(), file)));
        }
        read
    };
    let mut read = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut read = work();
        for other in others {
            read.extend(other.join().unwrap_or_default());
        }
        read
    });
    read.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    read
}

/// How verdicts name a file.
fn file_reference(path: &Path) -> ObjectRef {
    ObjectRef { kind: "File".into(), namespace: String::new(), name: path.display().to_string() }
}

#[cfg(test)]
mod tests;
