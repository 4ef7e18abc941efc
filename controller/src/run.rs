//! The runner: source -> objects -> translation -> publish, on one thread of its own.

use std::path::PathBuf;

use headgate_config::Snapshot;

use crate::{DirectoryError, Options};

/// A running control plane. Dropping it stops it and waits for its thread.
#[derive(Debug)]
pub struct Controller {}

/// Serves the manifests of these folders: reads all of them, calls `publish` once, and then again after every change
/// that changes the snapshot.
///
/// Returns as soon as the folders are known to exist; reading happens on the controller's thread, and so does every
/// call of `publish`.
///
/// # Errors
///
/// If one of the directories does not exist or cannot be watched.
pub fn run_directory(
    options: Options,
    directories: Vec<PathBuf>,
    publish: impl FnMut(Snapshot) + Send + 'static,
) -> Result<Controller, DirectoryError> {
    let _ = (options, directories, publish);
    Ok(Controller {})
}
