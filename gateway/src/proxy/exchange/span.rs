//! The span of a request: begun where its location is known, recorded with the end of the answer (annotations §3.21).

use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};

use headgate_config::Origin;
use http::header;

use super::{super::decide::variables, Exchange};
use crate::{
    live::LiveLocation,
    observe::spans::{LiveSpans, Parent, Record, Span},
};

impl Exchange {
    /// Begins the span of a request whose location has spans. A request that is led on to another location keeps its span,
    /// which gets that one's name.
    pub(super) fn begin_span(&mut self, location: &LiveLocation, rules: &LiveSpans) {
        let mut span = self.span.take().unwrap_or_else(|| {
            let client = &self.inbound.parts.headers;
            let parent = rules.trusts_client.then(|| Parent::of(client)).flatten();
            let settings = &self.live.settings().spec.spans;
            Box::new(Span::new(parent, settings, self.worker.random_numbers()))
        });
        let is_named = span.is_sampled && rules.names_differ();
        span.name = is_named.then(|| self.span_name(rules, &location.spec.origin)).flatten();
        self.span = Some(span);
    }

    fn span_name(&self, rules: &LiveSpans, origin: &Origin) -> Option<Box<[u8]>> {
        let inbound = Rc::clone(&self.inbound);
        let target = inbound.normalise().ok()?;
        let client = inbound.client(&self.connection, &self.live.settings().spec.forwarded);
        rules.name(&variables(self, &inbound, &client, &target, &self.host_name, origin))
    }

    /// Records the span, if that is wanted.
    pub(super) fn finish_span(&self, span: &Span, elapsed: Duration) {
        let Some(location) = self.location() else { return };
        let Some(rules) = &location.spans else { return };
        if !span.is_sampled || !self.worker.spans.are_wanted() {
            return;
        }
        let (connection, inbound) = (&*self.connection, &*self.inbound);
        let peer = connection.peer_ip.to_str().unwrap_or_default();
        let host = match inbound.host_header() {
            b"" => &*self.host_name,
            host => host,
        };
        self.worker.spans.record(&Record {
            span,
            name: span.name.as_deref().unwrap_or(rules.fixed_name().as_bytes()),
            end: SystemTime::now(),
            elapsed,
            status: self.status,
            method: self.method().as_str(),
            version: self.version(),
            target: inbound.raw_target(),
            route: &rules.route,
            scheme: if connection.tls { "https" } else { "http" },
            host,
            server_address: &self.host_name,
            server_name: &rules.server_name,
            server_port: connection.local.port(),
            client_address: inbound.forwarded_address().unwrap_or(peer),
            peer_address: peer,
            peer_port: connection.peer.port(),
            user_agent: self.header(&header::USER_AGENT),
        });
    }
}
