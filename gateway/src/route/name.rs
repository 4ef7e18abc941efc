//! The host that a request is routed by (routing §3.1).

use smallvec::SmallVec;

/// A host name ready for [`HostTable::find`](super::host::HostTable::find): lower-case, without port and without
/// one trailing dot. Borrowed when the request wrote it that way.
#[derive(Clone, Debug)]
pub struct HostName<'a>(Text<'a>);

#[derive(Clone, Debug)]
enum Text<'a> {
    AsWritten(&'a [u8]),
    Lowered(SmallVec<[u8; 56]>),
}

impl HostName<'_> {
    /// The name of a request that names no host (HTTP/1.0 without `Host`): only the default host takes it.
    pub fn none() -> Self {
        Self(Text::AsWritten(b""))
    }

    /// The name.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::AsWritten(name) => name,
            Text::Lowered(name) => name,
        }
    }
}

impl AsRef<[u8]> for HostName<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for HostName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for HostName<'_> {}

/// Why a host is refused. The answer is 400 in all cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing is left without port and trailing dot.
    #[error("host is empty")]
    Empty,
    /// Two dots in a row.
    #[error("host holds an empty label")]
    EmptyLabel,
    /// A slash, a space or a control byte.
    #[error("host holds a byte that no host may hold")]
    BadByte,
}

/// The routing name of a `Host` header, an `:authority` or the authority of an absolute-form target.
///
/// Everything from the first colon on is cut (also if it is no number), a bracketed literal is kept whole. Other odd
/// names are not judged: they are merely unknown.
///
/// # Errors
///
/// See [`HostError`]; the answer is 400 in all cases.
pub fn routing_host(raw: &[u8]) -> Result<HostName<'_>, HostError> {
    if is_clean(raw) {
        return Ok(HostName(Text::AsWritten(raw)));
    }
    let scanned = scan(raw)?;
    let mut name = &raw[..scanned.end];
    // only the last dot of all counts: a dot in what follows the colon keeps the one before it
    if scanned.last_dot.is_some_and(|dot| dot + 1 == scanned.end) {
        name = &raw[..scanned.end - 1];
    }
    if name.is_empty() {
        return Err(HostError::Empty);
    }
    Ok(HostName(if scanned.upper {
        let mut lowered = SmallVec::from_slice(name);
        lowered.make_ascii_lowercase();
        Text::Lowered(lowered)
    } else {
        Text::AsWritten(name)
    }))
}

/// Whether a host is its own routing name, as most are. Without branches, so that it is done many bytes at a time.
fn is_clean(raw: &[u8]) -> bool {
    let odd = |byte: u8| {
        (byte <= b' ')
            | (byte == 0x7F)
            | byte.is_ascii_uppercase()
            | (byte == b'/')
            | (byte == b':')
            | (byte == b'[')
    };
    let Some((&last, _)) = raw.split_last() else {
        return false;
    };
    let pairs = raw.iter().zip(&raw[1..]);
    let found = pairs.fold(odd(last) | (last == b'.'), |found, (&byte, &next)| {
        found | odd(byte) | ((byte == b'.') & (next == b'.'))
    });
    !found
}

struct Scan {
    end: usize,
    last_dot: Option<usize>,
    upper: bool,
}

/// Checks all bytes, also those that are cut, and finds where the name ends.
fn scan(raw: &[u8]) -> Result<Scan, HostError> {
    enum State {
        Name,
        Literal,
        Rest,
    }
    let mut found = Scan { end: raw.len(), last_dot: None, upper: false };
    let mut state = State::Name;
    for (at, &byte) in raw.iter().enumerate() {
        match byte {
            b'.' => {
                if found.last_dot.is_some_and(|dot| dot + 1 == at) {
                    return Err(HostError::EmptyLabel);
                }
                found.last_dot = Some(at);
            }
            b':' if matches!(state, State::Name) => {
                found.end = at;
                state = State::Rest;
            }
            b'[' if at == 0 => state = State::Literal,
            b']' if matches!(state, State::Literal) => {
                found.end = at + 1;
                state = State::Rest;
            }
            b'/' | ..=b' ' | 0x7F => return Err(HostError::BadByte),
            b'A'..=b'Z' => found.upper = true,
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
