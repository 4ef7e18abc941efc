//! The life of one request, top to bottom. Each step may end it; the order is that of annotations §3.0.

mod answer;
mod exchange;
mod inbound;
mod response_body;
mod send;
mod tunnel;

use std::{convert::Infallible, rc::Rc, sync::Arc};

use headgate_config::Origin;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;

pub use self::response_body::ResponseBody;
use self::{answer::Answer, exchange::Exchange, inbound::Inbound, send::Outbound};
use crate::{
    error::ProxyError,
    filter::{self, redirect, request_headers::Client, variables::Variables},
    listen::conn::Connection,
    live::{LiveAction, LiveConfig, LiveLocation, LiveWhenEmpty, UpstreamRef},
    observe::metrics,
    route::{path::Found, rewrite::Rewritten, target::Target},
    upstream::WorkerUpstream,
    worker::Worker,
};

/// Answers one request. Whatever happens there is an answer, and it is recorded when its last byte is sent.
pub async fn handle(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
    counted: Rc<metrics::Connection>,
) -> Result<Response<ResponseBody>, Infallible> {
    let live = worker.live();
    let head = connection.pop_head();
    let mut exchange = Exchange::begin(worker, connection, counted, &request, &head, &live);
    let answer = match head.refusal {
        Some(status) => Answer::refused(status),
        None if exchange.connection.is_misdirected() => Answer::misdirected(),
        None => {
            let (inbound, body) = Inbound::split(request, head);
            match serve(&mut exchange, &inbound, body, &live).await {
                Ok(answer) => answer,
                Err(ProxyError::ClientGone) if exchange.connection.is_malformed() => {
                    Answer::from(ProxyError::BadRequest)
                }
                Err(error) => Answer::from(error),
            }
        }
    };
    Ok(answer.finish(exchange, &live))
}

/// Finds the host and the location of a request and does what they say.
async fn serve(
    exchange: &mut Box<Exchange>,
    inbound: &Inbound,
    body: Incoming,
    live: &LiveConfig,
) -> Result<Answer, ProxyError> {
    let host_name = inbound.check()?;
    let target = inbound.normalise()?;
    let Some(host) = live.hosts.find(host_name.as_bytes()) else {
        return Ok(Answer::page(StatusCode::NOT_FOUND));
    };
    exchange.set_host(host, host_name.as_bytes());
    if let Some(app_root) = host.spec.app_root.as_ref().filter(|_| *target.path() == *b"/") {
        let url =
            redirect::app_root(exchange.connection.tls, inbound.host_header(), app_root);
        return Ok(Answer::redirect(StatusCode::FOUND, url));
    }
    let location = match host.table.find(target.path()) {
        Found::Location(index) => &host.locations[index],
        Found::SlashRedirect(index) => {
            let location = &host.locations[index];
            exchange.set_location(location);
            filter::body::check_length(&body, location.spec.body_limit)?;
            return Ok(slash_redirect(exchange, location, &target, host_name.as_bytes()));
        }
        Found::Exhausted => return Err(ProxyError::MatchBudget),
        Found::Nothing => return Ok(Answer::page(StatusCode::NOT_FOUND)),
    };
    exchange.set_location(location);
    filter::body::check_length(&body, location.spec.body_limit)?;
    let (upstream, when_empty) = match &location.action {
        LiveAction::Deny => return Err(ProxyError::Denied),
        LiveAction::Health => {
            exchange.stay_silent();
            return Ok(Answer::empty(StatusCode::OK));
        }
        LiveAction::Respond(status) => return Ok(Answer::code(*status)),
        LiveAction::Forward { upstream, when_empty } => (upstream, when_empty),
    };

    let peer = Arc::clone(&exchange.connection);
    let client = inbound.client(&peer, &live.settings.spec.forwarded);
    let variables =
        variables(exchange, inbound, &client, &target, host_name.as_bytes(), &location.spec.origin);
    let mut outbound = Outbound::new(inbound, &client, location.upstream_host(&variables));
    if let Some(rewrite) = &location.rewrite {
        let query = target.query().filter(|_| rewrite.keeps_query());
        match rewrite.apply(&target, &|name| variables.value(name)) {
            Ok(Rewritten::Unchanged) => {}
            Err(_) => return Err(ProxyError::EmptyRewrite),
            Ok(Rewritten::Redirect(url)) => {
                let url = answer::with_query(url, query);
                return Ok(Answer::redirect(StatusCode::FOUND, url));
            }
            Ok(Rewritten::Path { path, prefix }) => {
                let target = answer::with_query(path, query)
                    .filter(|target| target.as_bytes().iter().all(|byte| *byte > b' '));
                outbound.rewritten = Some(target.ok_or(ProxyError::EmptyRewrite)?);
                outbound.prefix = prefix.and_then(|prefix| HeaderValue::from_bytes(&prefix).ok());
            }
        }
    }
    let decision = redirect::HttpsDecision {
        scheme: client.scheme,
        has_certificate: &|| live.tls.has_certificate(host_name.as_bytes()),
    };
    if decision.redirects(&location.spec) {
        let (host, port) = (client.best_host, exchange.worker.https_port);
        let url = redirect::https(&location.spec, host, inbound.raw_target(), port);
        return Ok(Answer::redirect(redirect::status(live.settings.spec.redirect_status), url));
    }
    let upstream = match pick_upstream(exchange, upstream, when_empty) {
        Picked::Own(upstream) => upstream,
        Picked::Fallback(upstream) => {
            outbound.fallback_for = Some(&location.spec.origin);
            upstream
        }
        Picked::Respond(status) => return Ok(Answer::code(status)),
    };
    send::forward(exchange, live, location, &upstream, outbound, body).await
}

/// 301 to the path with its slash (routing §5.3). A denied location has none.
fn slash_redirect(
    exchange: &Exchange,
    location: &LiveLocation,
    target: &Target<'_>,
    host: &[u8],
) -> Answer {
    if matches!(location.action, LiveAction::Deny) {
        return Answer::from(ProxyError::Denied);
    }
    let mut path = target.path().to_vec();
    path.push(b'/');
    let form = redirect::SlashRedirect {
        tls: exchange.connection.tls,
        host,
        port: exchange.connection.port.to_str().unwrap_or_default(),
        path: &path,
        // A lone `?` is lost.
        query: target.query().filter(|query| !query.is_empty()),
    };
    Answer::redirect(StatusCode::MOVED_PERMANENTLY, form.location(&location.spec))
}

fn variables<'a>(
    exchange: &'a Exchange,
    inbound: &'a Inbound,
    client: &'a Client<'a>,
    target: &'a Target<'_>,
    host: &'a [u8],
    origin: &'a Origin,
) -> Variables<'a> {
    Variables {
        method: &inbound.parts.method,
        headers: &inbound.parts.headers,
        host,
        best_host: client.best_host,
        scheme: client.scheme,
        client_ip: client.ip,
        target: inbound.raw_target(),
        path: target.path(),
        query: target.query().unwrap_or_default(),
        origin,
        request_id: exchange.request_id().map_or(b"", HeaderValue::as_bytes),
    }
}

/// Which upstream a request goes to.
enum Picked {
    /// The location's own.
    Own(Rc<WorkerUpstream>),
    /// The one for when the location's own has no endpoint.
    Fallback(Rc<WorkerUpstream>),
    /// None: this status is answered.
    Respond(u16),
}

fn pick_upstream(exchange: &Exchange, own: &UpstreamRef, when_empty: &LiveWhenEmpty) -> Picked {
    let upstreams = &exchange.worker.upstreams;
    let own = upstreams.view(own);
    if !own.is_empty() {
        return Picked::Own(own);
    }
    match when_empty {
        LiveWhenEmpty::Respond(status) => Picked::Respond(*status),
        LiveWhenEmpty::Fallback(fallback) => {
            let fallback = upstreams.view(fallback);
            if fallback.is_empty() { Picked::Respond(503) } else { Picked::Fallback(fallback) }
        }
    }
}
