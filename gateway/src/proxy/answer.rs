//! Answers on their way to the client: the gateway's own, and the upstream's with what the gateway adds. The only
//! place where an error becomes a status.

use headgate_config::Settings;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode, Version,
    header::{self, Entry},
};

use hyper::ext::ReasonPhrase;

use super::{
    exchange::Exchange,
    protect::Refusal,
    response_body::{Encoded, ResponseBody, Source},
    revise, snippet,
    tunnel::Tunnel,
};
use crate::{
    error::ProxyError, filter::redirect::fixed::Told, listen::head::TOO_LARGE, live::LiveConfig,
    page,
};

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

    /// A text of this type instead of the stock page.
    pub fn explained(status: StatusCode, kind: HeaderValue, text: &'static str) -> Self {
        let mut page = Self::page(status);
        page.headers.insert(header::CONTENT_TYPE, kind);
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

    /// Adds what all answers carry and makes the response.
    pub fn finish(
        mut self,
        mut exchange: Box<Exchange>,
        live: &LiveConfig,
    ) -> Response<ResponseBody> {
        let settings = &live.settings;
        if let Some(origin) = exchange.allowed_origin.take()
            && let Some(cors) = exchange.cors()
        {
            cors.add_to(origin, &mut self.headers);
        }
        if let Some(hsts) = &settings.hsts
            && exchange.connection.tls
            && exchange.is_located()
        {
            self.headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if exchange.version() != Version::HTTP_2 && self.status != StatusCode::SWITCHING_PROTOCOLS {
            let value = self.connection(&exchange, &settings.spec);
            self.headers.insert(header::CONNECTION, HeaderValue::from_static(value));
        }
        if let Some(cookies) = exchange.cookies.take() {
            cookies.add_to(self.status, &mut self.headers);
        }
        revise::add(&mut self.headers, &exchange, live);
        let wants_compression =
            !exchange.has_snippets() || snippet::finish(&exchange, live, &mut self);
        let reason = self.print_page(&exchange, &settings.spec);
        if settings.compressor.is_some() && wants_compression {
            self.compress(&exchange, live);
        }
        exchange.status = self.status.as_u16();
        exchange.head_sent = head_length(&self.headers);
        if self.source.is_upstream() {
            // It may go on for hours.
            exchange.release_table();
        }
        let mut response = Response::new(match self.tunnel {
            Some(tunnel) => {
                tunnel.start(exchange);
                ResponseBody::of_upgrade()
            }
            None => ResponseBody::new(self.source, exchange),
        });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(reason) = reason {
            response.extensions_mut().insert(ReasonPhrase::from_static(reason.as_bytes()));
        }
        response
    }

    /// Makes a stock page the body; the text of its status line, if that is not the registered one.
    fn print_page(&mut self, exchange: &Exchange, settings: &Settings) -> Option<&'static str> {
        let server_version = settings.headers.server_tokens;
        let (body, reason) = match self.page? {
            Stock::Status | Stock::Fallback => {
                let style = page::Style { padding: exchange.wants_padding(), server_version };
                (page::body(self.status, style), page::reason(self.status))
            }
            Stock::BadRequest(cause) => {
                let style = page::Style { padding: false, server_version };
                (page::bad_request(cause, style), None)
            }
        };
        self.source = Source::Full(Some(body));
        reason
    }

    fn compress(&mut self, exchange: &Exchange, live: &LiveConfig) {
        // The reference only knows what an upstream has announced.
        let length =
            self.source.left().filter(|_| self.page.is_some() || exchange.attempts.is_empty());
        if let Some(encoder) =
            revise::compress(self.status, &mut self.headers, length, exchange, live)
        {
            let inner = std::mem::replace(&mut self.source, Source::Empty);
            self.source = Source::Encoded(Box::new(Encoded::new(inner, encoder)));
        }
    }

    /// What is said about the connection. The reference always says something.
    fn connection(&self, exchange: &Exchange, settings: &Settings) -> &'static str {
        let leaves_body = exchange.leaves_body();
        if self.close || leaves_body {
            exchange.connection.linger();
        }
        // As long as an upstream answers, the upload to it may yet come to its end.
        let close = self.close
            || (leaves_body && !self.source.is_upstream())
            || !exchange.wants_keep_alive()
            || exchange.worker.is_leaving()
            || settings.keep_alive.is_zero()
            || exchange.connection.requests() >= settings.keep_alive_requests;
        if close { "close" } else { "keep-alive" }
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

/// Bytes that a head takes on the wire, status line included, as HTTP/1 writes it.
fn head_length(headers: &HeaderMap) -> u64 {
    const STATUS_LINE: usize = 17;
    let lines: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (STATUS_LINE + lines + 2) as u64
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
