//! The life of one request, top to bottom. Each step may end it; the order is that of annotations §3.0.

mod answer;
mod ask;
mod attempt;
mod client_certificate;
mod decide;
mod discard;
mod exchange;
mod external;
mod inbound;
mod intercept;
mod mirror;
mod outbound;
mod place;
mod protect;
mod response_body;
mod send;
mod throttle;
mod token;
mod tries;
mod tunnel;

use std::{rc::Rc, sync::Arc};

use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use self::{
    answer::Answer,
    decide::{Backend, Verdict, decide},
    exchange::Exchange,
    inbound::Inbound,
    intercept::Giver,
};
pub use self::{mirror::OnTheirWay, response_body::ResponseBody};
use crate::{
    error::ProxyError, listen::conn::Connection, live::LiveConfig, observe::metrics, worker::Worker,
};

/// Answers one request. Whatever happens there is an answer, and it is recorded when its last byte is sent.
///
/// # Errors
/// [`ProxyError::ClientGone`]: nobody waits for an answer, and the HTTP/2 stream is to be reset. (Over HTTP/1 the whole
/// connection goes.)
///
/// Not an `async fn`: what it is given is put away first, so that the future, which is moved, stays small.
pub fn handle(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
    counted: Rc<metrics::Connection>,
) -> impl Future<Output = Result<Response<ResponseBody>, ProxyError>> {
    let live = worker.live();
    let rules = &live.settings.spec.forwarded;
    let (inbound, body) = Inbound::split(request, &connection, rules);
    let inbound = Rc::new(inbound);
    let mut exchange = Exchange::begin(worker, connection, counted, &inbound, &live);
    async move {
        let answer = match inbound.head.refusal {
            Some(status) => Answer::refused(status),
            None if exchange.connection.is_misdirected() => Answer::misdirected(),
            None => match serve(&mut exchange, &inbound, body, &live).await {
                Ok(answer) => answer,
                Err(ProxyError::ClientGone) if exchange.connection.is_malformed() => {
                    Answer::from(ProxyError::BadRequest)
                }
                Err(ProxyError::ClientGone) if exchange.version() == Version::HTTP_2 => {
                    return Err(ProxyError::ClientGone);
                }
                Err(error) => Answer::from(error),
            },
        };
        Ok(answer.finish(exchange, &live))
    }
}

async fn serve(
    exchange: &mut Exchange,
    inbound: &Inbound,
    body: Incoming,
    live: &LiveConfig,
) -> Result<Answer, ProxyError> {
    let peer = Arc::clone(&exchange.connection);
    let (location, backend, mut outbound, guarded) =
        match decide(exchange, inbound, &peer, &body, live) {
            Ok(Verdict::Forward { location, backend, outbound, guarded }) => {
                (location, backend, outbound, guarded)
            }
            Ok(Verdict::Answer(answer)) => return own(exchange, inbound, live, answer, body).await,
            Err(error) => return own(exchange, inbound, live, error.into(), body).await,
        };
    if let Some(guarded) = guarded
        && let Some(answer) = protect::check(exchange, &mut outbound, guarded).await
    {
        return own(exchange, inbound, live, *answer, body).await;
    }
    if let (Backend::Page(status), None) = (&backend, &location.mirror) {
        return own(exchange, inbound, live, Answer::code(*status), body).await;
    }
    let body = if outbound.is_for_page() {
        discard::discard(exchange, body);
        None
    } else {
        Some(body)
    };
    let mut body = match send::prepare(exchange, live, location, &outbound, body).await {
        Ok(body) => body,
        Err(error) => return failed(exchange, inbound, live, error, intercept::Body::None).await,
    };
    mirror::send(exchange, live, location, &outbound, &body);
    let answer = match backend {
        Backend::Page(status) => Answer::code(status),
        Backend::Upstream(upstream) => {
            let sent =
                send::forward(exchange, live, location, &upstream, &outbound, &mut body).await;
            match sent {
                Ok(answer) => answer,
                Err(error) => {
                    let body = intercept::Body::Prepared(body);
                    return failed(exchange, inbound, live, error, body).await;
                }
            }
        }
    };
    if intercept::is_wanted(exchange, answer.status(), Giver::Upstream) {
        let body = intercept::Body::Prepared(body);
        return intercept::replace(exchange, inbound, live, answer, Giver::Upstream, body).await;
    }
    Ok(answer)
}

/// An answer that the gateway makes itself and that does not wait for the request's body, or what replaces it.
async fn own(
    exchange: &mut Exchange,
    inbound: &Inbound,
    live: &LiveConfig,
    answer: Answer,
    body: Incoming,
) -> Result<Answer, ProxyError> {
    // Of itself the gateway has no page that is not found: that one is of the built-in default backend.
    let giver = match answer.status() {
        StatusCode::NOT_FOUND => Giver::Upstream,
        _ => Giver::Gateway,
    };
    if intercept::is_wanted(exchange, answer.status(), giver) {
        let body = intercept::Body::Unread(body);
        return intercept::replace(exchange, inbound, live, answer, giver, body).await;
    }
    if !answer.closes() {
        discard::discard(exchange, body);
    }
    Ok(answer)
}

/// What is answered for want of an answer of an upstream.
async fn failed(
    exchange: &mut Exchange,
    inbound: &Inbound,
    live: &LiveConfig,
    error: ProxyError,
    body: intercept::Body,
) -> Result<Answer, ProxyError> {
    if error == ProxyError::ClientGone
        || !intercept::is_wanted(exchange, error.status(), Giver::Gateway)
    {
        return Err(error);
    }
    intercept::replace(exchange, inbound, live, error.into(), Giver::Gateway, body).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Size of what a function with these arguments returns.
    fn size<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_future_of_a_request_is_small() {
        assert!(size(handle) <= 1200, "{} bytes are moved for each request", size(handle));
    }
}
