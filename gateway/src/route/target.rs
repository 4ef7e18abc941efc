//! The request target: its path as it is matched, and its query (routing §5.1).
//!
//! The target that is sent upstream stays as it came; only matching and rewriting use the normalised path.

use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// A request target as routing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    path: Cow<'a, [u8]>,
    query: Option<Cow<'a, [u8]>>,
    quoted: bool,
}

impl<'a> Target<'a> {
    /// The path that is matched: decoded once, slashes merged, dot segments resolved. Begins with `/` and holds no
    /// NUL byte; not always UTF-8.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// What follows the first `?`, without a fragment, as it came. `Some(b"")` for a bare `?`.
    pub fn query(&self) -> Option<&[u8]> {
        self.query.as_deref()
    }

    /// The same with another path (decoded) and query, where they are given. An empty query is none.
    pub fn replaced(self, path: Option<&[u8]>, query: Option<&[u8]>) -> Self {
        let path = path.map_or(self.path, |path| Cow::Owned(path.to_vec()));
        let query = match query {
            Some(query) => (!query.is_empty()).then(|| Cow::Owned(query.to_vec())),
            None => self.query,
        };
        Self { path, query, quoted: self.quoted }
    }

    /// Whether the path came with an escape or a `+`: redirecting rewrites escape their captures only then.
    pub fn quoted(&self) -> bool {
        self.quoted
    }
}

/// Why a request target is refused. The answer is 400 in all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither a path nor an absolute URI: `*`, `foo`, `%2Ffoo`, the empty target.
    #[error("request target does not begin with a slash")]
    NoLeadingSlash,
    /// `%` without two hexadecimal digits, or `%00`.
    #[error("request target holds a malformed escape")]
    BadEscape,
    /// A byte that no target may hold: a control byte or a space.
    #[error("request target holds a control byte or a space")]
    BadByte,
    /// `..` above the root.
    #[error("request target leaves the root")]
    AboveRoot,
    /// An absolute-form target without a usable host.
    #[error("request target names no valid host")]
    BadAuthority,
}

/// An absolute-form request target, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absolute<'a> {
    /// Host and port as written. This host is used for routing, in place of the `Host` header (routing §3.1).
    pub authority: &'a [u8],
    /// Path and query: what is normalised, and what is sent upstream. `/` is put in front if it was missing.
    pub rest: Cow<'a, [u8]>,
}

/// Takes an absolute-form target (`http://host/path?query`) apart; `None` for every other form.
///
/// # Errors
///
/// [`TargetError::BadAuthority`] if what follows `://` is no host name, IPv4 address or bracketed literal with an
/// optional port.
pub fn split_absolute(target: &[u8]) -> Result<Option<Absolute<'_>>, TargetError> {
    let scheme_end =
        target.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')));
    let Some(scheme_end) = scheme_end else {
        return Ok(None);
    };
    let (scheme, after) = target.split_at(scheme_end);
    let Some(after) = after.strip_prefix(b"://") else {
        return Ok(None);
    };
    if !scheme.first().is_some_and(u8::is_ascii_alphabetic) {
        return Ok(None);
    }
    let end = after.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    if !is_authority(authority) {
        return Err(TargetError::BadAuthority);
    }
    let rest = if rest.starts_with(b"/") {
        Cow::Borrowed(rest)
    } else {
        Cow::Owned([b"/", rest].concat())
    };
    Ok(Some(Absolute { authority, rest }))
}

/// `name[:digits]` or `[literal][:digits]`, with the characters that a request line may hold there.
fn is_authority(text: &[u8]) -> bool {
    let name_end = if text.first() == Some(&b'[') {
        text.iter().position(|&b| b == b']').map(|at| at + 1)
    } else {
        let at = text.iter().position(|&b| b == b':');
        Some(at.unwrap_or(text.len()))
    };
    let Some(name_end) = name_end else {
        return false;
    };
    let (name, port) = text.split_at(name_end);
    let name_ok = match name {
        [] => false,
        [b'[', inner @ .., b']'] => {
            inner.iter().all(|&b| b.is_ascii_alphanumeric() || b":._-~!$&'()*+,;=".contains(&b))
        }
        _ => name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')),
    };
    let port_ok = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    name_ok && port_ok
}

/// Normalises an origin-form request target (or [`Absolute::rest`]) for matching.
///
/// # Errors
///
/// See [`TargetError`]; the answer is 400 in all cases.
pub fn normalise(target: &[u8]) -> Result<Target<'_>, TargetError> {
    if target.first() != Some(&b'/') {
        return Err(TargetError::NoLeadingSlash);
    }
    let end = memchr::memchr(b'?', target).unwrap_or(target.len());
    let path = &target[..end];
    let seen = look_over(path);
    if seen & BAD != 0 {
        return Err(TargetError::BadByte);
    }
    if seen & (ESCAPE | FRAGMENT) != 0 || seen & SEGMENT != 0 && has_empty_or_dots(path) {
        return rebuild(target);
    }
    let query = target.get(end + 1..).map(query).transpose()?.map(Cow::Borrowed);
    Ok(Target { path: Cow::Borrowed(path), query, quoted: seen & PLUS != 0 })
}

/// A control byte or a space.
const BAD: u8 = 1;
/// `%`
const ESCAPE: u8 = 2;
/// `#`
const FRAGMENT: u8 = 4;
/// `+`
const PLUS: u8 = 8;
/// Two slashes, or a slash and a dot.
const SEGMENT: u8 = 16;

/// What a path holds. Without branches, so that it is done many bytes at a time.
fn look_over(path: &[u8]) -> u8 {
    let pairs = path.iter().zip(path.get(1..).unwrap_or_default());
    let inner = pairs.fold(0, |seen, (&byte, &next)| seen | kind(byte, next));
    inner | path.last().map_or(0, |&last| kind(last, 0))
}

fn kind(byte: u8, next: u8) -> u8 {
    let flag = |found: bool, flag: u8| u8::from(found) * flag;
    flag(is_bad(byte), BAD)
        | flag(byte == b'%', ESCAPE)
        | flag(byte == b'#', FRAGMENT)
        | flag(byte == b'+', PLUS)
        | flag((byte == b'/') & ((next == b'/') | (next == b'.')), SEGMENT)
}

fn is_bad(byte: u8) -> bool {
    (byte <= b' ') | (byte == 0x7F)
}

/// Whether a segment before the last is empty, or any is `.` or `..`.
fn has_empty_or_dots(path: &[u8]) -> bool {
    memchr::memchr_iter(b'/', path).any(|slash| match &path[slash + 1..] {
        [b'/', ..] => true,
        [b'.', b'.', rest @ ..] | [b'.', rest @ ..] => matches!(rest.first(), None | Some(b'/')),
        _ => false,
    })
}

/// Normalises a target that is not clean; its path holds no bad byte before the first `?`.
#[cold]
fn rebuild(target: &[u8]) -> Result<Target<'_>, TargetError> {
    let mut out = Output { bytes: Vec::with_capacity(target.len()), segment: 0 };
    let mut query_start = None;
    let mut quoted = false;
    let mut at = 0;
    while let Some(&byte) = target.get(at) {
        at += 1;
        match byte {
            b'/' => out.end_segment(false)?,
            b'%' => {
                quoted = true;
                match decode(&target[at..])? {
                    b'/' => out.end_segment(false)?,
                    decoded => out.bytes.push(decoded),
                }
                at += 2;
            }
            b'?' => {
                query_start = Some(at);
                break;
            }
            b'#' => {
                query(&target[at..])?;
                break;
            }
            _ => {
                quoted |= byte == b'+';
                out.bytes.push(byte);
            }
        }
    }
    out.end_segment(true)?;
    let query = query_start.map(|start| query(&target[start..])).transpose()?.map(Cow::Borrowed);
    Ok(Target { path: Cow::Owned(out.bytes), query, quoted })
}

/// The normalised path while it is written.
struct Output {
    bytes: Vec<u8>,
    /// Where the segment in work begins; the byte before it is a slash (or it is 0 at the very start).
    segment: usize,
}

impl Output {
    /// A slash or the end of the path follows the segment in work.
    fn end_segment(&mut self, last: bool) -> Result<(), TargetError> {
        match &self.bytes[self.segment..] {
            // at the very start the slash itself is still to be written
            b"" if self.segment > 0 => {}
            b"." => self.bytes.truncate(self.segment),
            b".." => {
                let parent = self.bytes[..self.segment - 1].iter().rposition(|&b| b == b'/');
                self.segment = parent.ok_or(TargetError::AboveRoot)? + 1;
                self.bytes.truncate(self.segment);
            }
            _ if last => {}
            _ => {
                self.bytes.push(b'/');
                self.segment = self.bytes.len();
            }
        }
        Ok(())
    }
}

/// The byte that the two digits after a `%` stand for.
fn decode(digits: &[u8]) -> Result<u8, TargetError> {
    let [high, low, ..] = digits else {
        return Err(TargetError::BadEscape);
    };
    let value = |digit: u8| char::from(digit).to_digit(16);
    match (value(*high), value(*low)) {
        // two digits of four bits each fit
        (Some(high), Some(low)) if high + low > 0 => Ok((high << 4 | low) as u8),
        _ => Err(TargetError::BadEscape),
    }
}

/// Checks the bytes after a `?` and cuts a fragment off.
fn query(rest: &[u8]) -> Result<&[u8], TargetError> {
    if rest.iter().fold(false, |bad, &byte| bad | is_bad(byte)) {
        return Err(TargetError::BadByte);
    }
    Ok(memchr::memchr(b'#', rest).map_or(rest, |end| &rest[..end]))
}
