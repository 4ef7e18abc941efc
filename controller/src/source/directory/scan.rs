//! Which files of a folder are manifests.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::file::Stamp;

/// Whether a path has the name of a manifest: `*.yaml`, `*.yml` or `*.json`, not hidden.
pub fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json")) && !is_hidden(path)
}

/// Whether a name begins with a dot: editors' files, `.git`, and the folders behind a mounted ConfigMap.
pub fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The manifests in a folder and below, links followed. What cannot be read is left out.
pub fn manifests(folder: &Path) -> impl Iterator<Item = (PathBuf, Stamp)> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // A link may lead back up.
        if !fs::metadata(&folder)
            .is_ok_and(|metadata| seen.insert((metadata.dev(), metadata.ino())))
        {
            continue;
        }
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if is_hidden(&path) {
                continue;
            }
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => folders.push(path),
                Ok(metadata) if metadata.is_file() && is_manifest(&path) => {
                    found.push((path, Stamp::from(&metadata)))
                }
                _ => {}
            }
        }
    }
    found.into_iter()
}
