//! What the configuration says about one request, in the order of annotations §3.0. Waits for nothing: what has to be
//! waited for (who the client is, the upstream) comes after.

mod case;

use std::{
    ops::ControlFlow::{self, Break, Continue},
    rc::Rc,
};

use headgate_config::Origin;
use http::{HeaderValue, Method, StatusCode};
use hyper::body::Incoming;

use self::case::Case;
use super::{
    answer::Answer,
    choose::Picked,
    exchange::Exchange,
    inbound::Inbound,
    outbound::Outbound,
    place::{Place, locate},
    protect::Guarded,
    snippet,
};
use crate::{
    error::ProxyError,
    filter::{redirect, request_headers::Client, variables::Variables},
    listen::conn::Connection,
    live::{LiveAction, LiveConfig, LiveLocation},
    route::target::Target,
    upstream::WorkerUpstream,
};

/// What is done with a request.
pub enum Verdict<'a> {
    /// It is answered here.
    Answer(Answer),
    /// A backend answers it.
    Forward {
        location: &'a LiveLocation,
        backend: Backend,
        outbound: Outbound<'a>,
        /// What it has to pass first, if anything.
        guarded: Option<Box<Guarded<'a>>>,
    },
}

/// Who answers a request that may pass.
pub enum Backend {
    /// An upstream.
    Upstream(Rc<WorkerUpstream>),
    /// The gateway itself, in place of a default backend: with the stock page of this status.
    Page(u16),
}

impl From<Answer> for Verdict<'_> {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// Finds out what the configuration says about a request. Waits for nothing.
///
/// # Errors
/// What the client is told in place of an answer: that the location is denied, or its rewrite leaves nothing.
pub fn decide<'a>(
    exchange: &mut Exchange,
    inbound: &'a Inbound,
    peer: &'a Connection,
    body: &Incoming,
    live: &'a LiveConfig,
) -> Result<Verdict<'a>, ProxyError> {
    let place = match locate(exchange, inbound, peer, body, live)? {
        Continue(place) => place,
        Break(answer) => return Ok(answer.into()),
    };
    let place = match snippet::in_location(exchange, inbound, body, live, place)? {
        Continue(place) => place,
        Break(answer) => return Ok(answer.into()),
    };
    let location = place.location;
    if let Some(answer) = answer_here(exchange, inbound, peer, live, &location.action)? {
        return Ok(answer.into());
    }
    if let Some(answer) = preflight(exchange, inbound, place.page.is_some(), location) {
        return Ok(answer.into());
    }
    let client = inbound.client(peer, &live.settings.spec.forwarded);
    let (name, origin) = (place.name.as_bytes(), &location.spec.origin);
    let variables = variables(exchange, inbound, &client, &place.target, name, origin);
    let case = Case { exchange, inbound, peer, live, place: &place, variables: &variables };
    if let Some(answer) = case.fixed_redirect() {
        return Ok(answer.into());
    }
    let (scheme, best_host) = (client.scheme, client.best_host);
    let mut outbound = Outbound::new(inbound, client, location.upstream_host(&variables));
    if let Some(answer) = case.prepare(&mut outbound)? {
        return Ok(answer.into());
    }
    let snippet_headers =
        snippet::for_upstream(exchange, inbound, live, (place.host, location), &place.target);
    let picked = case.pick(scheme, outbound.rewritten.as_ref());
    if let Some(target) = &outbound.rewritten {
        exchange.rewritten(target.as_bytes());
    }
    let Some(picked) = picked else {
        let port = exchange.worker.https_port;
        let url = redirect::https(&location.spec, best_host, inbound.raw_target(), port);
        let status = redirect::status(live.settings.spec.redirect_status);
        return Ok(Answer::redirect(status, url).into());
    };
    let backend = match backend(exchange, &mut outbound, location, picked) {
        Continue(backend) => backend,
        Break(status) => return Ok(Answer::fallback(status).into()),
    };
    exchange.snippet_headers = snippet_headers;
    let guarded = location.protection.as_ref().map(|protection| {
        let Place { name, target, .. } = place;
        Box::new(Guarded { inbound, name, target, location, protection, live })
    });
    Ok(Verdict::Forward { location, backend, outbound, guarded })
}

/// Who answers, if the request may pass; or else the status of the page for that there is nobody.
fn backend<'a>(
    exchange: &mut Exchange,
    outbound: &mut Outbound<'a>,
    location: &'a LiveLocation,
    picked: Picked,
) -> ControlFlow<u16, Backend> {
    Continue(match picked {
        Picked::Own(upstream) => Backend::Upstream(upstream),
        Picked::Chosen(chosen) => Backend::Upstream(exchange.adopt(chosen)),
        Picked::Fallback(upstream) => {
            outbound.explain_fallback(&location.spec.origin);
            Backend::Upstream(upstream)
        }
        // Where there is no upstream at all, the page stands for one, and is as protected (annotations §1.11).
        Picked::Respond(status)
            if (matches!(location.action, LiveAction::Respond(_))
                && location.protection.is_some())
                || (status == 404 && location.mirror.is_some()) =>
        {
            Backend::Page(status)
        }
        Picked::Respond(status) => return Break(status),
    })
}

/// What the gateway answers by itself, whatever else the configuration says.
fn answer_here(
    exchange: &mut Exchange,
    inbound: &Inbound,
    peer: &Connection,
    live: &LiveConfig,
    action: &LiveAction,
) -> Result<Option<Answer>, ProxyError> {
    Ok(match action {
        LiveAction::Deny => return Err(ProxyError::Denied),
        LiveAction::Health => {
            exchange.stay_silent();
            Some(Answer::empty(StatusCode::OK))
        }
        LiveAction::ConnectionStatus => {
            exchange.stay_silent();
            let readers = &live.settings.status_readers;
            Some(if readers.contains(inbound.client_address(peer)) {
                Answer::text(exchange.worker.metrics.connections().to_string())
            } else {
                Answer::page(StatusCode::FORBIDDEN)
            })
        }
        // Redirects come before these (routing §2.2).
        LiveAction::Respond(_) | LiveAction::Forward { .. } => None,
    })
}

/// What scripts of other origins are told (annotations §3.10): the answer to a browser that asks what they may do, which
/// is for everybody; all other answers carry it, whatever comes of the request.
pub fn preflight(
    exchange: &mut Exchange,
    inbound: &Inbound,
    is_for_page: bool,
    location: &LiveLocation,
) -> Option<Answer> {
    // What a location has granted that the request was led away from does not hold here.
    exchange.allowed_origin = None;
    let cors = location.cors.as_ref()?;
    exchange.allowed_origin = Some(cors.admits(&inbound.parts.headers)?);
    let asks = !is_for_page && inbound.parts.method == Method::OPTIONS;
    asks.then(|| Answer::empty(StatusCode::NO_CONTENT))
}

/// What annotations may name of a request.
pub fn variables<'a>(
    exchange: &'a Exchange,
    inbound: &'a Inbound,
    client: &Client<'a>,
    target: &'a Target<'_>,
    host: &'a [u8],
    origin: &'a Origin,
) -> Variables<'a> {
    Variables {
        method: &inbound.parts.method,
        headers: &inbound.parts.headers,
        underscores: exchange.takes_underscores(),
        host,
        http_host: inbound.host_header(),
        best_host: client.best_host,
        scheme: client.scheme,
        listener_scheme: exchange.connection.scheme(),
        listener_port: exchange.connection.port.as_bytes(),
        client_ip: client.ip,
        target: inbound.raw_target(),
        path: target.path(),
        query: target.query().unwrap_or_default(),
        origin,
        request_id: exchange.request_id().map_or(b"", HeaderValue::as_bytes),
        connection: Some(&exchange.connection),
        span: exchange.span.as_deref(),
    }
}
