//! What the configuration says about one request, in the order of annotations §3.0. Waits for nothing: what has to be
//! waited for (who the client is, the upstream) comes after.

use std::{
    ops::ControlFlow::{Break, Continue},
    rc::Rc,
};

use headgate_config::Origin;
use http::{HeaderValue, Method, StatusCode};
use hyper::body::Incoming;

use super::{
    answer::{self, Answer},
    choose::{Asked, Picked, pick_upstream},
    client_certificate,
    exchange::Exchange,
    inbound::Inbound,
    outbound::Outbound,
    place::{self, Place, locate},
    protect::Guarded,
    snippet,
};
use crate::{
    error::ProxyError,
    filter::{redirect, request_headers::Client, variables::Variables},
    listen::conn::Connection,
    live::{Approach, LiveAction, LiveConfig, LiveLocation},
    route::{rewrite::Rewritten, target::Target},
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
    let Place { name, target, page, host, location } =
        match snippet::in_location(exchange, inbound, body, live, place)? {
            Continue(place) => place,
            Break(answer) => return Ok(answer.into()),
        };
    if let Some(answer) = answer_here(exchange, inbound, peer, live, &location.action)? {
        return Ok(answer.into());
    }
    if let Some(answer) = preflight(exchange, inbound, page.is_some(), location) {
        return Ok(answer.into());
    }
    let client = inbound.client(peer, &live.settings.spec.forwarded);
    let variables =
        variables(exchange, inbound, &client, &target, name.as_bytes(), &location.spec.origin);
    // What annotations redirect and rewrite comes after the steps of snippets, which may be the last word.
    let state = exchange.snippet.as_deref();
    let is_stopped = state.is_some_and(|state| state.is_stopped);
    if let Some(redirect) = location.fixed_redirect.as_ref().filter(|_| !is_stopped) {
        let own = place::own(peer, name.as_bytes());
        let told = redirect.tell(&own, location.spec.redirect, |text| variables.expand(text));
        return Ok(Answer::elsewhere(redirect.status, told).into());
    }
    let (scheme, best_host) = (client.scheme, client.best_host);
    let mut outbound = Outbound::new(inbound, client, location.upstream_host(&variables));
    outbound.overrides = client_certificate::overrides(peer, host);
    if let Some(headers) = &live.settings.request_headers {
        outbound.configured = headers.expand(&variables);
    }
    if let Some(page) = page {
        outbound.ask_for_page(page);
    }
    let snippet_headers = snippet::for_upstream(exchange, inbound, live, (host, location), &target);
    if state.is_some_and(|state| state.changes_target()) {
        outbound.rewritten = Some(snippet::upstream_target(&target)?);
    }
    if !is_stopped && let Some(answer) = rewrite(&mut outbound, location, &target, &variables)? {
        return Ok(answer.into());
    }
    if let Some(transport) = &location.transport {
        let (version, rewritten) = (exchange.version(), outbound.rewritten.as_ref());
        let asked = Approach { peer, host, version, rewritten };
        outbound.over = transport.over(&asked, &variables).map(Box::new);
    }
    let decision = redirect::HttpsDecision {
        scheme,
        has_certificate: &|| live.tls.has_certificate(name.as_bytes()),
    };
    let asked = Asked {
        inbound,
        host,
        name: name.as_bytes(),
        location,
        variables: &variables,
        rewritten: outbound.rewritten.as_ref(),
        live,
    };
    let redirects = decision.redirects(&location.spec);
    let picked = (!redirects).then(|| pick_upstream(&exchange.worker.upstreams, &asked));
    if let Some(target) = &outbound.rewritten {
        exchange.rewritten(target.as_bytes());
    }
    let Some(picked) = picked else {
        let port = exchange.worker.https_port;
        let url = redirect::https(&location.spec, best_host, inbound.raw_target(), port);
        let status = redirect::status(live.settings.spec.redirect_status);
        return Ok(Answer::redirect(status, url).into());
    };
    let backend = match picked {
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
        Picked::Respond(status) => return Ok(Answer::fallback(status).into()),
    };
    exchange.snippet_headers = snippet_headers;
    let guarded = location
        .protection
        .as_ref()
        .map(|protection| Box::new(Guarded { inbound, name, target, location, protection, live }));
    Ok(Verdict::Forward { location, backend, outbound, guarded })
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

/// What a location's rewrite makes of a request: another target, or an answer.
fn rewrite(
    outbound: &mut Outbound<'_>,
    location: &LiveLocation,
    target: &Target<'_>,
    variables: &Variables<'_>,
) -> Result<Option<Answer>, ProxyError> {
    let Some(rewrite) = &location.rewrite else { return Ok(None) };
    let query = target.query().filter(|_| rewrite.keeps_query());
    match rewrite.apply(target, &|name| variables.value(name)) {
        Ok(Rewritten::Unchanged) => Ok(None),
        Err(_) => Err(ProxyError::EmptyRewrite),
        Ok(Rewritten::Redirect(url)) => {
            Ok(Some(Answer::redirect(StatusCode::FOUND, answer::with_query(url, query))))
        }
        Ok(Rewritten::Path { path, prefix }) => {
            let target = answer::with_query(path, query)
                .filter(|target| target.as_bytes().iter().all(|byte| *byte > b' '));
            outbound.rewritten = Some(target.ok_or(ProxyError::EmptyRewrite)?);
            // A prefix that no header can hold is not sent, and the client's own even less.
            let prefix = prefix.and_then(|prefix| HeaderValue::from_bytes(&prefix).ok());
            let decided = location
                .spec
                .rewrite
                .as_ref()
                .is_some_and(|rewrite| rewrite.forwarded_prefix.is_some());
            outbound.prefix =
                decided.then(|| Box::new(prefix.unwrap_or(HeaderValue::from_static(""))));
            Ok(None)
        }
    }
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
