//! The text of `upstream-hash-by`, as far as it is needed: its checksum for a request (annotations §3.13).

use super::ring::Crc;
use crate::filter::variables::{self, Variables};

/// A text with variables.
pub struct HashKey {
    parts: Box<[Part]>,
}

enum Part {
    Text(Box<[u8]>),
    Variable(Box<str>),
    /// The path, which may have been rewritten.
    Path,
}

impl HashKey {
    /// Takes a text apart.
    pub fn new(text: &str) -> Self {
        let parts = variables::parts(text).into_iter().map(|part| match part {
            variables::Part::Text(text) => Part::Text(text.as_bytes().into()),
            variables::Part::Variable("uri" | "document_uri") => Part::Path,
            variables::Part::Variable(name) => Part::Variable(name.into()),
        });
        Self { parts: parts.collect() }
    }

    /// The checksum of the text for a request. Variables that there are none of, or that are empty, add nothing.
    pub fn hash(&self, variables: &Variables<'_>, path: Option<&[u8]>) -> u32 {
        let add = |crc: Crc, part: &Part| match part {
            Part::Text(text) => crc.update(text),
            Part::Path => crc.update(path.unwrap_or(variables.path)),
            Part::Variable(name) => crc.update(&variables.text(name).unwrap_or_default()),
        };
        self.parts.iter().fold(Crc::default(), add).finish()
    }
}
