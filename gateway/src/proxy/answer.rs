//! Answers on their way to the client: the gateway's own, and the upstream's with what the gateway adds. The only
//! place where an error becomes a status.

mod finish;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{self, Entry},
};

use super::{protect::Refusal, response_body::Source, tunnel::Tunnel};
use crate::{error::ProxyError, filter::redirect::fixed::Told, listen::head::TOO_LARGE, page};

/// An answer before it is sent.
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) source: Source,
    /// The body is a stock page.
    page: Option<Stock>,
    /// The connection ends with this answer.
    close: bool,
    /// What begins behind it.
    tunnel: Option<Box<Tunnel>>,
}

/// A stock page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stock {
    /// That of the status.
    Status,
    /// The same, in place of a default backend.
    Fallback,
    /// That of a 400 with this cause.
    BadRequest(page::BadRequest),
}

impl Answer {
    /// The stock page of a status.
    pub fn page(status: StatusCode) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, page::CONTENT_TYPE);
        Self { page: Some(Stock::Status), ..Self::upstream(status, headers, Source::Empty) }
    }

    /// The stock page of a status given as number.
    pub fn code(status: u16) -> Self {
        Self::page(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// The stock page of a status, in place of a default backend.
    pub fn fallback(status: u16) -> Self {
        Self { page: Some(Stock::Fallback), ..Self::code(status) }
    }

    /// The answer to a head that was refused; the connection ends with it.
    pub fn refused(status: u16) -> Self {
        if status == TOO_LARGE {
            return Self::bad_request(page::BadRequest::HeaderTooLarge);
        }
        Self { close: true, ..Self::code(status) }
    }

    /// The answer to plain HTTP at the TLS port.
    pub fn misdirected() -> Self {
        Self::bad_request(page::BadRequest::PlainHttpOnHttpsPort)
    }

    /// A 400 with a page for its cause; the connection ends with it.
    pub fn bad_request(cause: page::BadRequest) -> Self {
        let stock = Self::page(StatusCode::BAD_REQUEST);
        Self { close: true, page: Some(Stock::BadRequest(cause)), ..stock }
    }

    /// The answer to a request for a host that wants another connection; this one ends with it.
    pub fn misdirected_request() -> Self {
        Self::refused(421)
    }

    /// A text instead of the stock page.
    pub fn explained(status: StatusCode, text: &'static str) -> Self {
        let page = Self::page(status);
        let source = Source::Full(Some(bytes::Bytes::from_static(text.as_bytes())));
        Self { page: None, source, ..page }
    }

    /// An answer in plain text.
    pub fn text(text: String) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Self::upstream(StatusCode::OK, headers, Source::Full(Some(text.into())))
    }

    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self::upstream(status, HeaderMap::with_capacity(4), Source::Empty)
    }

    /// A redirect. Without a valid `Location` it is an error of the configuration.
    pub fn redirect(status: StatusCode, location: Option<HeaderValue>) -> Self {
        let Some(location) = location else {
            return Self::page(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let mut answer = Self::page(status);
        answer.headers.insert(header::LOCATION, location);
        answer
    }

    /// The answer of a location that sends everybody elsewhere.
    pub fn elsewhere(status: StatusCode, told: Told) -> Self {
        match told {
            Told::Header(location) => Self::redirect(status, location),
            Told::Body(_) if status == StatusCode::NOT_MODIFIED => Self::empty(status),
            Told::Body(target) => {
                let source = Source::Full(Some(target));
                Self { status, source, ..Self::text(String::new()) }
            }
        }
    }

    /// The answer to a request that may not pass.
    pub fn refusal(refusal: Refusal) -> Self {
        let mut answer = Self::page(refusal.status);
        for (name, value) in refusal.headers {
            answer.headers.append(name, value);
        }
        answer
    }

    /// The answer of an upstream.
    pub fn upstream(status: StatusCode, headers: HeaderMap, source: Source) -> Self {
        Self { status, headers, source, page: None, close: false, tunnel: None }
    }

    /// The same with another cookie, if there is one.
    pub fn with_cookie(mut self, cookie: Option<HeaderValue>) -> Self {
        if let Some(cookie) = cookie {
            self.headers.append(header::SET_COOKIE, cookie);
        }
        self
    }

    /// The 101 of an upstream, and the tunnel behind it.
    pub fn upgrade(headers: HeaderMap, tunnel: Box<Tunnel>) -> Self {
        let answer = Self::upstream(StatusCode::SWITCHING_PROTOCOLS, headers, Source::Empty);
        Self { tunnel: Some(tunnel), ..answer }
    }

    /// Whether the connection ends with it, whatever else is known about it.
    pub fn closes(&self) -> bool {
        self.close
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether its body is the stock page of its status.
    pub fn is_stock_page(&self) -> bool {
        matches!(self.page, Some(Stock::Status | Stock::Fallback))
    }

    /// Whether it is the page of the built-in default backend.
    pub fn is_built_in(&self) -> bool {
        self.page == Some(Stock::Fallback) && self.status == StatusCode::NOT_FOUND
    }

    /// What is left of it where another answer takes its place. A connection that it came over is closed.
    pub fn replace(mut self) -> Replaced {
        let challenges = match self.headers.entry(header::WWW_AUTHENTICATE) {
            Entry::Occupied(lines) => lines.remove_entry_mult().1.collect(),
            Entry::Vacant(_) => Vec::new(),
        };
        Replaced { status: self.status, challenges, close: self.close }
    }
}

/// What is left of an answer that another one takes the place of.
pub struct Replaced {
    /// Its status.
    pub status: StatusCode,
    /// Its challenges, which the client gets in any case (annotations §3.7).
    challenges: Vec<HeaderValue>,
    /// The connection ends.
    pub close: bool,
}

impl Replaced {
    /// Gives what is left to the answer in its place.
    pub fn give_to(self, mut answer: Answer) -> Answer {
        answer.close |= self.close;
        for challenge in self.challenges {
            answer.headers.append(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

impl From<ProxyError> for Answer {
    fn from(error: ProxyError) -> Self {
        // After these the rest of the request is not worth reading, or cannot be found.
        let close = matches!(
            error,
            ProxyError::BadRequest
                | ProxyError::BodyTooLarge
                | ProxyError::LengthRequired
                | ProxyError::ClientGone
                | ProxyError::EmptyRewrite
        );
        Self { close, ..Self::page(error.status()) }
    }
}

/// A path or URL with the query of the request.
pub fn with_query(mut url: Vec<u8>, query: Option<&[u8]>) -> Option<HeaderValue> {
    // A lone `?` is lost in a rewrite.
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        url.push(b'?');
        url.extend_from_slice(query);
    }
    HeaderValue::from_maybe_shared(bytes::Bytes::from(url)).ok()
}
