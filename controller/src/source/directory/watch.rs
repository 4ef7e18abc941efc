//! What the system reports about the folders, boiled down to what has to be read again.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RemoveKind},
};

use super::{DirectoryError, scan};

/// What may differ from what was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// This file was written, replaced or removed.
    File(PathBuf),
    /// Any file of this folder or below.
    Folder(PathBuf),
    /// Any file: the system lost track.
    Anything,
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
        let handle = move |event: notify::Result<Event>| match event {
            Ok(event) => changes(&event).into_iter().for_each(&report),
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

fn changes(event: &Event) -> BTreeSet<Change> {
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
    let is_folder = matches!(event.kind, EventKind::Remove(RemoveKind::Folder));
    event.paths.iter().filter_map(|path| change(path, is_folder)).collect()
}

fn change(path: &Path, was_folder: bool) -> Option<Change> {
    let name = path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
    if name.starts_with(b"..") {
        // A mounted ConfigMap changes by a swap of its `..data` link; the files are links through it.
        return Some(
            path.parent().map_or(Change::Anything, |folder| Change::Folder(folder.to_owned())),
        );
    }
    if scan::is_hidden(path) {
        return None;
    }
    if was_folder || path.is_dir() {
        return Some(Change::Folder(path.to_owned()));
    }
    if scan::is_manifest(path) {
        return Some(Change::File(path.to_owned()));
    }
    // Gone, and nobody knows whether it was a folder (renamed away): names without extension may be.
    (path.extension().is_none() && !path.exists()).then(|| Change::Folder(path.to_owned()))
}
