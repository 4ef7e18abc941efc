//! Texts with variables, read once and expanded for each request.

use std::borrow::Cow;

use super::{Part, Variables, parts};

/// A text with variables.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Box<[Piece]>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Variable(Box<str>),
}

impl Template {
    /// Reads a text with `$name` and `${name}` in it.
    pub fn new(text: &str) -> Self {
        let piece = |part: Part<'_>| match part {
            Part::Text(text) => Piece::Text(text.into()),
            Part::Variable(name) => Piece::Variable(name.into()),
        };
        Self { pieces: parts(text).into_iter().map(piece).collect() }
    }

    /// The text, if it has no variables.
    pub fn fixed(&self) -> Option<&str> {
        match &*self.pieces {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for a request. Unknown variables are empty. What clients send is in it as they have sent it: it has to be looked
    /// at before it is put anywhere.
    pub fn expand<'a>(&'a self, variables: &Variables<'a>) -> Cow<'a, [u8]> {
        let value = |piece: &'a Piece| match piece {
            Piece::Text(text) => Cow::Borrowed(text.as_bytes()),
            Piece::Variable(name) => variables.text(name).unwrap_or_default(),
        };
        match &*self.pieces {
            [] => Cow::Borrowed(b""),
            [one] => value(one),
            many => {
                let mut out = Vec::with_capacity(64);
                many.iter().for_each(|piece| out.extend_from_slice(&value(piece)));
                Cow::Owned(out)
            }
        }
    }
}
