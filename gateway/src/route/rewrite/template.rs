//! Texts with captures and variables in them.

use crate::route::pattern::{self, Pattern};

/// A text with captures and variables in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(Box<[u8]>),
    /// The text of a group of the pattern.
    Group(u32),
    /// A variable of the request, in lower case.
    Variable(Box<str>),
}

impl Template {
    /// Reads `$1` … `$9`, `$name` and `${name}`. Names that the pattern gives to groups are groups.
    pub fn compile(text: &str, pattern: &Pattern) -> Result<Self, pattern::Error> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            if dollar > 0 {
                parts.push(Part::Text(rest.as_bytes()[..dollar].into()));
            }
            rest = &rest[dollar + 1..];
            let (name, after) = name(rest).ok_or(pattern::Error {
                at: text.len() - rest.len(),
                reason: "dollar sign without a name",
            })?;
            parts.push(match name.as_bytes() {
                [digit @ b'1'..=b'9'] => Part::Group(u32::from(digit - b'0')),
                _ => Self::named(name, pattern),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.as_bytes().into()));
        }
        Ok(Self { parts })
    }

    fn named(name: &str, pattern: &Pattern) -> Part {
        let mut names = pattern.names.iter();
        match names.find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, group)) => Part::Group(*group),
            None => Part::Variable(name.to_ascii_lowercase().into()),
        }
    }
}

/// The name at the start of a text, and what follows it. A digit from 1 to 9 is a name of its own.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(b'1'..=b'9') = text.bytes().next() {
        return Some(text.split_at(1));
    }
    if let Some(braced) = text.strip_prefix('{') {
        let (name, after) = braced.split_once('}')?;
        return (!name.is_empty() && name.bytes().all(is_name_byte)).then_some((name, after));
    }
    let length = text.bytes().take_while(|byte| is_name_byte(*byte)).count();
    (length > 0).then(|| text.split_at(length))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
