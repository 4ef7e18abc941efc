//! Finds the location of a path on one host (routing §5).
//!
//! Exact and prefix locations are found by hash, at a cost that grows with the path's length and not with their
//! number. Regular expressions are grouped by the literal text they begin with, so that only those few are run whose
//! text the path has; many with one text in common run as one automaton.

mod literal;
mod patterns;
mod radix;
mod set;
mod tail;

#[cfg(test)]
mod tests;

use headgate_config::{Host, PathMatch, PathMode};

use self::{literal::LiteralTable, patterns::PatternTable};

/// The compiled path table of one host.
pub struct PathTable {
    literal: LiteralTable,
    /// Only on hosts whose paths are regular expressions.
    patterns: Option<PatternTable>,
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

/// Checks whether a path can be used as a regular expression, without compiling it.
///
/// # Errors
///
/// What [`PathTable::errors`] would say of it.
pub fn check_pattern(text: &str) -> Result<(), super::pattern::Error> {
    PatternTable::check(text)
}

impl PathTable {
    /// Compiles the locations of a host. Never fails as a whole: see [`PathTable::errors`].
    ///
    /// Locations that are no patterns keep their meaning beside patterns, as in the reference: an exact one comes
    /// before all patterns, a prefix after them.
    pub fn compile(host: &Host) -> Self {
        let mut errors = Vec::new();
        let patterns = (host.mode == PathMode::Pattern).then(|| {
            let texts = host.locations.iter().enumerate().filter_map(|(index, location)| {
                let PathMatch::Pattern(text) = &location.matcher else {
                    return None;
                };
                Some((index, text.as_str()))
            });
            PatternTable::compile(texts, &mut errors)
        });
        Self { literal: LiteralTable::compile(&host.locations), patterns, errors }
    }

    /// Finds the location of a normalised path ([`Target::path`](super::target::Target::path)).
    pub fn find(&self, path: &[u8]) -> Found {
        let Some(patterns) = &self.patterns else {
            return self.literal.find(path);
        };
        match self.literal.find_exact(path) {
            Found::Nothing => {}
            found => return found,
        }
        match patterns.find(path) {
            Found::Nothing => self.literal.find(path),
            found => found,
        }
    }

    /// The locations that are left out, and why.
    pub fn errors(&self) -> &[PatternError] {
        &self.errors
    }
}
