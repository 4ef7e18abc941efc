//! Sends a request to an upstream and waits for the head of its answer, trying again where that is safe (annotations
//! §3.16).

use std::{
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use headgate_config::{Origin, ProxySettings};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
};
use hyper::{body::Incoming, client::conn::TrySendError};

use super::{
    answer::Answer,
    exchange::{Attempt, Exchange},
    inbound::Inbound,
    response_body::{Lease, Source, UpstreamBody},
    tunnel,
};
use crate::{
    deadline::Deadline,
    error::ProxyError,
    filter::{
        body::{self, Prepared},
        request_headers::{self, Client, Rules},
        response_headers,
    },
    live::{LiveConfig, LiveLocation},
    upstream::{
        RequestBody, WorkerUpstream,
        body::Progress,
        pool::{Connection, Endpoint},
    },
};

/// A request as it is sent upstream, except for its body.
pub struct Outbound<'a> {
    /// The target: the client's own, byte for byte, unless a rewrite replaced it (routing §6).
    /// `None` where the library cannot write it.
    pub uri: Option<Uri>,
    /// `X-Forwarded-Prefix` of a rewrite.
    pub prefix: Option<HeaderValue>,
    /// The location whose upstream has no endpoint, if another one stands in.
    pub fallback_for: Option<&'a Origin>,
    inbound: &'a Inbound,
    client: &'a Client<'a>,
    host: HeaderValue,
}

impl<'a> Outbound<'a> {
    /// The request of a client; `host` replaces its `Host`.
    pub fn new(inbound: &'a Inbound, client: &'a Client<'a>, host: Option<HeaderValue>) -> Self {
        let uri = &inbound.parts.uri;
        // Only path and query are sent, also of an absolute target.
        let uri = match (inbound.replaced_target(), uri.authority()) {
            (Some(target), _) => Uri::from_maybe_shared(target.clone()).ok(),
            (None, None) => Some(uri.clone()),
            (None, Some(_)) => uri.path_and_query().map(|target| Uri::from(target.clone())),
        };
        let host = host.unwrap_or_else(|| client.best_host.clone());
        Self { uri, prefix: None, fallback_for: None, inbound, client, host }
    }

    fn headers(&self, exchange: &Exchange, live: &LiveConfig, length: Option<u64>) -> HeaderMap {
        let spec = &live.settings.spec;
        let head = &self.inbound.head;
        let original_uri = (spec.original_uri_header || self.fallback_for.is_some())
            .then(|| HeaderValue::from_bytes(self.inbound.raw_target()).ok())
            .flatten();
        let mut headers = request_headers::collect(
            self.client,
            Rules {
                host: self.host.clone(),
                request_id: exchange.request_id().cloned(),
                prefix: self.prefix.clone(),
                original_uri: original_uri.filter(|_| spec.original_uri_header),
                odd_names: head.odd_names || exchange.version() == Version::HTTP_2,
                underscores: spec.underscores_in_headers,
                upgrade: self.inbound.upgrade(),
                content_length: length,
            },
        );
        if spec.upstream_keepalive == 0 && self.inbound.upgrade().is_none() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(origin) = self.fallback_for {
            explain_fallback(&mut headers, self.client.headers, origin);
        }
        headers
    }
}

/// The headers of annotations §3.19, table B.
fn explain_fallback(headers: &mut HeaderMap, client: &HeaderMap, origin: &Origin) {
    let (namespace, ingress) =
        origin.object.as_ref().map_or(("", ""), |object| (&*object.namespace, &*object.name));
    let texts = [
        ("x-code", "503"),
        ("x-namespace", namespace),
        ("x-ingress-name", ingress),
        ("x-service-name", &*origin.service),
        ("x-service-port", &*origin.port),
    ];
    for (name, text) in texts {
        if let (false, Ok(value)) = (text.is_empty(), HeaderValue::from_str(text)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(accept) = client.get(header::ACCEPT) {
        headers.insert(HeaderName::from_static("x-format"), accept.clone());
    }
}

/// Sends the request to endpoints of `upstream` until one answers.
pub async fn forward(
    exchange: &mut Box<Exchange>,
    live: &LiveConfig,
    location: &LiveLocation,
    upstream: &Rc<WorkerUpstream>,
    outbound: Outbound<'_>,
    body: Incoming,
) -> Result<Answer, ProxyError> {
    if outbound.uri.is_none() {
        return Err(ProxyError::BadRequest);
    }
    exchange.set_upstream(upstream);
    let settings = location.proxy();
    let limit = location.spec.body_limit;
    let mut body = body::prepare(
        &outbound.inbound.parts.headers,
        body,
        limit,
        settings.request_buffering,
        &exchange.worker.held_bodies,
    )
    .await?;
    exchange.body_received = body.read_length();
    let deadline = exchange.worker.deadlines.set(settings.read_timeout);
    let started = Instant::now();
    let mut tries = Tries { left: settings.retry.tries.checked_sub(1), started, settings };
    loop {
        let endpoint = upstream.pick().ok_or(ProxyError::NoEndpoint)?;
        exchange.attempts.push(Attempt::new(&endpoint));
        let headers = outbound.headers(exchange, live, body.length);
        let failure =
            match attempt(exchange, settings, &endpoint, &outbound, headers, &mut body, &deadline)
                .await
            {
                Ok((response, connection)) => {
                    let status = response.status();
                    if !(settings.retry.on.statuses.contains(&status.as_u16())
                        && tries.again(Failure::Status, outbound.method(), &mut body))
                    {
                        deadline.reset(settings.read_timeout);
                        let lease =
                            Lease { connection, endpoint, limits: live.settings.keep_alive };
                        let progress = body.progress().cloned();
                        return accept(
                            exchange,
                            settings,
                            response,
                            lease,
                            deadline,
                            outbound.inbound.take_upgrade(),
                            progress,
                        );
                    }
                    continue;
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

impl Outbound<'_> {
    fn method(&self) -> &Method {
        &self.inbound.parts.method
    }
}

/// A failed try.
#[derive(Clone, Copy)]
struct Failed {
    error: ProxyError,
    /// Nothing of the request left us.
    unsent: bool,
    /// The connection had been idle: it was dead already, and this does not count as a try.
    stale: bool,
}

enum Failure {
    Error(Failed),
    Status,
}

/// How many tries there may still be.
struct Tries<'a> {
    /// `None` after 0, which is unlimited.
    left: Option<u32>,
    started: Instant,
    settings: &'a ProxySettings,
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
            return true;
        }
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// One try with one endpoint.
async fn attempt(
    exchange: &mut Box<Exchange>,
    settings: &ProxySettings,
    endpoint: &Rc<Endpoint>,
    outbound: &Outbound<'_>,
    headers: HeaderMap,
    body: &mut Prepared,
    deadline: &Deadline,
) -> Result<(Response<Incoming>, Connection), Failed> {
    let (mut connection, reused) = match endpoint.take_idle() {
        Some(connection) => (connection, true),
        None => match endpoint.connect(settings.connect_timeout).await {
            Ok(connection) => (connection, false),
            Err(error) => return Err(Failed { error, unsent: true, stale: false }),
        },
    };
    if let Some(attempt) = exchange.attempts.last_mut() {
        attempt.connect = Some(if reused { Duration::ZERO } else { attempt.started.elapsed() });
    }
    deadline.reset(settings.read_timeout);
    let Some(sent_body) = body.take() else {
        return Err(Failed { error: ProxyError::UpstreamClosed, unsent: false, stale: false });
    };
    let mut request = Request::new(sent_body);
    *request.method_mut() = outbound.method().clone();
    *request.uri_mut() = outbound.uri.clone().unwrap_or_default();
    *request.headers_mut() = headers;
    if body.progress().is_some() {
        // The upload must go on even while the client does not ask for the answer.
        connection.detach();
    }
    let answer = connection.sender.try_send_request(request);
    let outcome = wait(answer, &mut connection, deadline, settings, body.progress()).await;
    match outcome {
        Ok(Ok(response)) => {
            if let Some(attempt) = exchange.attempts.last_mut() {
                attempt.header = Some(attempt.started.elapsed());
                attempt.status = Some(response.status().as_u16());
            }
            Ok((response, connection))
        }
        Ok(Err(mut error)) => {
            let unsent = match error.take_message() {
                Some(request) => {
                    body.restore(request.into_body());
                    true
                }
                None => false,
            };
            let error = body.failure().unwrap_or_else(|| classify(&error));
            Err(Failed { error, unsent, stale: reused && unsent })
        }
        Err(error) => Err(Failed { error, unsent: false, stale: false }),
    }
}

/// Waits for the head of an answer. While a body is on its way its progress counts, not the time.
async fn wait<F: Future>(
    answer: F,
    driver: &mut Connection,
    deadline: &Deadline,
    settings: &ProxySettings,
    progress: Option<&Rc<Progress>>,
) -> Result<F::Output, ProxyError> {
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        driver.drive(cx);
        if let Poll::Ready(outcome) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(outcome));
        }
        if let Some(progress) = progress {
            let limit =
                if progress.finished.get() { settings.read_timeout } else { settings.send_timeout };
            deadline.reset(limit.saturating_sub(progress.last.get().elapsed()));
        }
        deadline.poll_expired(cx).map(|()| Err(ProxyError::UpstreamTimeout))
    })
    .await
}

fn classify(error: &TrySendError<Request<RequestBody>>) -> ProxyError {
    let error = error.error();
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        ProxyError::InvalidAnswer
    } else {
        ProxyError::UpstreamClosed
    }
}

/// Makes an answer of what the upstream said.
fn accept(
    exchange: &mut Box<Exchange>,
    settings: &ProxySettings,
    response: Response<Incoming>,
    mut lease: Lease,
    deadline: Deadline,
    upgrade: Option<tunnel::ClientUpgrade>,
    progress: Option<Rc<Progress>>,
) -> Result<Answer, ProxyError> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for it: what follows could not be told apart from answers (RFC 9110 §7.8).
        let Some(upgrade) = upgrade else { return Err(ProxyError::InvalidAnswer) };
        lease.connection.detach();
        return tunnel::open(exchange, upgrade, response, settings.read_timeout);
    }
    let (parts, body) = response.into_parts();
    if !parts.status.is_informational() && parts.status.as_u16() >= 200 {
        let mut headers = parts.headers;
        response_headers::clean(&mut headers, false);
        let source = Source::Upstream(UpstreamBody::new(
            body,
            lease,
            settings.read_timeout,
            deadline,
            progress,
        ));
        return Ok(Answer::upstream(parts.status, headers, source));
    }
    Err(ProxyError::InvalidAnswer)
}
