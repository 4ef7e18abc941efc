//! What a finished exchange tells the metrics and the access log.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use http::{HeaderValue, header};
use smallvec::SmallVec;

use super::Exchange;
use crate::{
    observe::{
        access_log,
        metrics::{RequestRecord, UpstreamTimes},
    },
    upstream::{WorkerUpstream, balance::Choice},
};

/// The status in the log of a request whose client left before there was one.
const CLIENT_LEFT: u16 = 499;

/// The name of an upstream in the log.
fn upstream_name(upstream: Option<&Rc<WorkerUpstream>>) -> &str {
    upstream.map_or("", |upstream| upstream.name())
}

impl Exchange {
    fn record(&self, elapsed: Duration) {
        let Some(location) = &self.location else { return };
        let upstream = match self.attempts.as_slice() {
            [one] => Some(UpstreamTimes {
                connect: one.connect,
                header: one.header,
                response: one.response,
            }),
            _ => None,
        };
        self.worker.metrics.record(&RequestRecord {
            location: &location.key,
            host: self.host.as_ref(),
            canary: self.alternative.as_ref().map(|alternative| &alternative.key),
            method: self.method(),
            status: self.status,
            request_time: elapsed,
            request_length: self.received(),
            bytes_sent: self.head_sent + self.body_sent,
            upstream,
        });
    }

    fn log(&self, elapsed: Duration) {
        let attempts: SmallVec<[access_log::Attempt<'_>; 1]> = self
            .attempts
            .iter()
            .map(|attempt| access_log::Attempt {
                addr: &attempt.endpoint.text,
                status: attempt.status,
                connect_time: attempt.connect,
                header_time: attempt.header,
                response_time: attempt.response,
                response_length: attempt.length,
                after_redirect: attempt.after_redirect,
            })
            .collect();
        let alternative = self.alternative.as_ref().map(|alternative| &alternative.upstream);
        let connection = &*self.connection;
        let scheme = if connection.tls { "https" } else { "http" };
        let peer = connection.peer_ip.to_str().unwrap_or("-");
        let forwarded = self.inbound.forwarded_address();
        let details = self.details.as_deref();
        let record = access_log::AccessRecord {
            remote_addr: forwarded.unwrap_or(peer),
            // Of a client behind a proxy it is not known.
            remote_port: if forwarded.is_some() { 0 } else { connection.peer.port() },
            peer_addr: forwarded.map(|_| peer),
            method: self.method().as_str(),
            target: self.inbound.raw_target(),
            version: self.version(),
            scheme,
            path: details.map_or(b"", |details| &details.path),
            server_name: details.map_or("", |details| &details.server_name),
            access_scheme: details.map_or(scheme.as_bytes(), |details| &details.scheme),
            access_port: details.map_or(connection.port.as_bytes(), |details| &details.port),
            server: Some(connection.local),
            host: &self.host_name,
            status: self.status,
            body_bytes_sent: self.body_sent,
            bytes_sent: self.head_sent + self.body_sent,
            referer: self.header(&header::REFERER),
            user_agent: self.header(&header::USER_AGENT),
            authorization: self.header(&header::AUTHORIZATION),
            captured: &self.captured,
            request_length: self.received(),
            request_time: elapsed,
            connection: connection.number,
            connection_requests: connection.requests(),
            upstream_name: upstream_name(self.upstream.as_ref()),
            alternative_upstream_name: upstream_name(alternative),
            attempts: &attempts,
            request_id: self.request_id.as_ref().map_or(b"", HeaderValue::as_bytes),
            span: self.span.as_deref(),
            origin: self.location.as_ref().map(|location| &*location.spec.origin),
            tls: connection.session().map(|session| access_log::TlsInfo {
                protocol: session.protocol,
                cipher: session.cipher,
                server_name: session.server_name.as_deref(),
                client_subject: session.client.as_ref().map_or("", |client| client.subject()),
                client_issuer: session.client.as_ref().map_or("", |client| client.issuer()),
                client_verify: connection.client_verify(),
            }),
            ..access_log::AccessRecord::default()
        };
        self.worker.log.write(&self.live.settings().log_format, &record);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.status == 0 {
            self.status = CLIENT_LEFT;
        }
        let now = Instant::now();
        let elapsed = now.duration_since(self.started);
        if let Some(last) = self.attempts.last_mut()
            && last.response.is_none()
        {
            last.response = Some(now.duration_since(last.started));
        }
        if matches!(self.choice, Choice::Fastest) {
            self.attempts.iter().for_each(|attempt| attempt.teach(now));
        }
        self.record(elapsed);
        // Of several locations that a rewrite has led through, the last one decides.
        if self.logged && self.location().is_none_or(|location| location.spec.access_log) {
            self.log(elapsed);
        }
        if let Some(span) = &self.span {
            self.finish_span(span, elapsed);
        }
        self.connection.request_ended();
        self.counted.request_finished();
    }
}
