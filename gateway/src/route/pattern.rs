//! PCRE patterns.

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct Error {
    /// Where in the pattern.
    pub at: usize,
    /// What is wrong there.
    pub reason: &'static str,
}
