//! The life of one request, top to bottom. Each step may end it; the order is that of annotations §3.0.

mod answer;
mod ask;
mod attempt;
mod choose;
mod client_certificate;
mod complaint;
mod decide;
mod discard;
mod exchange;
mod external;
mod fcgi;
mod grpc;
mod inbound;
mod intercept;
mod mirror;
mod outbound;
mod place;
mod protect;
mod response_body;
mod revise;
mod send;
mod snippet;
mod throttle;
mod token;
mod tries;
mod tunnel;
mod waiting;

use std::{rc::Rc, sync::Arc};

use http::{Request, Response, Version};
use hyper::body::Incoming;

use self::{
    answer::Answer,
    decide::{Backend, Verdict, decide},
    exchange::Exchange,
    inbound::Inbound,
    intercept::Outcome,
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
    let outcome = respond(exchange, inbound, body, live).await;
    match intercept::settle(exchange, inbound, live, outcome) {
        Ok(answer) => answer,
        Err(page) => page.await,
    }
}

/// What the location of a request makes of it.
async fn respond(
    exchange: &mut Exchange,
    inbound: &Inbound,
    body: Incoming,
    live: &LiveConfig,
) -> Outcome {
    let peer = Arc::clone(&exchange.connection);
    let (location, backend, mut outbound, guarded) =
        match decide(exchange, inbound, &peer, &body, live) {
            Ok(Verdict::Forward { location, backend, outbound, guarded }) => {
                (location, backend, outbound, guarded)
            }
            Ok(Verdict::Answer(answer)) => return Outcome::own(answer, body),
            Err(error) => return Outcome::own(error.into(), body),
        };
    if let Some(guarded) = guarded
        && let Some(answer) = protect::check(exchange, &mut outbound, guarded).await
    {
        return Outcome::own(*answer, body);
    }
    outbound.settle(exchange);
    let upstream = match backend {
        Backend::Upstream(upstream) => Some(upstream),
        Backend::Page(status) if location.mirror.is_none() => {
            return Outcome::own(Answer::fallback(status), body);
        }
        Backend::Page(_) => None,
    };
    let body = if outbound.is_for_page() {
        discard::discard(exchange, body);
        None
    } else {
        Some(body)
    };
    let mut body = match send::prepare(exchange, live, location, &outbound, body).await {
        Ok(body) => body,
        Err(error) => return Outcome::failed(error, None),
    };
    mirror::send(exchange, live, location, &outbound, &body);
    let Some(upstream) = upstream else {
        return Outcome::of_upstream(Answer::code(404), body);
    };
    match send::forward(exchange, live, location, &upstream, &outbound, &mut body).await {
        Ok(answer) => Outcome::of_upstream(answer, body),
        Err(error) => Outcome::failed(error, Some(body)),
    }
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
