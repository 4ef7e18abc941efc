//! Sends a request to an upstream and waits for the head of its answer, trying again where that is safe (annotations
//! §3.16).

use std::{
    borrow::Cow,
    future::poll_fn,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use headgate_config::{Origin, ProxySettings};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use hyper::body::{Body, Incoming};

use super::{
    answer::Answer,
    attempt::Attempt,
    exchange::Exchange,
    inbound::Inbound,
    response_body::{Lease, Source, UpstreamBody},
    tunnel,
};
use crate::{
    deadline::Deadline,
    error::ProxyError,
    filter::{
        body::{self, Prepared},
        request_headers::{self, Client, Framing, Rules},
        response_headers,
    },
    live::{LiveConfig, LiveLocation},
    upstream::{
        RequestBody, WorkerUpstream,
        body::{ClientBody, Progress, Stage},
        h1::{self, Expect},
        pool::{Endpoint, Pooled},
    },
};

/// A request as it is sent upstream, except for its body.
pub struct Outbound<'a> {
    /// The target of a rewrite; otherwise the client's own is sent, byte for byte (routing §6).
    pub rewritten: Option<HeaderValue>,
    /// `X-Forwarded-Prefix` of a rewrite.
    pub prefix: Option<HeaderValue>,
    /// The location whose upstream has no endpoint, if another one stands in.
    pub fallback_for: Option<&'a Origin>,
    inbound: &'a Inbound,
    client: Client<'a>,
    host: Option<HeaderValue>,
}

impl<'a> Outbound<'a> {
    /// The request of a client; `host` replaces its `Host`.
    pub fn new(inbound: &'a Inbound, client: Client<'a>, host: Option<HeaderValue>) -> Self {
        Self { rewritten: None, prefix: None, fallback_for: None, inbound, client, host }
    }

    fn method(&self) -> &'a Method {
        &self.inbound.parts.method
    }

    /// Only path and query are sent, also of an absolute target.
    fn target(&self) -> &[u8] {
        self.rewritten.as_ref().map_or(self.inbound.raw_target(), HeaderValue::as_bytes)
    }

    fn write_head(
        &self,
        exchange: &Exchange,
        live: &LiveConfig,
        framing: Framing,
        out: &mut Vec<u8>,
    ) {
        for part in
            [self.method().as_str().as_bytes(), b" ", self.target(), b" HTTP/1.1\r\n".as_slice()]
        {
            out.extend_from_slice(part);
        }
        let spec = &live.settings.spec;
        let target = self.inbound.raw_target();
        let explanation =
            self.fallback_for.map(|origin| explain_fallback(origin, self.client.headers));
        let rules = Rules {
            host: self.host.as_ref().map_or(self.client.best_host, HeaderValue::as_bytes),
            request_id: exchange.request_id().map(HeaderValue::as_bytes),
            prefix: self.prefix.as_ref().map(HeaderValue::as_bytes),
            original_uri: (spec.original_uri_header && request_headers::is_value(target))
                .then_some(target),
            odd_names: self.inbound.head.odd_names || exchange.version() == Version::HTTP_2,
            underscores: spec.underscores_in_headers,
            upgrade: self.inbound.upgrade(),
            close: spec.upstream_keepalive == 0,
            framing,
            extra: explanation.as_deref().unwrap_or_default(),
            head: &self.inbound.head.text,
        };
        request_headers::write(&self.client, &rules, out);
    }
}

/// The headers of annotations §3.19, table B.
fn explain_fallback<'a>(
    origin: &'a Origin,
    client: &'a HeaderMap,
) -> Vec<(&'static str, Cow<'a, [u8]>)> {
    let (namespace, ingress) =
        origin.object.as_ref().map_or(("", ""), |object| (&*object.namespace, &*object.name));
    let mut headers: Vec<(&'static str, &'a [u8])> = vec![
        ("X-Code", b"503"),
        ("X-Namespace", namespace.as_bytes()),
        ("X-Ingress-Name", ingress.as_bytes()),
        ("X-Service-Name", origin.service.as_bytes()),
        ("X-Service-Port", origin.port.as_bytes()),
    ];
    headers.retain(|(_, text)| !text.is_empty() && request_headers::is_value(text));
    headers.extend(client.get(header::ACCEPT).map(|accept| ("X-Format", accept.as_bytes())));
    headers.into_iter().map(|(name, text)| (name, Cow::Borrowed(text))).collect()
}

/// Sends the request to endpoints of `upstream` until one answers.
pub async fn forward(
    exchange: &mut Exchange,
    live: &LiveConfig,
    location: &LiveLocation,
    upstream: &Rc<WorkerUpstream>,
    outbound: &Outbound<'_>,
    body: Incoming,
) -> Result<Answer, ProxyError> {
    exchange.set_upstream(upstream);
    let settings = location.proxy();
    let limit = location.spec.body_limit;
    let headers = &outbound.inbound.parts.headers;
    let (mut body, started) = if body.is_end_stream() {
        (Prepared::empty(headers), exchange.started())
    } else {
        let (ahead, budget) = (settings.request_buffering, &exchange.worker.held_bodies);
        let patience = live.settings.listener.body_timeout;
        let deadline = exchange.worker.deadlines.set(patience);
        let received = Rc::default();
        exchange.body = Some(Rc::clone(&received));
        let body = ClientBody::new(body, deadline, patience, received);
        // In a box, so that requests without a body do not have to carry its state along.
        let body = Box::pin(body::prepare(body, limit, ahead, budget)).await?;
        (body, Instant::now())
    };
    let deadline = exchange.worker.deadlines.set(settings.read_timeout);
    let mut tries = Tries { left: tries_after_first(settings), started, settings, only_new: false };
    loop {
        let endpoint = upstream.pick().ok_or(ProxyError::NoEndpoint)?;
        let began = if exchange.attempts.is_empty() { started } else { Instant::now() };
        exchange.attempts.push(Attempt::new(&endpoint, began));
        let try_ = Try { live, settings, endpoint: &endpoint, outbound };
        let failure = match try_.run(exchange, &mut body, tries.only_new, &deadline).await {
            Ok((head, mut connection)) => {
                if settings.retry.on.statuses.contains(&head.status.as_u16())
                    && tries.again(Failure::Status, outbound.method(), &mut body)
                {
                    if connection.take_whole().is_some() {
                        endpoint.keep(connection, &live.settings.keep_alive);
                    }
                    continue;
                }
                deadline.reset(settings.read_timeout);
                let lease = Lease { connection, endpoint, limits: live.settings.keep_alive };
                let upgrade = outbound.inbound.take_upgrade();
                return accept(exchange, settings, head, lease, deadline, upgrade);
            }
            Err(failure) => failure,
        };
        if let Some(attempt) = exchange.attempts.last_mut() {
            attempt.fail(failure.error);
        }
        if !tries.again(Failure::Error(failure), outbound.method(), &mut body) {
            return Err(failure.error);
        }
    }
}

/// A failed try.
#[derive(Clone, Copy)]
struct Failed {
    error: ProxyError,
    /// Nothing of the request left us.
    unsent: bool,
    /// The connection had been idle and was closed before any answer: this does not count as a try.
    stale: bool,
}

enum Failure {
    Error(Failed),
    Status,
}

/// Tries of one request at most, whatever is configured: "unlimited" must not keep a worker busy for ever.
const MAX_TRIES: u32 = 16;

/// How often a request may be tried again.
fn tries_after_first(settings: &ProxySettings) -> u32 {
    match settings.retry.tries {
        0 => MAX_TRIES - 1,
        tries => tries.min(MAX_TRIES) - 1,
    }
}

/// How many tries there may still be.
struct Tries<'a> {
    left: u32,
    started: Instant,
    settings: &'a ProxySettings,
    /// Idle connections have proved to be dead: no other one is used.
    only_new: bool,
}

impl Tries<'_> {
    /// Whether another try is allowed and safe; if so it is counted.
    fn again(&mut self, failure: Failure, method: &Method, body: &mut Prepared) -> bool {
        let retry = &self.settings.retry;
        let (wanted, unsent, free) = match failure {
            Failure::Error(failed) => {
                (failed.error.retryable(&retry.on), failed.unsent, failed.stale)
            }
            Failure::Status => (true, false, false),
        };
        // A dead idle connection that handed the request back says nothing about the endpoint.
        if !(wanted || (free && unsent)) || !body.can_resend() {
            return false;
        }
        let idempotent = !matches!(method.as_str(), "POST" | "LOCK" | "PATCH");
        if !(idempotent || unsent || retry.on.non_idempotent) {
            return false;
        }
        if !retry.budget.is_zero() && self.started.elapsed() >= retry.budget {
            return false;
        }
        if free {
            self.only_new = true;
            return true;
        }
        match self.left.checked_sub(1) {
            None => false,
            Some(left) => {
                self.left = left;
                true
            }
        }
    }
}

/// One try with one endpoint.
struct Try<'a> {
    live: &'a LiveConfig,
    settings: &'a ProxySettings,
    endpoint: &'a Endpoint,
    outbound: &'a Outbound<'a>,
}

impl Try<'_> {
    async fn run(
        &self,
        exchange: &mut Exchange,
        body: &mut Prepared,
        only_new: bool,
        deadline: &Deadline,
    ) -> Result<(h1::Head, Box<Pooled>), Failed> {
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
            attempt.connect = Some(if reused { Duration::ZERO } else { attempt.started.elapsed() });
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
            self.outbound.write_head(exchange, self.live, framing, out);
        };
        let limit = self.settings.head_limit;
        let expect = Expect::new(self.outbound.method(), response_headers::is_kept, limit);
        if let Err(content) = connection.send(write_head, content, body.length, expect) {
            body.restore(content);
            return Err(Failed { error: closed, unsent: true, stale: reused });
        }
        match wait(&mut connection, deadline, self.settings, body.progress()).await {
            Ok(head) => {
                if let Some(attempt) = exchange.attempts.last_mut() {
                    attempt.header = Some(attempt.started.elapsed());
                    attempt.status = Some(head.status.as_u16());
                }
                Ok((head, connection))
            }
            Err(error) => {
                let stale = reused && error == closed && !connection.has_answered();
                Err(Failed { error, unsent: !connection.has_sent(), stale })
            }
        }
    }
}

/// Waits for the head of an answer. While a body is on its way the upstream's part in its progress counts, not the time.
async fn wait(
    connection: &mut Pooled,
    deadline: &Deadline,
    settings: &ProxySettings,
    progress: Option<&Rc<Progress>>,
) -> Result<h1::Head, ProxyError> {
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = connection.poll_head(cx) {
            return Poll::Ready(outcome);
        }
        if let Some(progress) = progress {
            let (limit, passed) = match progress.stage() {
                // The client's turn, which nobody says the end of: looks again later.
                Stage::Reading => (settings.send_timeout, None),
                Stage::Ended => (settings.read_timeout, Some(progress.since().elapsed())),
                _ => (settings.send_timeout, Some(progress.since().elapsed())),
            };
            // Not left to the deadline: that is never over at the moment in which it is set.
            if passed.is_some_and(|passed| passed >= limit) {
                return Poll::Ready(Err(ProxyError::UpstreamTimeout));
            }
            let passed = passed.unwrap_or_default();
            deadline.reset(limit.saturating_sub(passed));
        }
        deadline.poll_expired(cx).map(|()| Err(ProxyError::UpstreamTimeout))
    })
    .await
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
        return tunnel::open(upgrade, head, lease.connection, settings.read_timeout);
    }
    let h1::Head { status, mut headers, connection } = head;
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
            Source::Upstream(Box::new(UpstreamBody::new(lease, settings.read_timeout, deadline)))
        }
    };
    Ok(Answer::upstream(status, headers, source))
}
