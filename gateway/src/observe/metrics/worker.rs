//! One worker's side of the metrics: where requests and connections are counted.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use http::Method;
use parking_lot::Mutex;

use super::{
    Metrics,
    connection::Connection,
    controller::ConnectionCounts,
    label::{LocationKey, NameKey},
    method,
    mirrored::Mirrored,
    series::{Counter, Histogram, Series, SeriesKey},
};
use crate::filter::jwt::Flaw;

/// Names that `--metrics-per-undefined-host` may add per worker; clients choose them.
const UNDEFINED_HOSTS: usize = 1_000;

/// What a worker counts and a scrape reads.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Locked by the worker when its set of series changes, and by scrapes.
    pub(super) series: Mutex<Vec<Arc<Series>>>,
    pub(super) accepted: Counter,
    pub(super) handled: Counter,
    pub(super) active: Counter,
    pub(super) reading: Counter,
    pub(super) writing: Counter,
    pub(super) requests: Counter,
    pub(super) in_flight: Counter,
    /// Requests that found no room for a new series.
    pub(super) overflow: Counter,
    /// What came of asking services, by [`Asked`].
    pub(super) asked: [Counter; Asked::ALL.len()],
    /// What came of asking for tokens, by [`TokenOutcome`].
    pub(super) tokens: [Counter; TokenOutcome::ALL.len()],
    /// What came of copies of requests, by [`Mirrored`].
    pub(super) mirrored: [Counter; Mirrored::ALL.len()],
    /// What was wrong with tokens, by [`Flaw`].
    pub(super) flaws: [Counter; Flaw::ALL.len()],
}

/// What came of asking a service whether a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It may.
    Passed,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// Any other status.
    Unclear,
    /// Its answer about an earlier one was remembered.
    Remembered,
    /// No connection could be made.
    Unreachable,
    /// It did not answer in time.
    Timeout,
    /// It hung up, or answered what is not HTTP.
    Broken,
    /// It was not asked, because what the client sent does not fit into the question.
    BadRequest,
}

impl Asked {
    /// All of them with their label, in order.
    pub(super) const ALL: [(Self, &'static str); 9] = [
        (Self::Passed, "passed"),
        (Self::Unauthorized, "unauthorized"),
        (Self::Forbidden, "forbidden"),
        (Self::Unclear, "unexpected_status"),
        (Self::Remembered, "remembered"),
        (Self::Unreachable, "unreachable"),
        (Self::Timeout, "timeout"),
        (Self::Broken, "broken"),
        (Self::BadRequest, "bad_request"),
    ];
}

/// What came of asking for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOutcome {
    /// It was verified.
    Passed,
    /// It had been verified before.
    Remembered,
    /// There was none.
    Missing,
    /// It does not count.
    Refused,
    /// Nobody could tell, because there are no keys, or none that are new enough.
    Unavailable,
}

impl TokenOutcome {
    /// All of them with their label, in order.
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Passed, "passed"),
        (Self::Remembered, "remembered"),
        (Self::Missing, "missing"),
        (Self::Refused, "refused"),
        (Self::Unavailable, "keys_unavailable"),
    ];
}

/// The metrics of one worker. It counts on the thread of that worker only, hence it is not `Sync`.
pub struct WorkerMetrics {
    metrics: Arc<Metrics>,
    pub(super) shard: Arc<Shard>,
    series: RefCell<HashMap<SeriesKey, Arc<Series>, foldhash::fast::RandomState>>,
    undefined_hosts: RefCell<HashMap<Box<str>, NameKey>>,
    /// State of the registry when dead series were last removed.
    swept: Cell<u64>,
}

/// One finished request that reached a location.
#[derive(Clone, Copy, Debug)]
pub struct RequestRecord<'a> {
    /// Labels of the location.
    pub location: &'a LocationKey,
    /// The routing host, if a host or exact alias of the table has literally that name, or else what
    /// [`WorkerMetrics::undefined_host`] gives. Without it the request is not counted, unless there is no label
    /// `host` at all (operations §3.1).
    pub host: Option<&'a NameKey>,
    /// Name of the alternative upstream, if one answered.
    pub canary: Option<&'a NameKey>,
    /// Method of the request.
    pub method: &'a Method,
    /// Status that the client saw.
    pub status: u16,
    /// From the first byte read to the last byte sent.
    pub request_time: Duration,
    /// Request line, headers and body in bytes.
    pub request_length: u64,
    /// All bytes sent to the client, headers included.
    pub bytes_sent: u64,
    /// Times of the upstream, if there was exactly one try.
    pub upstream: Option<UpstreamTimes>,
}

/// Times of one try, each from the start of the try.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpstreamTimes {
    /// Until the connection was ready.
    pub connect: Option<Duration>,
    /// Until the head of the answer was complete.
    pub header: Option<Duration>,
    /// Until the end of the answer.
    pub response: Option<Duration>,
}

impl WorkerMetrics {
    /// What client connections do, over all workers.
    pub(crate) fn connections(&self) -> ConnectionCounts {
        ConnectionCounts::now(&self.metrics)
    }

    pub(super) fn new(metrics: Arc<Metrics>, shard: Arc<Shard>) -> Self {
        Self {
            metrics,
            shard,
            series: RefCell::default(),
            undefined_hosts: RefCell::default(),
            swept: Cell::new(0),
        }
    }

    /// Counts a finished request.
    pub fn record(&self, request: &RequestRecord<'_>) {
        let settings = &self.metrics.settings;
        if !settings.enabled {
            return;
        }
        let host = match request.host {
            _ if !settings.per_host => None,
            Some(host) => Some(host),
            None => return,
        };
        let status = match settings.status_classes {
            true => request.status / 100,
            false => request.status,
        };
        let id = |name: Option<&NameKey>| name.map_or(0, |name| name.0.id);
        let key = SeriesKey::new(
            request.location.0.id,
            id(host),
            id(request.canary),
            method::index(request.method),
            status,
        );
        let known = self.series.borrow().get(&key).map(|series| self.observe(series, request));
        if known.is_none() {
            match self.create(key, request, host) {
                Some(series) => self.observe(&series, request),
                None => self.shard.overflow.add(1),
            }
        }
    }

    /// The key for a host that the table does not name, if such hosts are counted. Only so many per worker are.
    pub fn undefined_host(&self, host: &str) -> Option<NameKey> {
        let settings = &self.metrics.settings;
        if !(settings.enabled && settings.per_host && settings.per_undefined_host) {
            return None;
        }
        let mut hosts = self.undefined_hosts.borrow_mut();
        if let Some(key) = hosts.get(host) {
            return Some(key.clone());
        }
        if hosts.len() == UNDEFINED_HOSTS {
            self.shard.overflow.add(1);
            return None;
        }
        let key = self.metrics.name(host);
        hosts.insert(host.into(), key.clone());
        Some(key)
    }

    /// Forgets series whose labels are gone. Cheap when there are none; meant for a tick of about a second.
    pub fn sweep(&self) {
        let retired = self.metrics.registry.retired();
        if self.swept.replace(retired) == retired {
            return;
        }
        let mut series = self.series.borrow_mut();
        let before = series.len();
        series.retain(|_, series| series.is_live());
        let gone = before - series.len();
        if gone > 0 {
            self.shard.series.lock().retain(|series| series.is_live());
            self.metrics.series.fetch_sub(gone, Relaxed);
        }
    }

    /// Counts an accepted connection. Until it is dropped, the guard counts as an active connection.
    pub fn connection(self: &Rc<Self>) -> Connection {
        self.shard.accepted.add(1);
        self.shard.handled.add(1);
        self.shard.active.add(1);
        Connection::new(Rc::clone(self))
    }

    /// Counts what came of asking a service.
    pub fn asked(&self, outcome: Asked) {
        self.shard.asked[outcome as usize].add(1);
    }

    /// Counts what came of asking for a token.
    pub fn token(&self, outcome: TokenOutcome) {
        self.shard.tokens[outcome as usize].add(1);
    }

    /// Counts what came of a copy of a request.
    pub fn mirrored(&self, outcome: Mirrored) {
        self.shard.mirrored[outcome as usize].add(1);
    }

    /// Counts a token that does not count.
    pub fn flawed_token(&self, flaw: Flaw) {
        self.token(TokenOutcome::Refused);
        self.shard.flaws[flaw as usize].add(1);
    }

    /// Counts a connection that was accepted and closed at once, because of a limit.
    pub fn connection_refused(&self) {
        self.shard.accepted.add(1);
    }

    #[inline]
    fn observe(&self, series: &Series, request: &RequestRecord<'_>) {
        let layout = &self.metrics.layout;
        series.observe_time(layout, Histogram::RequestDuration, request.request_time);
        series.observe(layout, Histogram::RequestSize, request.request_length);
        series.observe(layout, Histogram::ResponseSize, request.bytes_sent);
        series.observe(layout, Histogram::BytesSent, request.bytes_sent);
        let Some(upstream) = request.upstream else {
            return;
        };
        for (histogram, time) in [
            (Histogram::ConnectDuration, upstream.connect),
            (Histogram::HeaderDuration, upstream.header),
            (Histogram::ResponseDuration, upstream.response),
        ] {
            if let Some(time) = time {
                series.observe_time(layout, histogram, time);
            }
        }
    }

    #[cold]
    fn create(
        &self,
        key: SeriesKey,
        request: &RequestRecord<'_>,
        host: Option<&NameKey>,
    ) -> Option<Arc<Series>> {
        self.sweep();
        let metrics = &self.metrics;
        if metrics.series.fetch_add(1, Relaxed) >= metrics.settings.max_series {
            metrics.series.fetch_sub(1, Relaxed);
            return None;
        }
        let series = Arc::new(Series {
            key,
            location: Arc::downgrade(&request.location.0),
            host: host.map(|host| Arc::downgrade(&host.0)),
            canary: request.canary.map(|canary| Arc::downgrade(&canary.0)),
            cells: Series::cells(&metrics.layout),
        });
        self.series.borrow_mut().insert(key, Arc::clone(&series));
        self.shard.series.lock().push(Arc::clone(&series));
        Some(series)
    }
}

impl Drop for WorkerMetrics {
    /// A worker that ends takes its gauges with it; its counts stay.
    fn drop(&mut self) {
        for gauge in
            [&self.shard.active, &self.shard.reading, &self.shard.writing, &self.shard.in_flight]
        {
            gauge.subtract(gauge.value());
        }
    }
}
