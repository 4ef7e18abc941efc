//! The head of an answer: parsed by `httparse`, its framing decided as RFC 9112 §6.3 says, what is doubtful refused.
//! No I/O.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use smallvec::SmallVec;

use super::body::Decoder;
use crate::{content_length, error::ProxyError};

/// Header lines that an answer may have.
const MAX_LINES: usize = 256;
/// Room for the usual answer. The map is used again for the client's next request, which has more lines.
const USUAL_LINES: usize = 12;

/// Whether a header of an answer with this status is passed on.
pub type Keep = fn(&HeaderName, StatusCode) -> bool;

/// The head of a final answer.
#[derive(Debug)]
pub struct Head {
    /// Status, 200 or more, or 101.
    pub status: StatusCode,
    /// The headers that are passed on, with the length that was said, if any.
    pub headers: HeaderMap,
    /// Values of `Connection`: they nominate headers that are not passed on.
    pub connection: SmallVec<[HeaderValue; 1]>,
    /// What `X-Accel-Buffering` says, if anything.
    pub buffering: Option<bool>,
}

/// What the beginning of the bytes is.
#[derive(Debug)]
pub enum Parsed {
    /// A head that is not complete.
    Partial,
    /// An interim answer (1xx) of so many bytes: to be skipped.
    Interim(usize),
    /// The head of the answer.
    Final {
        /// The head.
        head: Head,
        /// How its body is framed.
        body: Decoder,
        /// The connection can be used again behind the body.
        keep_alive: bool,
        /// Bytes of the head.
        length: usize,
    },
}

/// Parses the head at the start of `text`. `to_head` is whether it answers a HEAD request.
///
/// # Errors
/// [`ProxyError::InvalidAnswer`]: it violates HTTP, or its framing is ambiguous.
pub fn parse(text: &Bytes, to_head: bool, keep: Keep) -> Result<Parsed, ProxyError> {
    const INVALID: ProxyError = ProxyError::InvalidAnswer;
    let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut response = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        text,
        &mut lines,
    );
    let length = match status {
        Err(_) => return Err(INVALID),
        Ok(httparse::Status::Partial) => return Ok(Parsed::Partial),
        Ok(httparse::Status::Complete(length)) => length,
    };
    let status = StatusCode::from_u16(response.code.unwrap_or_default()).map_err(|_| INVALID)?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Parsed::Interim(length));
    }
    let mut framing = Framing::default();
    let mut head = Head {
        status,
        headers: HeaderMap::with_capacity(USUAL_LINES.max(response.headers.len())),
        connection: SmallVec::new(),
        buffering: None,
    };
    for line in &*response.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| INVALID)?;
        match name {
            header::CONTENT_LENGTH => framing.length(line.value)?,
            header::TRANSFER_ENCODING => framing.coding(line.value)?,
            header::CONNECTION => framing.connection(line.value),
            _ => {}
        }
        let kept = keep(&name, status);
        if !kept && name.as_str() == "x-accel-buffering" {
            head.buffering = match line.value {
                value if value.eq_ignore_ascii_case(b"yes") => Some(true),
                value if value.eq_ignore_ascii_case(b"no") => Some(false),
                _ => head.buffering,
            };
        }
        if kept || name == header::CONNECTION {
            let value =
                HeaderValue::from_maybe_shared(text.slice_ref(line.value)).map_err(|_| INVALID)?;
            if name == header::CONNECTION {
                head.connection.push(value.clone());
            }
            if kept {
                head.headers.try_append(name, value).map_err(|_| INVALID)?;
            }
        }
    }
    if let Some(length) = framing.length.filter(|_| may_have_length(status)) {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let modern = response.version == Some(1);
    let body = framing.body(status, to_head, modern)?;
    let keep_alive = framing.keep_alive(modern) && !matches!(body, Decoder::Close);
    Ok(Parsed::Final { head, body, keep_alive, length })
}

/// Whether an answer with this status may say a length (RFC 9110 §8.6).
fn may_have_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT
}

/// The lines that frame an answer.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    persist: bool,
}

impl Framing {
    fn length(&mut self, value: &[u8]) -> Result<(), ProxyError> {
        let length = content_length::parse(value).ok_or(ProxyError::InvalidAnswer)?;
        // A second one is refused even when it is equal.
        if self.length.replace(length).is_some() {
            return Err(ProxyError::InvalidAnswer);
        }
        Ok(())
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), ProxyError> {
        if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(ProxyError::InvalidAnswer);
        }
        self.chunked = true;
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.persist |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn body(&self, status: StatusCode, to_head: bool, modern: bool) -> Result<Decoder, ProxyError> {
        // Chunked coding does not exist in HTTP/1.0: somebody on the way did not understand it (RFC 9112 §6.1).
        if self.chunked && (self.length.is_some() || !modern) {
            return Err(ProxyError::InvalidAnswer);
        }
        let bodiless =
            to_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(match self.length {
            _ if bodiless || status == StatusCode::SWITCHING_PROTOCOLS => Decoder::Length(0),
            _ if self.chunked => Decoder::chunked(),
            Some(length) => Decoder::Length(length),
            None => Decoder::Close,
        })
    }

    fn keep_alive(&self, modern: bool) -> bool {
        !self.close && (modern || self.persist)
    }
}

#[cfg(test)]
mod tests;
