//! A pattern of a snippet: searched anywhere in a text, with its groups, within the budget of all patterns.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::route::pattern::{
    Error, Pattern,
    engine::{Exhausted, Finder},
    fancy::Fancy,
    hir::subject,
};

/// Start and end of the groups by their numbers; the first is the whole.
pub type Found = SmallVec<[Option<(usize, usize)>; 4]>;

/// A pattern, ready to be searched.
pub struct Search {
    engine: Engine,
    /// Groups with names, which become variables.
    pub names: Box<[(Arc<str>, u32)]>,
}

enum Engine {
    Regular { finder: Box<Finder>, groups: u32 },
    Fancy(Fancy),
}

impl Search {
    /// Compiles a pattern; with `fold` case has no meaning.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    pub fn new(text: &str, fold: bool) -> Result<Self, Error> {
        let pattern = if fold { Pattern::parse(text)? } else { Pattern::parse_with_case(text)? };
        let names = pattern.names.iter();
        let names = names.map(|(name, group)| (name.to_ascii_lowercase().into(), *group)).collect();
        let engine = if pattern.node.is_regular() {
            let finder = Finder::new(&pattern.node)
                .ok_or(Error { at: 0, reason: "pattern that is too large" })?;
            Engine::Regular { finder: Box::new(finder), groups: pattern.groups }
        } else {
            Engine::Fancy(Fancy::new(&pattern, &pattern.node)?)
        };
        Ok(Self { engine, names })
    }

    /// The leftmost match in a text.
    ///
    /// # Errors
    ///
    /// If the budget is used up before it is known.
    pub fn find(&self, text: &[u8]) -> Result<Option<Found>, Exhausted> {
        match &self.engine {
            Engine::Fancy(fancy) => Ok(fancy.find(text)?.map(Found::from_vec)),
            Engine::Regular { finder, groups } => {
                let slots = 2 * (*groups as usize + 1);
                let mut slots = SmallVec::<[_; 10]>::from_elem(None, slots);
                if !finder.find(&subject(text), &mut slots)? {
                    return Ok(None);
                }
                let pairs = slots.chunks_exact(2).map(|pair| pair[0].zip(pair[1]));
                Ok(Some(pairs.map(|pair| Some((pair?.0.get(), pair?.1.get()))).collect()))
            }
        }
    }
}
