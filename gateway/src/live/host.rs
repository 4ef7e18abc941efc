//! Hosts and locations in the form in which requests use them.

use std::sync::Arc;

use headgate_config::{Host, HostPattern, Location, ProxySettings, Verdict, WhenEmpty};
use http::HeaderValue;

use super::{
    error_pages::LiveErrorPages,
    mirror::LiveMirror,
    protection::LiveProtection,
    snippet::{LiveHostSnippet, LiveSnippet},
    transport::LiveTransport,
};
use crate::{
    client_certificate::Policy,
    filter::{
        body::{READ_AHEAD, READ_TWICE},
        cors::Cors,
        redirect::fixed::FixedRedirect,
        response_headers::AnswerHeaders,
        variables::Variables,
    },
    observe::{
        metrics::{LocationKey, Metrics, NameKey},
        spans::LiveSpans,
    },
    route::{path::PathTable, rewrite::RewriteProgram},
    upstream::SharedUpstream,
};

/// A host with its compiled path table.
pub struct LiveHost {
    /// As configured.
    pub spec: Arc<Host>,
    /// Finds the location of a path; its indices are those of `locations`.
    pub table: PathTable,
    /// The locations in the order of the configuration.
    pub locations: Box<[Arc<LiveLocation>]>,
    /// What becomes of its clients by their certificates.
    pub(crate) client_certificates: Option<Policy>,
    /// What snippets ask for. Most hosts have none.
    pub(crate) snippet: Option<Box<LiveHostSnippet>>,
    /// The host's exact names in metrics, its own first.
    names: Box<[(Box<[u8]>, NameKey)]>,
    /// What is wrong with it.
    pub(super) findings: Box<[Verdict]>,
}

/// A location, ready to be executed.
pub struct LiveLocation {
    /// As configured.
    pub spec: Arc<Location>,
    /// What happens to its requests.
    pub action: LiveAction,
    /// How the upstream is spoken to; none is HTTP/1 in clear.
    pub transport: Option<Box<LiveTransport>>,
    /// Where all requests are sent instead.
    pub fixed_redirect: Option<Box<FixedRedirect>>,
    /// What scripts of other origins may do.
    pub cors: Option<Box<Cors>>,
    /// The compiled rewrite. In a box, like all that most locations do not have: there are many locations.
    pub rewrite: Option<Box<RewriteProgram>>,
    /// What a request has to pass. Most have nothing to.
    pub protection: Option<Box<LiveProtection>>,
    /// What snippets ask for. Most have none.
    pub(crate) snippet: Option<Box<LiveSnippet>>,
    /// What happens to headers of answers. Mostly nothing.
    pub headers: Option<Box<AnswerHeaders>>,
    /// Which answers are replaced. Most locations replace none.
    pub error_pages: Option<Box<LiveErrorPages>>,
    /// Where copies of requests go, if there are any.
    pub mirror: Option<Box<LiveMirror>>,
    /// What is said about spans of requests. Most have none.
    pub(crate) spans: Option<Box<LiveSpans>>,
    /// The location in metrics.
    pub key: LocationKey,
    /// `upstream_host` where it has no variables.
    pub(super) fixed_host: Option<Box<HeaderValue>>,
}

/// What happens to the requests of a location.
pub enum LiveAction {
    /// They are sent to an upstream.
    Forward {
        /// Where to.
        upstream: UpstreamRef,
        /// What happens while it has no endpoint.
        when_empty: LiveWhenEmpty,
    },
    /// They are answered with the stock page of this status.
    Respond(u16),
    /// They are answered with an empty 200.
    Health,
    /// They are told about connections, if they come from this machine.
    ConnectionStatus,
    /// They are answered with 503.
    Deny,
}

/// What happens while an upstream has no endpoint.
pub enum LiveWhenEmpty {
    /// The stock page of this status.
    Respond(u16),
    /// Another upstream.
    Fallback(UpstreamRef),
}

/// An upstream as a location refers to it.
pub type UpstreamRef = Arc<SharedUpstream>;

impl LiveHost {
    pub(super) fn new(
        spec: &Arc<Host>,
        table: PathTable,
        locations: Box<[Arc<LiveLocation>]>,
        client_certificates: Option<Policy>,
        snippet: Option<Box<LiveHostSnippet>>,
        findings: Box<[Verdict]>,
        metrics: &Metrics,
    ) -> Self {
        let names = std::iter::once(&spec.pattern)
            .chain(&spec.aliases)
            .filter_map(|pattern| match pattern {
                HostPattern::Exact(name) => Some((name.as_bytes().into(), metrics.name(name))),
                _ => None,
            })
            .collect();
        Self {
            spec: Arc::clone(spec),
            table,
            locations,
            client_certificates,
            snippet,
            names,
            findings,
        }
    }

    /// The name in metrics of a routing host that led here, if it is literally in the table.
    pub fn metric_name(&self, host: &[u8]) -> Option<&NameKey> {
        self.names.iter().find(|(name, _)| **name == *host).map(|(_, key)| key)
    }
}

impl LiveLocation {
    /// How its requests are sent.
    pub fn proxy(&self) -> &ProxySettings {
        &self.spec.proxy
    }

    /// Bytes up to which a request's body is read before the upstream is contacted.
    pub fn read_ahead(&self) -> usize {
        match &self.mirror {
            Some(mirror) if mirror.policy.spec.with_body => READ_TWICE,
            _ if self.spec.proxy.request_buffering => READ_AHEAD,
            _ => 0,
        }
    }

    /// `Host` for the upstream, if it is not the client's.
    pub fn upstream_host(&self, variables: &Variables<'_>) -> Option<HeaderValue> {
        let text = self.spec.upstream_host.as_ref()?;
        match &self.fixed_host {
            Some(host) => Some(HeaderValue::clone(host)),
            None => HeaderValue::from_bytes(&variables.expand(text)).ok(),
        }
    }
}

impl LiveWhenEmpty {
    /// Compiles `spec`; `find` knows the upstreams.
    pub(super) fn new(
        spec: &WhenEmpty,
        find: impl Fn(&headgate_config::UpstreamId) -> Option<UpstreamRef>,
    ) -> Self {
        match spec {
            WhenEmpty::Respond(status) => Self::Respond(*status),
            WhenEmpty::Fallback(id) => find(id).map_or(Self::Respond(503), Self::Fallback),
        }
    }
}
