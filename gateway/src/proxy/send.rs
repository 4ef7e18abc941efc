//! Sends a request to an upstream and waits for the head of its answer, trying again where that is safe (annotations
//! §3.16).

use std::{cell::RefCell, rc::Rc, time::Instant};

use headgate_config::ProxySettings;
use http::StatusCode;
use hyper::body::{Body, Incoming};

use super::{
    answer::Answer,
    attempt::Attempt,
    choose::affinity_cookie,
    complaint,
    exchange::Exchange,
    fcgi, grpc,
    outbound::Outbound,
    response_body::{Gathered, Lease, Source, UpstreamBody},
    revise,
    tries::{Failed, Failure, Tries},
    tunnel,
    waiting::wait,
};
use crate::{
    deadline::Deadline,
    error::ProxyError,
    filter::{
        body::{self, Prepared, READ_AHEAD},
        request_headers::Framing,
        response_headers,
    },
    live::{LiveConfig, LiveLocation},
    upstream::{
        RequestBody, WorkerUpstream,
        answer::Carrier,
        body::ClientBody,
        h1::{self, Expect},
        over::Over,
        pool::Endpoint,
    },
};

/// Takes over the body of the request, as far as the location wants it to be held.
///
/// # Errors
/// Those of [`body::prepare`].
pub async fn prepare(
    exchange: &mut Exchange,
    live: &LiveConfig,
    location: &LiveLocation,
    outbound: &Outbound<'_>,
    body: Option<Incoming>,
) -> Result<Prepared, ProxyError> {
    let over = outbound.over.as_deref();
    match body.filter(|body| !body.is_end_stream()) {
        None => Ok(Prepared::empty(&outbound.inbound.parts.headers)),
        Some(body) => {
            let budget = &exchange.worker.held_bodies;
            let needs_length = match over {
                // There are no chunks in HTTP/1.0.
                None | Some(Over::Tls(_)) => location.proxy().http10,
                Some(Over::Grpc(_)) => false,
                Some(Over::FastCgi(_)) => true,
            };
            let is_unknown = needs_length && body.size_hint().exact().is_none();
            let least = if is_unknown { READ_AHEAD } else { 0 };
            let (ahead, limit) = (location.read_ahead().max(least), location.spec.body_limit);
            let patience = live.settings.listener.body_timeout;
            let deadline = exchange.worker.deadlines.set(patience);
            let received = Rc::default();
            exchange.body = Some(Rc::clone(&received));
            let body = ClientBody::new(body, deadline, patience, received);
            // In a box, so that requests without a body do not have to carry its state along.
            let mut body = match over {
                Some(Over::Grpc(_)) => Box::pin(Prepared::arriving(body, limit, budget)).await?,
                _ => Box::pin(body::prepare(body, limit, ahead, budget)).await?,
            };
            if needs_length && body.length.is_none() {
                return Err(ProxyError::LengthRequired);
            }
            body.withhold(outbound.decided().into_iter());
            Ok(body)
        }
    }
}

/// Sends the request to endpoints of `upstream` until one answers. What can be sent again is still in `body` afterwards.
///
/// # Errors
/// None has answered.
pub async fn forward(
    exchange: &mut Exchange,
    live: &LiveConfig,
    location: &LiveLocation,
    upstream: &Rc<WorkerUpstream>,
    outbound: &Outbound<'_>,
    body: &mut Prepared,
) -> Result<Answer, ProxyError> {
    exchange.set_upstream(upstream);
    let over = outbound.over.as_deref();
    let settings = over.and_then(Over::settings).unwrap_or(location.proxy());
    let is_first = exchange.attempts.is_empty() && !body.was_waited_for();
    let started = if is_first { exchange.started() } else { Instant::now() };
    let mut is_redirected = outbound.is_for_error();
    let deadline = exchange.worker.deadlines.set(settings.read_timeout);
    let mut tries = Tries::new(settings, started);
    loop {
        let tried = exchange.attempts.iter().filter(|attempt| attempt.counts());
        let tried = tried.map(|attempt| &attempt.endpoint);
        let endpoint = upstream.pick(&mut exchange.choice, tried).ok_or(ProxyError::NoEndpoint)?;
        // Its connections of the kind that is wanted; in the books it stays the one that was picked.
        let lane = over.map(|over| over.endpoint(&endpoint)).transpose()?;
        let began = if exchange.attempts.is_empty() { started } else { Instant::now() };
        let mut attempt = Attempt::new(&endpoint, began);
        attempt.after_redirect = std::mem::take(&mut is_redirected);
        exchange.attempts.push(attempt);
        let endpoint = lane.unwrap_or(endpoint);
        let try_ = Try { live, settings, endpoint: &endpoint, outbound };
        let failure = match try_.run(exchange, body, tries.only_new, &deadline).await {
            Ok((mut head, mut connection)) => {
                if settings.retry.on.statuses.contains(&head.status.as_u16())
                    && tries.again(Failure::Status, outbound.method(), body)
                {
                    if connection.take_whole().is_some()
                        && let Carrier::Http1(connection) = connection
                    {
                        endpoint.keep(connection, &live.settings.keep_alive);
                    }
                    continue;
                }
                deadline.reset(settings.read_timeout);
                let lease = Lease { connection, endpoint, limits: live.settings.keep_alive };
                let upgrade = outbound.upgrade().and_then(|_| outbound.inbound.take_upgrade());
                revise::upstream(&mut head.headers, exchange, live, location);
                let cookie = affinity_cookie(exchange, upstream, location, outbound.inbound);
                let answer = accept(exchange, settings, head, lease, deadline, upgrade)?;
                return Ok(answer.with_cookie(cookie));
            }
            Err(failure) => failure,
        };
        if let Some(attempt) = exchange.attempts.last_mut() {
            attempt.fail(&failure);
        }
        if !tries.again(Failure::Error(failure), outbound.method(), body) {
            complaint::complain(exchange, location, upstream, failure.error);
            return Err(failure.error);
        }
    }
}

/// One try with one endpoint.
pub struct Try<'a> {
    /// The configuration.
    pub live: &'a LiveConfig,
    /// How long things may take.
    pub settings: &'a ProxySettings,
    /// Who is asked.
    pub endpoint: &'a Endpoint,
    /// What is asked.
    pub outbound: &'a Outbound<'a>,
}

/// Header lines of a request; the client's were counted when they came, and the gateway has a few of its own.
const MOST_LINES: usize = 512;

thread_local! {
    /// Where heads are written that are told in another protocol.
    static HEAD: RefCell<Vec<u8>> = RefCell::default();
}

impl Try<'_> {
    /// Gives the head of the request, as an upstream of HTTP/1 would get it, to `tell`, for the protocols in which the
    /// same is told otherwise; `None` also if it cannot be told at all.
    pub fn with_head<T>(
        &self,
        exchange: &Exchange,
        framing: Framing,
        tell: impl FnOnce(httparse::Request<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        HEAD.with_borrow_mut(|out| {
            out.clear();
            self.outbound.write_head(exchange, self.live, self.settings, framing, out);
            let mut lines = vec![httparse::EMPTY_HEADER; MOST_LINES];
            let mut head = httparse::Request::new(&mut lines);
            head.parse(out).ok()?.is_complete().then_some(())?;
            tell(head)
        })
    }

    async fn run(
        &self,
        exchange: &mut Exchange,
        body: &mut Prepared,
        only_new: bool,
        deadline: &Deadline,
    ) -> Result<(h1::Head, Carrier), Failed> {
        // Rare, and large: they must not make the future of every request large.
        match self.outbound.over.as_deref() {
            None | Some(Over::Tls(_)) => {}
            Some(Over::Grpc(_)) => {
                return Box::pin(grpc::run(self, exchange, body, deadline)).await;
            }
            Some(Over::FastCgi(application)) => {
                return Box::pin(fcgi::run(self, application, exchange, body, deadline)).await;
            }
        }
        let idle = if only_new { None } else { self.endpoint.take_idle() };
        let reused = idle.is_some();
        let mut connection = match idle {
            Some(connection) => connection,
            // Rare, and large: it must not make the future of every request large.
            None => match Box::pin(self.endpoint.connect(self.settings.connect_timeout)).await {
                Ok(connection) => connection,
                Err(error) => return Err(Failed { error, unsent: true, stale: false }),
            },
        };
        if let Some(attempt) = exchange.attempts.last_mut() {
            attempt.connected(reused);
        }
        deadline.reset(self.settings.read_timeout);
        let closed = ProxyError::UpstreamClosed;
        let Some(content) = body.take() else {
            return Err(Failed { error: closed, unsent: false, stale: false });
        };
        let framing = match (body.length, &content) {
            (Some(length), _) => Framing::Length(length),
            (None, RequestBody::Streamed(_)) => Framing::Chunked,
            (None, _) => Framing::None,
        };
        let write_head = |out: &mut Vec<u8>| {
            self.outbound.write_head(exchange, self.live, self.settings, framing, out);
        };
        let limit = self.settings.head_limit;
        let expect = Expect::new(self.outbound.method(), self.live.settings.headers.keep, limit);
        if let Err(content) = connection.send(write_head, content, body.length, expect) {
            body.restore(content);
            return Err(Failed { error: closed, unsent: true, stale: reused });
        }
        match wait(&mut **connection, deadline, self.settings, body.progress()).await {
            Ok(head) => {
                if let Some(attempt) = exchange.attempts.last_mut() {
                    attempt.answered(head.status);
                }
                Ok((head, Carrier::Http1(connection)))
            }
            Err(error) => {
                let stale = reused && error == closed && !connection.has_answered();
                Err(Failed { error, unsent: !connection.has_sent(), stale })
            }
        }
    }
}

/// Makes an answer of what the upstream said.
fn accept(
    exchange: &mut Exchange,
    settings: &ProxySettings,
    head: h1::Head,
    mut lease: Lease,
    deadline: Deadline,
    upgrade: Option<tunnel::ClientUpgrade>,
) -> Result<Answer, ProxyError> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for it: what follows could not be told apart from answers (RFC 9110 §7.8).
        let upgrade = upgrade.ok_or(ProxyError::InvalidAnswer)?;
        let Carrier::Http1(connection) = lease.connection else {
            return Err(ProxyError::InvalidAnswer);
        };
        return tunnel::open(upgrade, head, connection, settings.read_timeout);
    }
    exchange.is_answered = true;
    let buffering = head.buffering.unwrap_or(settings.buffering);
    let h1::Head { status, mut headers, connection, .. } = head;
    for nominated in &connection {
        response_headers::drop_nominated(nominated, &mut headers, status);
    }
    let source = match lease.connection.take_whole() {
        Some(data) => {
            lease.release();
            if let Some(attempt) = exchange.attempts.last_mut() {
                attempt.response = attempt.header;
                attempt.length = data.len() as u64;
            }
            if data.is_empty() { Source::Empty } else { Source::Full(Some(data)) }
        }
        None => {
            let body = Box::new(UpstreamBody::new(lease, settings.read_timeout, deadline));
            match buffering {
                true => Source::Gathered(Box::new(Gathered::new(body, settings.head_limit))),
                false => Source::Upstream(body),
            }
        }
    };
    Ok(Answer::upstream(status, headers, source))
}
