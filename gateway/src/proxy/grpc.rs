//! One try to get an answer over HTTP/2 (annotations §3.14). What the upstream is told is what one of HTTP/1 is told.

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri, Version,
    header::{self, TE},
    uri::{Authority, PathAndQuery, Scheme},
};

use super::{exchange::Exchange, send::Try, tries::Failed, waiting::wait};
use crate::{
    deadline::Deadline,
    error::ProxyError,
    filter::{body::Prepared, request_headers::Framing},
    upstream::{answer::Carrier, h1, h2::Call},
};

/// Sends the request over a stream of a connection, and waits for the head of its answer.
pub async fn run(
    this: &Try<'_>,
    exchange: &mut Exchange,
    body: &mut Prepared,
    deadline: &Deadline,
) -> Result<(h1::Head, Carrier), Failed> {
    let failed = |error, unsent| Failed { error, unsent, stale: false };
    let limits = &this.live.settings.keep_alive;
    let streams = this.endpoint.streams();
    let stream = streams.stream(this.endpoint, limits, this.settings.connect_timeout).await;
    let (slot, is_old) = stream.map_err(|error| failed(error, true))?;
    if let Some(attempt) = exchange.attempts.last_mut() {
        attempt.connected(is_old);
    }
    deadline.reset(this.settings.read_timeout);
    let closed = ProxyError::UpstreamClosed;
    let Some(content) = body.take() else { return Err(failed(closed, false)) };
    let framing = body.length.map_or(Framing::None, Framing::Length);
    let request = request(this, exchange, framing);
    let request = match request {
        Some(request) => request,
        None => {
            body.restore(content);
            return Err(failed(ProxyError::BadRequest, true));
        }
    };
    let mut call = match Call::start(slot, request, content, this.live.settings.headers.keep) {
        Ok(call) => Box::new(call),
        Err(content) => {
            body.restore(content);
            // A connection that ended while it was idle says nothing about the endpoint.
            return Err(Failed { error: closed, unsent: true, stale: is_old });
        }
    };
    match wait(&mut *call, deadline, this.settings, body.progress()).await {
        Ok(head) => {
            if let Some(attempt) = exchange.attempts.last_mut() {
                attempt.answered(head.status);
            }
            Ok((head, Carrier::Other(call)))
        }
        Err(error) => {
            if error == ProxyError::UpstreamTimeout {
                call.distrust();
            }
            Err(failed(error, call.is_unprocessed()))
        }
    }
}

/// The head of the request; none if it cannot be said in HTTP/2.
fn request(this: &Try<'_>, exchange: &Exchange, framing: Framing) -> Option<Request<()>> {
    this.with_head(exchange, framing, |parsed| {
        let mut request = Request::new(());
        *request.method_mut() = this.outbound.method().clone();
        let mut host = None;
        for line in &*parsed.headers {
            let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
            let value = HeaderValue::from_bytes(line.value).ok()?;
            match name {
                header::HOST => host = Some(value),
                // What HTTP/2 has no place for (RFC 9113 §8.2.2).
                header::CONNECTION | header::UPGRADE | header::TRANSFER_ENCODING => {}
                name => drop(request.headers_mut().append(name, value)),
            }
        }
        if accepts_trailers(&this.outbound.inbound.parts.headers) {
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        }
        let path = PathAndQuery::try_from(parsed.path?).ok()?;
        let mut uri = http::uri::Parts::default();
        uri.path_and_query = Some(path);
        let authority = host.as_ref().and_then(|host| Authority::try_from(host.as_bytes()).ok());
        match (authority, host) {
            (Some(authority), _) => {
                uri.authority = Some(authority);
                let scheme =
                    if this.endpoint.is_encrypted() { Scheme::HTTPS } else { Scheme::HTTP };
                uri.scheme = Some(scheme);
                *request.version_mut() = Version::HTTP_2;
            }
            // No name for an authority; as a header it may be one.
            (None, Some(host)) => drop(request.headers_mut().insert(header::HOST, host)),
            (None, None) => {}
        }
        *request.uri_mut() = Uri::from_parts(uri).ok()?;
        Some(request)
    })
}

/// Whether the client wants to be told about what comes behind the answer.
fn accepts_trailers(headers: &HeaderMap) -> bool {
    let words = headers.get_all(TE).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    words.map(<[u8]>::trim_ascii).any(|word| word.eq_ignore_ascii_case(b"trailers"))
}
