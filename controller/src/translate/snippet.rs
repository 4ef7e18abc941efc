//! Snippets of nginx's configuration, read into typed actions (annotations §3.23).
//!
//! Nothing of them is executed or handed on as text: what is not understood, in every word, refuses the snippet and says
//! where. [`lex`] and [`parse`] know nginx's syntax, [`mod@compile`] which directive may stand where, and the files below it
//! what single directives mean; [`level`] merges what snippets of several levels say, and [`attach`] gives hosts and
//! locations their part.

mod access;
mod answer;
mod arguments;
pub mod attach;
mod compile;
mod condition;
mod level;
mod lex;
mod location;
mod parse;
mod proxying;
mod request;
mod rewriting;
mod substitution;
mod text;

use std::{collections::BTreeSet, fmt};

pub use attach::Snippets;
pub use compile::{Block, Context, compile};

/// Where something stands in a snippet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
}

/// Why a snippet is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: At,
    /// The directive in question, if it got so far.
    pub directive: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl Problem {
    fn new(at: At, reason: impl Into<String>) -> Self {
        Self { at, directive: None, reason: reason.into() }
    }

    /// The same, about this directive unless it is about one inside it.
    fn about(mut self, directive: &str) -> Self {
        self.directive.get_or_insert_with(|| directive.to_owned());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let At { line, column } = self.at;
        write!(f, "line {line}, column {column}: ")?;
        if let Some(directive) = &self.directive {
            write!(f, "directive {:?} ", shortened(directive))?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Problem {}

/// A word of a snippet as it is repeated in findings: not all of a long one.
fn shortened(text: &str) -> String {
    const ENOUGH: usize = 60;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Checks that every variable is one that there is, or one of `known`, which snippets set.
///
/// # Errors
///
/// The first that is not.
pub fn check_variables(block: &Block, known: &BTreeSet<String>) -> Result<(), Problem> {
    match block.uses.iter().find(|used| !known.contains(&used.name)) {
        None => Ok(()),
        Some(used) => {
            let name = shortened(&used.name);
            let reason = format!(
                "uses the variable ${name}, which is not known; give it a value with set, in a snippet of the same Ingress or of the ConfigMap"
            );
            Err(Problem::new(used.at, reason).about(&used.directive))
        }
    }
}

/// Reads a snippet as every level would, whatever its bytes are. For fuzzing: it must not panic, and say only what is
/// inside the text.
pub fn try_all(text: &str) {
    for context in [Context::Http, Context::Server, Context::Location] {
        if let Err(problem) = compile(text, context, None) {
            let lines = text.split('\n').count();
            assert!(problem.at.line as usize <= lines, "{problem} of {lines} lines");
            assert!(problem.at.line > 0 && problem.at.column > 0, "{problem}");
        }
    }
}

#[cfg(test)]
mod tests;
