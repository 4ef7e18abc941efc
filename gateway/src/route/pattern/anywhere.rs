//! Whether one of many patterns matches anywhere in a text.

use super::{
    Error, Pattern,
    engine::{Exhausted, Matcher},
    fancy::Fancy,
    hir::subject,
    tree::Node,
};

/// Patterns that are searched all at once, but for those that are not regular.
pub(crate) struct AnyOf {
    regular: Option<Box<Matcher>>,
    others: Box<[Fancy]>,
}

impl AnyOf {
    /// Compiles parsed patterns.
    ///
    /// # Errors
    ///
    /// If a limit of the engines is hit.
    pub fn new(patterns: &[Pattern]) -> Result<Self, Error> {
        let (regular, others): (Vec<_>, Vec<_>) =
            patterns.iter().partition(|pattern| pattern.node.is_regular());
        let regular = (!regular.is_empty()).then(|| {
            let nodes = regular.iter().map(|pattern| pattern.node.clone().bare()).collect();
            let anywhere = Node::concat(vec![Node::skip_anything(), Node::alternate(nodes)]);
            Matcher::new(&anywhere).ok_or(Error { at: 0, reason: "patterns are too large" })
        });
        let others = others.into_iter().map(|pattern| Fancy::new(pattern, &pattern.node));
        Ok(Self {
            regular: regular.transpose()?.map(Box::new),
            others: others.collect::<Result<_, _>>()?,
        })
    }

    /// Whether one of them matches anywhere in a text without NUL.
    pub fn matches(&self, text: &[u8]) -> Result<bool, Exhausted> {
        if let Some(regular) = &self.regular
            && regular.matches_at(&subject(text), 0)?
        {
            return Ok(true);
        }
        for other in &self.others {
            if other.matches(text)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
