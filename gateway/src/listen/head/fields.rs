//! The header lines of a head: their form, and those that frame the body or name the host (routing §3.1).

use super::{
    Accepted, BodyFraming, CLASSES, CONTROL, NO_TOKEN, ODD_NAME, Refusal, TOO_LARGE, Version,
};
use crate::content_length;

/// Most header lines; more are 400. As many as the HTTP library keeps without an allocation of its own.
const MAX_LINES: u32 = 100;

/// The name of a line and the classes of its bytes, if there is a colon. In one pass: names are too short for a search to
/// be worth its start.
fn name(line: &[u8]) -> Option<(&[u8], u8)> {
    let mut seen = 0;
    let colon = line.iter().position(|byte| {
        let is_colon = *byte == b':';
        seen |= if is_colon { 0 } else { CLASSES[usize::from(*byte)] };
        is_colon
    })?;
    Some((&line[..colon], seen))
}

/// The framing and routing fields of a head.
#[derive(Default)]
pub(super) struct Fields {
    /// Longest line; longer ones are refused.
    line_limit: usize,
    length: Option<u64>,
    coding: Option<Coding>,
    hosts: u32,
    odd_names: bool,
    repair: bool,
    wants_upgrade: bool,
    lines: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    Unknown,
    Repeated,
}

impl Fields {
    /// Before the first line. `repair`: the request line is one that the HTTP library must not see as it is.
    pub(super) fn new(repair: bool, line_limit: usize) -> Self {
        Self { repair, line_limit, ..Self::default() }
    }

    /// Takes a line up. Without its end, and not the empty one.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.len() > self.line_limit {
            return Err(TOO_LARGE);
        }
        // A folded line (RFC 9112 §5.2) starts with white space; it has no name either.
        let (name, seen) = name(line).ok_or(400u16)?;
        let value = &line[name.len() + 1..];
        if name.is_empty() || seen & CONTROL != 0 {
            return Err(400);
        }
        if seen & NO_TOKEN != 0 {
            // No header at all for the reference: the line is dropped.
            self.repair = true;
            return Ok(());
        }
        // Looks at all bytes even when the first is bad: good lines are the usual ones, and faster so.
        let bad = |b: u8| ((b < 0x20) & (b != b'\t')) | (b == 0x7f);
        if value.iter().fold(false, |any, b| any | bad(*b)) {
            return Err(400);
        }
        self.odd_names |= seen & ODD_NAME != 0;
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Err(400);
        }
        match name.len() {
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.wants_upgrade = true,
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => {}
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let length = content_length::parse(value).ok_or(400u16)?;
        // A second one is refused even when it is equal (RFC 9112 §6.3).
        if self.length.replace(length).is_some() { Err(400) } else { Ok(()) }
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        self.coding = Some(match self.coding {
            Some(_) => Coding::Repeated,
            None if value.trim_ascii().eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
            None => Coding::Unknown,
        });
    }

    /// What all lines say together.
    pub(super) fn finish(self, version: Version) -> Result<Accepted, Refusal> {
        if self.hosts > 1 || (self.hosts == 0 && version == Version::Http11) {
            return Err(400);
        }
        let framing = match (self.coding, self.length) {
            (None, length) => BodyFraming::Length(length.unwrap_or(0)),
            (Some(_), _) if version == Version::Http10 => return Err(400),
            (Some(_), Some(_)) | (Some(Coding::Repeated), None) => return Err(400),
            (Some(Coding::Unknown), None) => return Err(501),
            (Some(Coding::Chunked), None) => BodyFraming::Chunked,
        };
        Ok(Accepted {
            framing,
            odd_names: self.odd_names,
            repair: self.repair,
            wants_upgrade: self.wants_upgrade && version == Version::Http11,
        })
    }
}
