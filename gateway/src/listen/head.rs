//! Checks one HTTP/1 request head as raw bytes, before the HTTP library parses it: what the library would accept,
//! repair or answer differently from the reference is decided here (routing §3.1). No I/O.

mod fields;

use headgate_config::HeadLimits;
use memchr::memchr;

use self::fields::Fields;
use crate::route::target::split_absolute;

/// How the body after a head is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// This many bytes; zero for none.
    Length(u64),
    /// Chunked coding.
    Chunked,
}

/// What is worth knowing about an accepted head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub framing: BodyFraming,
    /// A header name has a character outside `[A-Za-z0-9-]`: such lines are dropped later.
    pub odd_names: bool,
    /// The HTTP library would refuse or change the head although it is fine: it has to be shown what [`repair`] makes.
    pub repair: bool,
    /// The client wants to change the protocol.
    pub wants_upgrade: bool,
}

/// The status that a refused head is answered with, or [`TOO_LARGE`]; the connection is closed after it.
pub(super) type Refusal = u16;

/// A head, or a line of it, that is too large: a 400 with a page of its own. The number is the reference's.
pub(crate) const TOO_LARGE: Refusal = 494;

/// Where the head at the start of `bytes` ends, if all of it is there. `from` is where a search before left off.
/// Empty lines in front of the request line are allowed (RFC 9112 §2.2) and must have been skipped.
pub(super) fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(3);
    while let Some(found) = memchr(b'\n', &bytes[at..]) {
        let next = at + found + 1;
        match bytes.get(next) {
            Some(b'\n') => return Some(next + 1),
            Some(b'\r') if bytes.get(next + 1) == Some(&b'\n') => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

/// The refusal of a head of which only this much has arrived, if it can be told already. A request line that is too long,
/// its end included, is 414.
pub(super) fn refuse_partial(bytes: &[u8], limits: HeadLimits) -> Option<Refusal> {
    if memchr(b'\n', bytes).is_none() && bytes.len() >= limits.line as usize {
        return Some(414);
    }
    (bytes.len() > limits.total as usize).then_some(TOO_LARGE)
}

/// Checks a complete head (request line, header lines, empty line).
pub(super) fn check(head: &[u8], limits: HeadLimits) -> Result<Accepted, Refusal> {
    if head.len() > limits.total as usize {
        return Err(TOO_LARGE);
    }
    let mut lines = Lines { rest: head };
    let first = lines.next().unwrap_or_default();
    if head.len() - lines.rest.len() > limits.line as usize {
        return Err(414);
    }
    let (version, repair) = request_line(first)?;
    let mut fields = Fields::new(repair, limits.line as usize);
    for line in lines {
        if line.is_empty() {
            break;
        }
        fields.line(line)?;
    }
    fields.finish(version)
}

/// A head without what the HTTP library would stumble over: lines with names that are none, and a target that it
/// cannot hold, which is replaced by `/` and returned.
pub(super) fn repair(head: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut out = Vec::with_capacity(head.len());
    let mut lines = Lines { rest: head };
    let mut target = None;
    if let Some(line) = lines.next() {
        let mut parts = line.splitn(3, |b| *b == b' ');
        let (method, found, version) = (parts.next(), parts.next(), parts.next());
        let found = found.unwrap_or_default();
        out.extend_from_slice(method.unwrap_or_default());
        out.push(b' ');
        if odd_target(found) {
            out.push(b'/');
            target = Some(found.to_vec());
        } else {
            out.extend_from_slice(found);
        }
        out.push(b' ');
        out.extend_from_slice(version.unwrap_or_default());
        out.extend_from_slice(b"\r\n");
    }
    for line in lines.take_while(|line| !line.is_empty()) {
        let name = memchr(b':', line).map_or(line, |colon| &line[..colon]);
        if classes(name) & NO_TOKEN == 0 {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    (out, target)
}

/// Whether the HTTP library would refuse a target that the reference takes, or cut it at `#`.
fn odd_target(target: &[u8]) -> bool {
    classes(target) & ODD_TARGET != 0
}

/// White space and control characters but not the bytes from 0x80 on.
const CONTROL: u8 = 1;
/// What is no `tchar`.
const NO_TOKEN: u8 = 2;
/// What is neither a letter nor a digit nor `-`.
const ODD_NAME: u8 = 4;
/// What the HTTP library does not take in a target.
const ODD_TARGET: u8 = 8;

/// The classes of every byte.
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        let odd_target = byte >= 0x80
            || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#');
        table[index] = if byte <= b' ' || byte == 0x7f { CONTROL } else { 0 }
            | if token(byte) { 0 } else { NO_TOKEN }
            | if byte.is_ascii_alphanumeric() || byte == b'-' { 0 } else { ODD_NAME }
            | if odd_target { ODD_TARGET } else { 0 };
        index += 1;
    }
    table
};

/// The classes of all bytes together.
fn classes(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |seen, byte| seen | CLASSES[usize::from(*byte)])
}

/// The two versions that are spoken here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn request_line(line: &[u8]) -> Result<(Version, bool), Refusal> {
    let mut parts = line.split(|b| *b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(400);
    };
    // The reference takes upper-case words only.
    if method.is_empty()
        || !method.iter().all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'-'))
    {
        return Err(400);
    }
    if target.is_empty() || target.iter().any(|b| *b < 0x20 || *b == 0x7f) {
        return Err(400);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', b'2'..=b'9', ..] => return Err(505),
        _ => return Err(400),
    };
    if matches!(method, b"CONNECT" | b"TRACE") {
        return Err(405);
    }
    // The library takes a bare word for the name of a host. The reference knows no `*` either.
    if !target.starts_with(b"/") && !matches!(split_absolute(target), Ok(Some(_))) {
        return Err(400);
    }
    Ok((version, odd_target(target)))
}

/// RFC 9110 §5.6.2 `tchar`.
const fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Lines without their ends (`\n` or `\r\n`).
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests;
