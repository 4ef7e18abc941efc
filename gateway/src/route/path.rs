//! Finds the location of a path on one host (routing §5).

use headgate_config::Host;

/// The compiled path table of one host.
pub struct PathTable {
    errors: Vec<PatternError>,
}

/// What [`PathTable::find`] found. Indices are those of [`Host::locations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// This location takes the request.
    Location(usize),
    /// The request is redirected to this location's path, which is the request's path and a slash (routing §5.3).
    SlashRedirect(usize),
    /// A regular expression used up its step budget before the decision; the request has to be refused.
    Exhausted,
    /// No location takes the request.
    Nothing,
}

/// A location that is never found because its pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern of location {location}: {error}")]
pub struct PatternError {
    /// Index of the location in [`Host::locations`].
    pub location: usize,
    /// What is wrong with it.
    pub error: super::pattern::Error,
}

impl PathTable {
    /// Compiles the locations of a host. Never fails as a whole: see [`PathTable::errors`].
    pub fn compile(host: &Host) -> Self {
        let _ = host;
        loop {}
    }

    /// Finds the location of a normalised path ([`Target::path`](super::target::Target::path)).
    pub fn find(&self, path: &[u8]) -> Found {
        let _ = path;
        Found::Nothing
    }

    /// The locations that are left out, and why.
    pub fn errors(&self) -> &[PatternError] {
        &self.errors
    }
}
