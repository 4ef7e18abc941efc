//! PCRE patterns: how paths of regular-expression hosts, rewrites and alias regexes are written.
//!
//! A pattern is parsed into a tree with the meaning that PCRE2 gives it (bytes, no UTF mode; the syntax of 10.43 and
//! later). Trees that describe a regular language run on `regex-automata` in linear time; those with lookaround,
//! back-references, atomic or possessive parts on `fancy-regex` with a step budget. What neither can express is an
//! [`Error`].

pub(crate) mod anywhere;
pub(crate) mod bytes;
pub(crate) mod engine;
pub(crate) mod fancy;
pub(crate) mod hir;
mod parse;
pub(crate) mod prefix;
pub(crate) mod tree;

#[cfg(test)]
pub(crate) mod tests;

use self::tree::Node;

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct Error {
    /// Where in the pattern.
    pub at: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// A parsed pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub(crate) node: Node,
    /// Number of capture groups.
    pub(crate) groups: u32,
    /// Named groups.
    pub(crate) names: Vec<(String, u32)>,
}

impl Pattern {
    /// Parses a pattern that is matched without regard to ASCII case.
    ///
    /// # Errors
    ///
    /// If PCRE2 would refuse the pattern, or it uses something that is not supported: recursion, verbs, callouts,
    /// `\p`, `\X`, branch reset, conditions other than "group is set".
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::parse(text.as_bytes(), true)
    }

    /// Parses a pattern for which case counts.
    ///
    /// # Errors
    ///
    /// As [`Pattern::parse`].
    pub(crate) fn parse_with_case(text: &str) -> Result<Self, Error> {
        parse::parse(text.as_bytes(), false)
    }

    /// Number of a named group.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        self.names.iter().find(|(known, _)| known == name).map(|&(_, group)| group)
    }
}

/// Whether a text holds no character that has a meaning in patterns: it matches just itself.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.bytes().any(|b| b"\\^$.|?*+()[{".contains(&b))
}
