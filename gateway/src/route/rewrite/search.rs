//! Finds a rewrite's pattern in a path.

use std::sync::OnceLock;

use smallvec::SmallVec;

use super::sequence::Sequence;
use crate::route::pattern::{
    self, Pattern,
    engine::{Exhausted, Finder},
    fancy::Fancy,
    hir::subject,
};

/// Start and end of the groups by their numbers; the first is not used.
pub(super) type Captures = SmallVec<[Option<(usize, usize)>; 4]>;

/// Finds the leftmost match of a pattern and its groups.
pub(super) enum Search {
    /// A regular pattern.
    Regular {
        /// For patterns that can be followed byte by byte, most of all `/text(/|$)(.*)`.
        sequence: Option<Sequence>,
        text: Box<str>,
        groups: u32,
        /// Built when it is first needed: many tables have thousands of rewrites that never are.
        finder: OnceLock<Option<Box<Finder>>>,
    },
    /// Any other.
    Fancy(Fancy),
}

impl Search {
    pub fn new(text: &str, pattern: &Pattern) -> Result<Self, pattern::Error> {
        if !pattern.node.is_regular() {
            return Ok(Self::Fancy(Fancy::new(pattern, &pattern.node)?));
        }
        Ok(Self::Regular {
            sequence: Sequence::new(pattern),
            text: text.into(),
            groups: pattern.groups,
            finder: OnceLock::new(),
        })
    }

    pub fn find(&self, path: &[u8]) -> Result<Option<Captures>, Exhausted> {
        match self {
            Self::Regular { sequence, text, groups, finder } => {
                // a match at the start of the path is the leftmost one
                let found = sequence.as_ref().and_then(|sequence| sequence.find(path));
                if found.is_some() {
                    return Ok(found);
                }
                // the pattern was accepted before and its size is limited, so there is an engine
                let finder = finder
                    .get_or_init(|| Finder::new(&Pattern::parse(text).ok()?.node).map(Box::new));
                find_regular(finder.as_ref().ok_or(Exhausted)?, *groups, path)
            }
            Self::Fancy(fancy) => Ok(fancy.find(path)?.map(Captures::from_vec)),
        }
    }
}

fn find_regular(finder: &Finder, groups: u32, path: &[u8]) -> Result<Option<Captures>, Exhausted> {
    let mut slots = SmallVec::<[_; 10]>::from_elem(None, 2 * (groups as usize + 1));
    if !finder.find(&subject(path), &mut slots)? {
        return Ok(None);
    }
    let pairs = slots.chunks_exact(2);
    Ok(Some(
        pairs
            .map(|pair| pair[0].zip(pair[1]).map(|(start, end)| (start.get(), end.get())))
            .collect(),
    ))
}
