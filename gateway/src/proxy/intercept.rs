//! Answers that give way to those of an error backend, or to the redirect to where one signs in (annotations §3.7, §3.19).
//! One level only: the answer of the error backend is the last.

use std::{pin::Pin, rc::Rc, sync::Arc};

use http::StatusCode;
use hyper::body::Incoming;

use super::{
    answer::{Answer, Replaced},
    decide::variables,
    discard,
    exchange::Exchange,
    inbound::Inbound,
    outbound::Outbound,
    protect, send,
};
use crate::{
    error::ProxyError,
    filter::{body::Prepared, sign_in},
    live::{LiveConfig, LiveErrorPages, LiveLocation},
    route::path::Found,
    upstream::WorkerUpstream,
};

/// What came of a request.
pub struct Outcome {
    answer: Result<Answer, ProxyError>,
    giver: Giver,
    body: Body,
}

/// Who gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Giver {
    /// The gateway.
    Gateway,
    /// An upstream, or the page that stands for the one that there is not.
    Upstream,
}

/// The body of the request.
enum Body {
    /// Nobody has asked for it.
    Unread(Incoming),
    /// It was sent to an upstream, or ready for that.
    Prepared(Prepared),
    /// There is none any more.
    Lost,
}

impl Outcome {
    /// An answer that the gateway gives without looking at the body.
    pub fn own(answer: Answer, body: Incoming) -> Self {
        let giver = if answer.is_built_in() { Giver::Upstream } else { Giver::Gateway };
        Self { answer: Ok(answer), giver, body: Body::Unread(body) }
    }

    /// No answer, and what is left of the body.
    pub fn failed(error: ProxyError, body: Option<Prepared>) -> Self {
        let body = body.map_or(Body::Lost, Body::Prepared);
        Self { answer: Err(error), giver: Giver::Gateway, body }
    }

    /// The answer of an upstream, and what is left of the body.
    pub fn of_upstream(answer: Answer, body: Prepared) -> Self {
        Self { answer: Ok(answer), giver: Giver::Upstream, body: Body::Prepared(body) }
    }

    /// The location that says what is replaced.
    fn location<'a>(
        &self,
        exchange: &'a Exchange,
        live: &'a LiveConfig,
    ) -> Option<&'a Arc<LiveLocation>> {
        if let Some(location) = exchange.location() {
            return location.error_pages.as_ref().map(|_| location);
        }
        // What is answered before there is one: what holds for everybody holds for the default host's `/`, too.
        let is_page =
            matches!(&self.answer, Ok(answer) if answer.is_stock_page() && !answer.closes());
        let host = live.hosts.default_host().filter(|_| is_page)?;
        let Found::Location(index) = host.table.find(b"/") else { return None };
        let location = &host.locations[index];
        location.error_pages.as_ref().filter(|pages| pages.spec.for_all).map(|_| location)
    }

    /// Whether its answer is replaced.
    fn is_replaced(&self, exchange: &Exchange, live: &LiveConfig) -> bool {
        let Some(location) = self.location(exchange, live) else { return false };
        let Some(pages) = &location.error_pages else { return false };
        let status = match &self.answer {
            Ok(answer) => answer.status(),
            Err(ProxyError::ClientGone) => return false,
            Err(error) => error.status(),
        };
        pages.replace(status.as_u16(), self.giver == Giver::Upstream)
            || signs_in(location, pages, status, self.giver)
    }
}

/// An answer that has to be waited for. It is in a box: few requests come here.
type Replacement<'a> = Pin<Box<dyn Future<Output = Result<Answer, ProxyError>> + 'a>>;

/// What the client is answered, or what has to be waited for to know that.
pub fn settle<'a>(
    exchange: &'a mut Exchange,
    inbound: &'a Inbound,
    live: &'a LiveConfig,
    outcome: Outcome,
) -> Result<Result<Answer, ProxyError>, Replacement<'a>> {
    if outcome.is_replaced(exchange, live) {
        return Err(Box::pin(replace(exchange, inbound, live, outcome)));
    }
    Ok(outcome.answer.map(|answer| without_body(exchange, answer, outcome.body)))
}

/// Whether a client whom the upstream does not know is sent to sign in. Those whom the gateway does not know are already.
fn signs_in(
    location: &LiveLocation,
    pages: &LiveErrorPages,
    status: StatusCode,
    giver: Giver,
) -> bool {
    status == StatusCode::UNAUTHORIZED
        && giver == Giver::Upstream
        && pages.spec.of_upstreams
        && location.protection.as_ref().is_some_and(|held| held.spec.sign_in.is_some())
}

/// What the client gets instead of the answer.
async fn replace(
    exchange: &mut Exchange,
    inbound: &Inbound,
    live: &LiveConfig,
    outcome: Outcome,
) -> Result<Answer, ProxyError> {
    let location = outcome.location(exchange, live).map(Arc::clone);
    let Outcome { answer, giver, body } = outcome;
    let answer = answer.unwrap_or_else(Answer::from);
    let Some(location) = location else { return Ok(answer) };
    let Some(pages) = &location.error_pages else { return Ok(answer) };
    let replaced = answer.replace();
    if signs_in(&location, pages, replaced.status, giver) {
        let answer = sign_in(exchange, inbound, live, &location);
        return Ok(without_body(exchange, replaced.give_to(answer), body));
    }
    let upstreams = &exchange.worker.upstreams;
    let mut backends = pages.backends.iter().map(|shared| upstreams.view(shared));
    let Some(backend) = backends.find(|backend| !backend.is_empty()) else {
        // The built-in default backend, which has no other.
        let answer = Answer::page(StatusCode::NOT_FOUND);
        return Ok(without_body(exchange, replaced.give_to(answer), body));
    };
    let request = Request { inbound, live, location: &location, backend: &backend };
    request.page(exchange, replaced, body).await
}

/// What an error backend is asked.
struct Request<'a> {
    inbound: &'a Inbound,
    live: &'a LiveConfig,
    location: &'a LiveLocation,
    backend: &'a Rc<WorkerUpstream>,
}

impl Request<'_> {
    async fn page(
        &self,
        exchange: &mut Exchange,
        mut replaced: Replaced,
        body: Body,
    ) -> Result<Answer, ProxyError> {
        let Self { inbound, live, location, backend } = *self;
        let peer = Arc::clone(&exchange.connection);
        let client = inbound.client(&peer, &live.settings.spec.forwarded);
        let id = exchange.request_id().cloned();
        let mut outbound = Outbound::new(inbound, client, None);
        outbound.ask_for_error(replaced.status.as_u16(), &location.spec.origin, id.as_ref());
        let headers = &inbound.parts.headers;
        if let Some(protection) = &location.protection {
            outbound.overrides.extend(protect::withheld(protection, headers));
        }
        outbound.overrides.extend(exchange.span.iter().flat_map(|span| span.headers()));
        let mut body = match body {
            Body::Prepared(body) => body,
            Body::Unread(body) if !replaced.close => {
                match send::prepare(exchange, live, location, &outbound, Some(body)).await {
                    Ok(body) => body,
                    Err(ProxyError::ClientGone) => return Err(ProxyError::ClientGone),
                    // The page is worth more than a second error.
                    Err(_) => {
                        replaced.close = true;
                        Prepared::empty(headers)
                    }
                }
            }
            Body::Unread(_) | Body::Lost => Prepared::empty(headers),
        };
        body.keep_sendable(headers);
        // Of a body that nobody reads any more the end is not known.
        replaced.close |= exchange.leaves_body() && !body.was_waited_for();
        // Which endpoint of the location's own upstream it is to be says nothing about this one's.
        let choice = std::mem::take(&mut exchange.choice);
        let page = send::forward(exchange, live, location, backend, &outbound, &mut body).await;
        exchange.choice = choice;
        match page {
            Ok(answer) => Ok(replaced.give_to(answer)),
            Err(ProxyError::ClientGone) => Err(ProxyError::ClientGone),
            Err(error) => Ok(replaced.give_to(Answer::from(error))),
        }
    }
}

/// The redirect to where clients sign in.
fn sign_in(
    exchange: &Exchange,
    inbound: &Inbound,
    live: &LiveConfig,
    location: &LiveLocation,
) -> Answer {
    let spec = location.protection.as_ref().and_then(|held| held.spec.sign_in.as_ref());
    let place = inbound.check().and_then(|name| Ok((name, inbound.normalise()?)));
    let (Some(spec), Ok((name, target))) = (spec, place) else {
        return Answer::page(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let client = inbound.client(&exchange.connection, &live.settings.spec.forwarded);
    let origin = &location.spec.origin;
    let variables = variables(exchange, inbound, &client, &target, name.as_bytes(), origin);
    Answer::redirect(StatusCode::FOUND, sign_in::location(spec, &variables))
}

/// An answer that does not wait for what is left of the request's body.
fn without_body(exchange: &mut Exchange, answer: Answer, body: Body) -> Answer {
    if let Body::Unread(body) = body
        && !answer.closes()
    {
        discard::discard(exchange, body);
    }
    answer
}
