//! What the directives of one level say, and how it is merged with the level around it: most lists of a level replace
//! those around it, while the `more_` directives of all levels count, the outermost first.

use headgate_config::{
    protection::AccessRule,
    snippet::{
        AddedHeader, AnswerRule, Expires, InputRule, Policy, Replacement, SentHeader, Substitution,
    },
};

/// What the directives of one level say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Level {
    pub answer: Vec<AnswerRule>,
    pub added: Vec<AddedHeader>,
    pub expires: Option<Expires>,
    pub hidden: Vec<String>,
    pub input: Vec<InputRule>,
    pub sent: Vec<SentHeader>,
    pub default_type: Option<String>,
    pub gzip: Option<bool>,
    pub access: Vec<AccessRule>,
    pub replacements: Vec<Replacement>,
    pub once: Option<bool>,
    pub types: Option<Vec<String>>,
    pub keeps_last_modified: Option<bool>,
}

impl Level {
    /// This level inside another.
    pub fn under(&self, outer: &Self) -> Self {
        fn own<T: Clone>(own: &[T], outer: &[T]) -> Vec<T> {
            if own.is_empty() { outer.to_vec() } else { own.to_vec() }
        }
        fn both<T: Clone>(outer: &[T], own: &[T]) -> Vec<T> {
            outer.iter().chain(own).cloned().collect()
        }
        Self {
            answer: both(&outer.answer, &self.answer),
            added: own(&self.added, &outer.added),
            expires: self.expires.or(outer.expires),
            hidden: own(&self.hidden, &outer.hidden),
            input: both(&outer.input, &self.input),
            sent: own(&self.sent, &outer.sent),
            default_type: self.default_type.clone().or_else(|| outer.default_type.clone()),
            gzip: self.gzip.or(outer.gzip),
            access: own(&self.access, &outer.access),
            replacements: own(&self.replacements, &outer.replacements),
            once: self.once.or(outer.once),
            types: self.types.clone().or_else(|| outer.types.clone()),
            keeps_last_modified: self.keeps_last_modified.or(outer.keeps_last_modified),
        }
    }

    /// Takes what a later snippet of the same level says.
    pub fn extend(&mut self, later: &Self) {
        let together = later.under(self);
        *self = Self {
            added: chained(&self.added, &later.added),
            hidden: chained(&self.hidden, &later.hidden),
            sent: chained(&self.sent, &later.sent),
            access: chained(&self.access, &later.access),
            replacements: chained(&self.replacements, &later.replacements),
            ..together
        };
    }

    /// Takes away what only counts in a location: every location sends headers of its own.
    pub fn of_server(mut self) -> Self {
        self.sent.clear();
        self
    }

    /// What it comes to.
    pub fn policy(&self) -> Policy {
        let replacements = self.replacements.clone();
        Policy {
            answer: self.answer.clone(),
            added: self.added.clone(),
            expires: self.expires,
            hidden: self.hidden.clone(),
            input: self.input.clone(),
            sent: self.sent.clone(),
            default_type: self.default_type.clone(),
            gzip: self.gzip,
            substitution: (!replacements.is_empty()).then(|| Substitution {
                replacements,
                once: self.once.unwrap_or(true),
                types: self.types.clone().unwrap_or_else(|| vec!["text/html".into()]),
                keeps_last_modified: self.keeps_last_modified.unwrap_or(false),
            }),
        }
    }
}

fn chained<T: Clone>(first: &[T], second: &[T]) -> Vec<T> {
    first.iter().chain(second).cloned().collect()
}
