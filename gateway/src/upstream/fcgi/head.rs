//! The head of an answer as CGI programs write it (RFC 3875 §6). No I/O.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use memchr::memmem;
use smallvec::SmallVec;

use crate::{
    content_length,
    error::ProxyError,
    upstream::h1::{Head, Keep},
};

/// Lines that a head may have.
const MAX_LINES: usize = 256;

/// A head, and what is known about the body behind it.
#[derive(Debug)]
pub struct Parsed {
    /// The head.
    pub head: Head,
    /// Bytes of the body, if it says so.
    pub length: Option<u64>,
    /// Bytes of the head.
    pub size: usize,
}

/// Parses the head at the start of `text`; `None` if it is not complete.
///
/// # Errors
/// [`ProxyError::InvalidAnswer`]: it is no head.
pub fn parse(text: &[u8], keep: Keep) -> Result<Option<Parsed>, ProxyError> {
    const INVALID: ProxyError = ProxyError::InvalidAnswer;
    let has_end = text.starts_with(b"\n")
        || text.starts_with(b"\r\n")
        || memmem::find(text, b"\n\n").is_some()
        || memmem::find(text, b"\n\r\n").is_some();
    if !has_end {
        return Ok(None);
    }
    let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
    let (size, lines) = match httparse::parse_headers(text, &mut lines) {
        Ok(httparse::Status::Complete(found)) => found,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(INVALID),
    };
    let named =
        |name: &'static str| lines.iter().find(move |line| line.name.eq_ignore_ascii_case(name));
    let status = match named("status") {
        Some(line) => status(line.value)?,
        // A redirect without a status is one (RFC 3875 §6.2.3).
        None if named("location").is_some() => StatusCode::FOUND,
        None => StatusCode::OK,
    };
    let mut headers = HeaderMap::with_capacity(lines.len());
    let mut length = None;
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| INVALID)?;
        let value = HeaderValue::from_bytes(line.value).map_err(|_| INVALID)?;
        if name == header::CONTENT_LENGTH {
            let said = content_length::parse(line.value).ok_or(INVALID)?;
            if length.replace(said).is_some() {
                return Err(INVALID);
            }
            headers.insert(name, HeaderValue::from(said));
        } else if name.as_str() != "status" && keep(&name, status) {
            headers.append(name, value);
        }
    }
    if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
    }
    let head = Head { status, headers, connection: SmallVec::new(), buffering: None };
    Ok(Some(Parsed { head, length, size }))
}

/// The number at the start of `Status`, of a final answer.
fn status(value: &[u8]) -> Result<StatusCode, ProxyError> {
    let word = value.split(|byte| *byte == b' ').next().unwrap_or_default();
    StatusCode::from_bytes(word)
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or(ProxyError::InvalidAnswer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, number of headers, length of the body, and of the head.
    type Read = (u16, usize, Option<u64>, usize);

    fn read(text: &str) -> Result<Option<Read>, ProxyError> {
        let parsed = parse(text.as_bytes(), |_, _| true)?;
        Ok(parsed.map(|Parsed { head, length, size }| {
            (head.status.as_u16(), head.headers.len(), length, size)
        }))
    }

    #[test]
    fn the_status_is_said_or_follows_from_a_location() {
        assert_eq!(read("Content-Type: a\r\n\r\nbody"), Ok(Some((200, 1, None, 19))));
        assert_eq!(read("Status: 404 Not Found\nX: y\n\n"), Ok(Some((404, 1, None, 28))));
        assert_eq!(read("Location: /x\r\n\r\n"), Ok(Some((302, 1, None, 16))));
        assert_eq!(read("Status: 201\r\nLocation: /x\r\n\r\n"), Ok(Some((201, 1, None, 29))));
        assert_eq!(read("Content-Length: 7\r\n\r\n"), Ok(Some((200, 1, Some(7), 21))));
    }

    #[test]
    fn what_is_no_head_is_refused_and_what_is_none_yet_is_awaited() {
        for text in [
            "Status: ok\r\n\r\n",
            "Status: 101 Go\r\n\r\n",
            "Status: 2000\r\n\r\n",
            "no field\r\n\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "Content-Length: -1\r\n\r\n",
        ] {
            assert_eq!(read(text), Err(ProxyError::InvalidAnswer), "{text:?}");
        }
        assert_eq!(read("Content-Type: a\r\n"), Ok(None));
    }
}
