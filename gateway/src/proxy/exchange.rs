//! What is remembered of a request until its last byte was sent: the material of the access log and the metrics.

mod record;
mod span;

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_config::protection::Throttle;
use http::{HeaderName, HeaderValue, Method, Version, header, request::Parts};
use smallvec::SmallVec;

use super::{attempt::Attempt, choose::Chosen, inbound::Inbound};
use crate::{
    filter::{
        cors::Cors,
        external::answer::Cookies,
        request_headers::{Client, Override},
        snippet::State,
    },
    limits::Permit,
    listen::conn::Connection,
    live::{LiveHost, LiveLocation, LiveSettings},
    observe::{
        access_log,
        metrics::{self, NameKey},
        spans::Span,
    },
    page,
    route::target::Target,
    upstream::{WorkerUpstream, balance::Choice, body::Received},
    worker::{HeldConfig, Worker},
};

/// One request and its answer. Recorded when it is dropped.
pub struct Exchange {
    /// The worker that serves it.
    pub worker: Rc<Worker>,
    /// The connection that it came on.
    pub connection: Arc<Connection>,
    /// Status of the answer.
    pub status: u16,
    /// Bytes of the answer's head, about.
    pub head_sent: u64,
    /// Bytes of the answer's body.
    pub body_sent: u64,
    /// What came of the request's body, if it has one.
    pub body: Option<Rc<Received>>,
    /// Cookies that a service which was asked gives to the client.
    pub cookies: Option<Box<Cookies>>,
    /// Whose scripts may do what the location says about those of other origins, if it says so to this request.
    pub allowed_origin: Option<HeaderValue>,
    /// The tries, in order.
    pub attempts: SmallVec<[Attempt; 1]>,
    /// What steps of snippets have left behind.
    pub snippet: Option<Box<State>>,
    /// Headers for the upstream that snippets decide about, where nobody else does.
    pub snippet_headers: Vec<Override<'static>>,
    /// The host, if it has snippets: answers without a location are theirs.
    pub snippet_host: Option<Arc<LiveHost>>,
    /// Whether an upstream has answered.
    pub is_answered: bool,
    /// How the endpoint for the next try is found.
    pub choice: Choice,
    /// What it is sent to another upstream in place of, if it is.
    pub alternative: Option<Alternative>,
    /// It counts as one of its client's requests on their way, where they are limited.
    pub permit: Option<Permit>,
    /// Its place in a trace, where the location has spans.
    pub span: Option<Box<Span>>,
    started: Instant,
    logged: bool,
    counted: Rc<metrics::Connection>,
    live: Held,
    inbound: Rc<Inbound>,
    keep_alive: bool,
    head_received: u64,
    request_id: Option<HeaderValue>,
    captured: access_log::Captured,
    host: Option<NameKey>,
    host_name: SmallVec<[u8; 48]>,
    location: Option<Arc<LiveLocation>>,
    /// The host has turned the request away, and the location was only where it would have led.
    turned_away: bool,
    upstream: Option<Rc<WorkerUpstream>>,
    details: Option<Box<Details>>,
}

/// That a request is the share of another upstream than the location's own.
pub struct Alternative {
    /// The location's own.
    pub primary: Rc<WorkerUpstream>,
    /// The other.
    pub upstream: Rc<WorkerUpstream>,
    /// Its name in metrics.
    pub key: NameKey,
}

/// What only some log formats show of a request.
struct Details {
    path: Box<[u8]>,
    server_name: Box<str>,
    scheme: Box<[u8]>,
    port: Box<[u8]>,
}

/// What an exchange holds of the configuration.
enum Held {
    /// All of it, as its request does.
    Config(HeldConfig),
    /// What the record needs.
    Settings(Arc<LiveSettings>),
}

impl Held {
    fn settings(&self) -> &Arc<LiveSettings> {
        match self {
            Self::Config(live) => &live.settings,
            Self::Settings(settings) => settings,
        }
    }
}

impl Exchange {
    /// Starts the record of a request.
    pub fn begin(
        worker: Rc<Worker>,
        connection: Arc<Connection>,
        counted: Rc<metrics::Connection>,
        inbound: &Rc<Inbound>,
        live: &HeldConfig,
    ) -> Box<Self> {
        connection.request_began();
        counted.request_started();
        let headers = &inbound.parts.headers;
        let spec = &live.settings.spec;
        let unlogged = live.settings.unlogged.as_ref();
        let logged = spec.access_log
            && unlogged.is_none_or(|texts| !texts.certainly_match(inbound.raw_target()));
        let request_id = match headers.get("x-request-id").filter(|id| !id.is_empty()) {
            Some(id) => Some(id.clone()),
            None => spec.generate_request_id.then(|| worker.request_id()),
        };
        Box::new(Self {
            status: 0,
            head_sent: 0,
            body_sent: 0,
            body: None,
            cookies: None,
            allowed_origin: None,
            attempts: SmallVec::new(),
            snippet: None,
            snippet_headers: Vec::new(),
            snippet_host: None,
            is_answered: false,
            choice: Choice::default(),
            alternative: None,
            permit: None,
            span: None,
            started: Instant::now(),
            logged,
            counted,
            live: Held::Config(Rc::clone(live)),
            inbound: Rc::clone(inbound),
            keep_alive: keeps_alive(&inbound.parts),
            head_received: match inbound.head.length {
                0 => head_length(&inbound.parts),
                length => u64::from(length),
            },
            request_id,
            captured: if logged { live.settings.log_format.capture(headers) } else { Vec::new() },
            host: None,
            host_name: SmallVec::new(),
            location: None,
            turned_away: false,
            upstream: None,
            details: None,
            worker,
            connection,
        })
    }

    /// Notes which host serves it.
    pub fn set_host(&mut self, host: &LiveHost, name: &[u8]) {
        self.host_name.extend_from_slice(name);
        self.host = match host.metric_name(name) {
            Some(key) => Some(key.clone()),
            None => std::str::from_utf8(name)
                .ok()
                .and_then(|name| self.worker.metrics.undefined_host(name)),
        };
    }

    /// Notes what is known before a location is found, if the log shows it.
    pub fn describe<'a>(
        &mut self,
        host: &LiveHost,
        target: &Target<'_>,
        client: impl FnOnce() -> Client<'a>,
    ) {
        if !(self.logged && self.live.settings().log_format.shows_details()) {
            return;
        }
        let client = client();
        self.details = Some(Box::new(Details {
            path: target.path().into(),
            server_name: host.spec.name.as_str().into(),
            scheme: client.scheme.into(),
            port: client.port.into(),
        }));
    }

    /// Notes the path, or the target, that it is rewritten to.
    pub fn rewritten(&mut self, target: &[u8]) {
        if let Some(details) = &mut self.details {
            let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
            details.path = path.into();
        }
    }

    /// Notes which location serves it.
    pub fn set_location(&mut self, location: &Arc<LiveLocation>) {
        if let Some(rules) = &location.spans {
            self.begin_span(location, rules);
        }
        self.location = Some(Arc::clone(location));
    }

    /// Notes which location a request would have led to that its host turns away: the record names it, and nothing of the
    /// answer is the location's.
    pub fn set_turned_away(&mut self, location: &Arc<LiveLocation>) {
        self.location = Some(Arc::clone(location));
        self.turned_away = true;
    }

    /// Forgets where it was led to, and what steps made of it on the way.
    pub fn forget_place(&mut self) {
        (self.location, self.snippet, self.snippet_host) = (None, None, None);
    }

    /// The location that the answer comes from, if one was found.
    pub fn location(&self) -> Option<&Arc<LiveLocation>> {
        self.location.as_ref().filter(|_| !self.turned_away)
    }

    /// Notes which upstream it is sent to. One that gets a share of another's requests is named beside that.
    pub fn set_upstream(&mut self, upstream: &Rc<WorkerUpstream>) {
        let alternative = self.alternative.as_ref();
        let alternative = alternative.filter(|other| Rc::ptr_eq(&other.upstream, upstream));
        let named = alternative.map_or(upstream, |alternative| &alternative.primary);
        self.upstream = Some(Rc::clone(named));
    }

    /// Takes over what decides about the endpoint; returns the upstream.
    pub fn adopt(&mut self, chosen: Chosen) -> Rc<WorkerUpstream> {
        (self.choice, self.alternative) = (chosen.choice, chosen.alternative);
        chosen.upstream
    }

    /// Leaves it out of the log and the metrics.
    pub fn stay_silent(&mut self) {
        self.logged = false;
        self.location = None;
    }

    /// The id of the request: the client's, or a new one.
    pub fn request_id(&self) -> Option<&HeaderValue> {
        self.request_id.as_ref()
    }

    /// How fast it may be answered, if that is limited.
    pub fn throttle(&self) -> Option<Throttle> {
        self.location()?.spec.throttle
    }

    /// What its location says about scripts of other origins.
    pub fn cors(&self) -> Option<&Cors> {
        self.location()?.cors.as_deref()
    }

    /// The request as it came.
    pub fn inbound(&self) -> &Inbound {
        &self.inbound
    }

    /// The routing host; empty if none was found.
    pub fn host_name(&self) -> &[u8] {
        &self.host_name
    }

    /// Whether snippets have a say in its answer.
    pub fn has_snippets(&self) -> bool {
        let has_own = |own: &Arc<LiveLocation>| own.snippet.is_some();
        self.snippet_host.is_some() || self.location.as_ref().is_some_and(has_own)
    }

    /// Whether a location was found: its answers carry what the configuration adds to all of them.
    pub fn is_located(&self) -> bool {
        self.location().is_some()
    }

    /// Whether headers with `_` in their names count.
    pub fn takes_underscores(&self) -> bool {
        let spec = &self.live.settings().spec;
        spec.underscores_in_headers || spec.headers.keep_invalid
    }

    /// Version of HTTP that the client speaks.
    pub fn version(&self) -> Version {
        self.inbound.parts.version
    }

    /// Whether the client would go on using the connection.
    pub fn wants_keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether error pages for the client are padded.
    pub fn wants_padding(&self) -> bool {
        page::wants_padding(self.header(&header::USER_AGENT))
    }

    /// Whether a part of the request's body may be left on the connection when its answer is sent.
    pub fn leaves_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.is_open())
    }

    /// Whether the request has a header.
    pub fn has_header(&self, name: &HeaderName) -> bool {
        self.header(name).is_some()
    }

    /// How long the client may pause inside the body.
    pub fn body_timeout(&self) -> Duration {
        self.live.settings().listener.body_timeout
    }

    /// Method of the request.
    pub fn method(&self) -> &Method {
        &self.inbound.parts.method
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// A header of the request.
    fn header(&self, name: &HeaderName) -> Option<&[u8]> {
        self.inbound.parts.headers.get(name).map(HeaderValue::as_bytes)
    }

    /// Lets go of the table, which may be replaced long before the answer has ended.
    pub fn release_table(&mut self) {
        self.live = Held::Settings(Arc::clone(self.live.settings()));
    }

    /// Lets go of what only short lives may hold: the table, and the buffers that the request was read into.
    pub fn outlive_request(&mut self) {
        self.release_table();
        self.inbound = Rc::new(self.inbound.compact());
        self.request_id = self.request_id.as_ref().map(copied);
        for value in self.captured.iter_mut().flatten() {
            *value = copied(value);
        }
    }

    /// Bytes of the request so far.
    fn received(&self) -> u64 {
        self.head_received + self.body.as_ref().map_or(0, |body| body.bytes())
    }
}

/// A value that does not share its memory.
pub(super) fn copied(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).expect("it is a header value")
}

/// Whether a client wants to keep the connection: by default with HTTP/1.1, on request with HTTP/1.0 (RFC 9112 §9.3).
fn keeps_alive(request: &Parts) -> bool {
    let says = |word: &str| {
        let values = request.headers.get_all(header::CONNECTION);
        values
            .iter()
            .flat_map(|value| value.as_bytes().split(|b| *b == b','))
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    match request.version {
        Version::HTTP_10 => says("keep-alive") && !says("close"),
        _ => !says("close"),
    }
}

/// Bytes of the head of a request that came without a text form, as HTTP/1 would write it.
fn head_length(request: &Parts) -> u64 {
    let lines: usize =
        request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let target = request.uri.path_and_query().map_or(1, |target| target.as_str().len());
    (request.method.as_str().len() + target + 12 + lines + 2) as u64
}
