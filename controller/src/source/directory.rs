//! Folders of manifests.

use std::path::PathBuf;

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
}
