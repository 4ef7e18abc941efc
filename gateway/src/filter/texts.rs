//! Lists of texts in the reference's form: a whole value, compared without regard to case; behind `~` a PCRE that is found
//! anywhere, and behind `~*` one that does not regard case.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::route::pattern::{self, Pattern, anywhere::AnyOf, engine::Exhausted};

/// A text that is no usable pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no usable regular expression: {error}")]
pub struct TextError {
    text: String,
    error: pattern::Error,
}

/// Texts, compiled.
pub struct Texts {
    /// In lower case.
    whole: HashSet<Box<[u8]>, RandomState>,
    patterns: Option<AnyOf>,
}

/// Checks one text of the lists.
///
/// # Errors
///
/// If it is a pattern, and not a usable one.
pub fn check(text: &str) -> Result<(), TextError> {
    let Some(pattern) = parsed(text) else { return Ok(()) };
    let usable = pattern.and_then(|pattern| AnyOf::new(&[pattern]));
    usable.map(drop).map_err(|error| TextError { text: text.to_owned(), error })
}

/// The pattern of a text that is one.
fn parsed(text: &str) -> Option<Result<Pattern, pattern::Error>> {
    let pattern = text.strip_prefix('~')?;
    Some(match pattern.strip_prefix('*') {
        Some(pattern) => Pattern::parse(pattern),
        None => Pattern::parse_with_case(pattern),
    })
}

impl Texts {
    /// Compiles texts; those that are no usable patterns are left out and become `errors`.
    pub fn new(texts: &[String], errors: &mut Vec<TextError>) -> Self {
        let mut whole = HashSet::default();
        let mut patterns = Vec::new();
        for text in texts {
            match (parsed(text), check(text)) {
                (None, _) => {
                    whole.insert(text.to_ascii_lowercase().into_bytes().into());
                }
                (Some(Ok(pattern)), Ok(())) => patterns.push(pattern),
                (_, Err(error)) => errors.push(error),
                // What is no pattern passes no check.
                (Some(Err(_)), Ok(())) => {}
            }
        }
        let patterns = (!patterns.is_empty()).then(|| AnyOf::new(&patterns));
        let patterns = patterns.transpose().unwrap_or_else(|error| {
            errors.push(TextError { text: texts.join(","), error });
            None
        });
        Self { whole, patterns }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.patterns.is_none()
    }

    /// Whether a value is among them. A search that is given up counts as one that found something.
    pub fn matches(&self, value: &[u8]) -> bool {
        self.has(value, |found| found != Ok(false))
    }

    /// Whether a value is certainly among them.
    pub fn certainly_match(&self, value: &[u8]) -> bool {
        self.has(value, |found| found == Ok(true))
    }

    fn has(&self, value: &[u8], counts: fn(Result<bool, Exhausted>) -> bool) -> bool {
        if !self.whole.is_empty() {
            let lower: SmallVec<[u8; 128]> = value.iter().map(u8::to_ascii_lowercase).collect();
            if self.whole.contains(&lower[..]) {
                return true;
            }
        }
        self.patterns.as_ref().is_some_and(|patterns| counts(patterns.matches(value)))
    }
}
