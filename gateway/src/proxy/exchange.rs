//! What is remembered of a request until its last byte was sent: the material of the access log and the metrics.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderName, HeaderValue, Method, Version, header, request::Parts};
use smallvec::SmallVec;

use super::{attempt::Attempt, inbound::Inbound};
use crate::{
    listen::conn::Connection,
    live::{LiveHost, LiveLocation, LiveSettings},
    observe::{
        access_log,
        metrics::{self, NameKey, RequestRecord, UpstreamTimes},
    },
    page,
    upstream::{WorkerUpstream, body::Received},
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
    /// The tries, in order.
    pub attempts: SmallVec<[Attempt; 1]>,
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
    upstream: Option<Rc<WorkerUpstream>>,
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
        let logged = spec.access_log;
        let request_id = match headers.get("x-request-id").filter(|id| !id.is_empty()) {
            Some(id) => Some(id.clone()),
            None => spec.generate_request_id.then(|| worker.request_id()),
        };
        Box::new(Self {
            status: 0,
            head_sent: 0,
            body_sent: 0,
            body: None,
            attempts: SmallVec::new(),
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
            upstream: None,
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

    /// Notes which location serves it.
    pub fn set_location(&mut self, location: &Arc<LiveLocation>) {
        self.logged &= location.spec.access_log;
        self.location = Some(Arc::clone(location));
    }

    /// Notes which upstream it is sent to.
    pub fn set_upstream(&mut self, upstream: &Rc<WorkerUpstream>) {
        self.upstream = Some(Rc::clone(upstream));
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

    /// Whether a location was found: its answers carry what the configuration adds to all of them.
    pub fn is_located(&self) -> bool {
        self.location.is_some()
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

    /// Lets go of what only short lives may hold: the table, and the buffers that the request was read into.
    pub fn outlive_request(&mut self) {
        self.live = Held::Settings(Arc::clone(self.live.settings()));
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
            canary: None,
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
                after_redirect: false,
            })
            .collect();
        let connection = &*self.connection;
        let scheme = if connection.tls { "https" } else { "http" };
        let peer = connection.peer_ip.to_str().unwrap_or("-");
        let forwarded = self.inbound.forwarded_address();
        let record = access_log::AccessRecord {
            remote_addr: forwarded.unwrap_or(peer),
            // Of a client behind a proxy it is not known.
            remote_port: if forwarded.is_some() { 0 } else { connection.peer.port() },
            peer_addr: forwarded.map(|_| peer),
            method: self.method().as_str(),
            target: self.inbound.raw_target(),
            version: self.version(),
            scheme,
            access_scheme: scheme,
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
            connection_requests: connection.requests(),
            upstream_name: self.upstream.as_ref().map_or("", |upstream| upstream.name()),
            attempts: &attempts,
            request_id: self.request_id.as_ref().map_or(b"", HeaderValue::as_bytes),
            origin: self.location.as_ref().map(|location| &*location.spec.origin),
            ..access_log::AccessRecord::default()
        };
        self.worker.log.write(&self.live.settings().log_format, &record);
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

/// The status in the log of a request whose client left before there was one.
const CLIENT_LEFT: u16 = 499;

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
        self.record(elapsed);
        if self.logged {
            self.log(elapsed);
        }
        self.connection.request_ended();
        self.counted.request_finished();
    }
}
