//! Sends a request to an upstream and waits for the head of its answer, trying again where that is safe (annotations
//! §3.16).

use std::{rc::Rc, time::Instant};

use headgate_config::ProxySettings;
use http::StatusCode;
use hyper::body::{Body, Incoming};

use super::{
    answer::Answer,
    attempt::Attempt,
    exchange::Exchange,
    fcgi, grpc,
    outbound::Outbound,
    response_body::{Lease, Source, UpstreamBody},
    tries::{Failed, Failure, Tries},
    tunnel,
    waiting::wait,
};
use crate::{
    deadline::Deadline,
    error::ProxyError,
    filter::{
        body::{self, Prepared},
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

/// Sends the request to endpoints of `upstream` until one answers.
pub async fn forward(
    exchange: &mut Exchange,
    live: &LiveConfig,
    location: &LiveLocation,
    upstream: &Rc<WorkerUpstream>,
    outbound: &Outbound<'_>,
    body: Option<Incoming>,
) -> Result<Answer, ProxyError> {
    exchange.set_upstream(upstream);
    let over = outbound.over.as_deref();
    let settings = over.and_then(Over::settings).unwrap_or(location.proxy());
    let limit = location.spec.body_limit;
    let headers = &outbound.inbound.parts.headers;
    let (mut body, started) = match body.filter(|body| !body.is_end_stream()) {
        None => (Prepared::empty(headers), exchange.started()),
        Some(body) => {
            let needs_length = match over {
                None | Some(Over::Tls(_)) => settings.old_version,
                Some(Over::Grpc(_)) => false,
                Some(Over::FastCgi(_)) => true,
            };
            let ahead = settings.request_buffering || needs_length;
            let budget = &exchange.worker.held_bodies;
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
            body.withhold(outbound.overrides.iter().map(|header| &*header.name));
            (body, Instant::now())
        }
    };
    let deadline = exchange.worker.deadlines.set(settings.read_timeout);
    let mut tries = Tries::new(settings, started);
    loop {
        let mut endpoint = upstream.pick().ok_or(ProxyError::NoEndpoint)?;
        if let Some(over) = over {
            endpoint = over.endpoint(&endpoint)?;
        }
        let began = if exchange.attempts.is_empty() { started } else { Instant::now() };
        exchange.attempts.push(Attempt::new(&endpoint, began));
        let try_ = Try { live, settings, endpoint: &endpoint, outbound };
        let failure = match try_.run(exchange, &mut body, tries.only_new, &deadline).await {
            Ok((head, mut connection)) => {
                if settings.retry.on.statuses.contains(&head.status.as_u16())
                    && tries.again(Failure::Status, outbound.method(), &mut body)
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

impl Try<'_> {
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
            let version: &[u8] =
                if self.settings.old_version { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" };
            self.outbound.write_head(exchange, self.live, framing, version, out);
        };
        let limit = self.settings.head_limit;
        let expect = Expect::new(self.outbound.method(), response_headers::is_kept, limit);
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
