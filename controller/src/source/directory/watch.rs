//! What the system reports about the folders, boiled down to what has to be read again.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode},
};

use super::{DirectoryError, scan};

/// What may differ from what was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// This file was written or replaced.
    File(PathBuf),
    /// Any file of this folder or below.
    Folder(PathBuf),
    /// This file was removed, moved away or created: what takes its place may not be complete yet.
    Unsettled(PathBuf),
    /// Any file: the system lost track.
    Anything,
    /// One of the folders itself was removed or moved away. Nothing more is reported of it, even if it comes back.
    RootLost,
}

/// Watches folders as long as it lives.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Calls `report` on a thread of its own whenever something may have changed below one of these folders.
    ///
    /// # Errors
    ///
    /// If the system refuses to watch one of them.
    pub fn start(
        roots: &[PathBuf],
        report: impl Fn(Change) + Send + 'static,
    ) -> Result<Self, DirectoryError> {
        let unwatchable = |path: &Path, error: &notify::Error| DirectoryError::Unwatchable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let below = roots.to_vec();
        let handle = move |event: notify::Result<Event>| match event {
            Ok(event) => changes(&event, &below).into_iter().for_each(&report),
            Err(_) => report(Change::Anything),
        };
        let watcher = notify::recommended_watcher(handle);
        let mut watcher = watcher.map_err(|error| {
            unwatchable(roots.first().map_or(Path::new(""), |root| root), &error)
        })?;
        for root in roots {
            watcher
                .watch(root, RecursiveMode::Recursive)
                .map_err(|error| unwatchable(root, &error))?;
        }
        Ok(Self { _watcher: watcher })
    }
}

/// What an event says about a path.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    /// It was a folder.
    WasFolder,
    /// It is no more what it was, or not yet what it will be.
    Unsettled,
    /// It is what it will be.
    Complete,
}

fn changes(event: &Event, roots: &[PathBuf]) -> BTreeSet<Change> {
    if event.need_rescan() {
        return [Change::Anything].into();
    }
    let matters = match event.kind {
        // Reading a file is no change; and what is being written is not looked at before the writer closes it.
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Data(_)) => cfg!(not(target_os = "linux")),
        EventKind::Modify(ModifyKind::Metadata(_)) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    };
    if !matters {
        return BTreeSet::new();
    }
    let said = |index: usize, path: &Path| match event.kind {
        EventKind::Remove(RemoveKind::Folder) => Said::WasFolder,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
            Said::Unsettled
        }
        // From the first path to the second.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) if index == 0 => Said::Unsettled,
        EventKind::Create(CreateKind::File) if is_being_written(path) => Said::Unsettled,
        _ => Said::Complete,
    };
    let is_gone = |index, path| matches!(said(index, path), Said::WasFolder | Said::Unsettled);
    let paths = event.paths.iter().enumerate();
    if paths.clone().any(|(index, path)| roots.contains(path) && is_gone(index, path)) {
        return [Change::RootLost].into();
    }
    paths.filter_map(|(index, path)| change(path, roots, said(index, path))).collect()
}

/// Whether a file that has just been created was created by its writer, whose end will be reported. A link is complete
/// as it is, and nothing more is reported of it.
fn is_being_written(path: &Path) -> bool {
    let is_link = |metadata: fs::Metadata| !metadata.is_file() || metadata.nlink() > 1;
    cfg!(target_os = "linux") && !fs::symlink_metadata(path).is_ok_and(is_link)
}

fn change(path: &Path, roots: &[PathBuf], said: Said) -> Option<Change> {
    if let Some((folder, name)) = hidden(path, roots) {
        // A mounted ConfigMap changes by a swap of its `..data` link; the files are links through it.
        return name.starts_with(b"..").then(|| Change::Folder(folder.to_owned()));
    }
    if said == Said::WasFolder || path.is_dir() {
        return Some(Change::Folder(path.to_owned()));
    }
    if scan::is_manifest(path) {
        return Some(match said {
            Said::Unsettled => Change::Unsettled(path.to_owned()),
            Said::Complete | Said::WasFolder => Change::File(path.to_owned()),
        });
    }
    // Gone, and nobody knows whether it was a folder (renamed away): names without extension may be.
    (path.extension().is_none() && !path.exists()).then(|| Change::Folder(path.to_owned()))
}

/// The outermost hidden name of a path below its root, and the folder that this is in.
fn hidden<'a>(path: &'a Path, roots: &[PathBuf]) -> Option<(&'a Path, &'a [u8])> {
    let root = roots
        .iter()
        .filter(|root| path.starts_with(root))
        .max_by_key(|root| root.as_os_str().len())?;
    let mut above: Vec<_> = path.ancestors().take_while(|folder| *folder != root).collect();
    above.reverse();
    let outermost = above.into_iter().find(|path| scan::is_hidden(path))?;
    Some((outermost.parent()?, outermost.file_name()?.as_encoded_bytes()))
}
