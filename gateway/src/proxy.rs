//! The life of one request, top to bottom. Each step may end it; the order is that of annotations §3.0.

mod answer;
mod attempt;
mod client_certificate;
mod decide;
mod discard;
mod exchange;
mod external;
mod inbound;
mod outbound;
mod place;
mod protect;
mod response_body;
mod send;
mod snippet;
mod throttle;
mod token;
mod tries;
mod tunnel;

use std::{rc::Rc, sync::Arc};

use http::{Request, Response, Version};
use hyper::body::Incoming;

pub use self::response_body::ResponseBody;
use self::{
    answer::Answer,
    decide::{Backend, Verdict, decide},
    exchange::Exchange,
    inbound::Inbound,
};
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
        if exchange.snippet.as_ref().is_some_and(|state| state.is_dropped) {
            exchange.status = 444;
            return Err(ProxyError::ClientGone);
        }
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
            Ok(Verdict::Answer(answer)) => return Ok(without_body(exchange, answer, body)),
            Err(error) => return Ok(without_body(exchange, error.into(), body)),
        };
    if let Some(guarded) = guarded
        && let Some(answer) = protect::check(exchange, &mut outbound, guarded).await
    {
        return Ok(without_body(exchange, *answer, body));
    }
    outbound.settle();
    let body = if outbound.is_for_page() {
        discard::discard(exchange, body);
        None
    } else {
        Some(body)
    };
    match (backend, body) {
        (Backend::Upstream(upstream), body) => {
            send::forward(exchange, live, location, &upstream, &outbound, body).await
        }
        (Backend::Page(status), Some(body)) => {
            Ok(without_body(exchange, Answer::code(status), body))
        }
        (Backend::Page(status), None) => Ok(Answer::code(status)),
    }
}

/// An answer that does not wait for the request's body.
fn without_body(exchange: &mut Exchange, answer: Answer, body: Incoming) -> Answer {
    if !answer.closes() {
        discard::discard(exchange, body);
    }
    answer
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
