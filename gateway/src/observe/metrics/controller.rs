//! Metrics of connections and of publications (operations §3.2, §3.3), and those that the reference does not have.

use std::{fmt, sync::atomic::Ordering::Relaxed};

use super::{
    Metrics, mirrored,
    series::Counter,
    text::{Exposition, Kind},
    worker::{Asked, Shard, TokenOutcome},
};
use crate::filter::jwt::Flaw;

macro_rules! name {
    ($name:literal) => {
        concat!("nginx_ingress_controller_", $name)
    };
}

/// Appends everything that exists only while metrics are enabled, but for the request metrics.
pub(super) fn write(text: &mut Exposition, metrics: &Metrics) {
    connections(text, metrics);
    publication(text, metrics);
    build(text, metrics);
    own(text, metrics);
}

pub(super) fn sum(metrics: &Metrics, counter: impl Fn(&Shard) -> &Counter) -> u64 {
    let shards = metrics.shards.lock();
    shards.iter().map(|shard| counter(shard).value()).sum()
}

/// What client connections do, and how many there were.
pub(crate) struct ConnectionCounts {
    accepted: u64,
    handled: u64,
    requests: u64,
    active: u64,
    reading: u64,
    writing: u64,
    waiting: u64,
}

impl ConnectionCounts {
    /// At this moment, over all workers.
    pub(crate) fn now(metrics: &Metrics) -> Self {
        let active = sum(metrics, |shard| &shard.active);
        let reading = sum(metrics, |shard| &shard.reading);
        let writing = sum(metrics, |shard| &shard.writing);
        Self {
            accepted: sum(metrics, |shard| &shard.accepted),
            handled: sum(metrics, |shard| &shard.handled),
            requests: sum(metrics, |shard| &shard.requests),
            active,
            reading,
            writing,
            waiting: active.saturating_sub(reading).saturating_sub(writing),
        }
    }
}

/// The text of `/nginx_status` (operations §2.1).
impl fmt::Display for ConnectionCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, handled, requests, active, reading, writing, waiting } = self;
        write!(f, "Active connections: {active} \nserver accepts handled requests\n")?;
        writeln!(f, " {accepted} {handled} {requests} ")?;
        writeln!(f, "Reading: {reading} Writing: {writing} Waiting: {waiting} ")
    }
}

fn connections(text: &mut Exposition, metrics: &Metrics) {
    const TOTAL: &str = name!("nginx_process_connections_total");
    text.family(TOTAL, Kind::Counter, "total number of connections with state {accepted, handled}");
    let counts = ConnectionCounts::now(metrics);
    text.instance_sample(TOTAL, &[("state", "accepted")], counts.accepted);
    text.instance_sample(TOTAL, &[("state", "handled")], counts.handled);

    const REQUESTS: &str = name!("nginx_process_requests_total");
    text.family(REQUESTS, Kind::Counter, "total number of client requests");
    text.instance_sample(REQUESTS, &[], counts.requests);

    const CURRENT: &str = name!("nginx_process_connections");
    text.family(
        CURRENT,
        Kind::Gauge,
        "current number of client connections with state {active, reading, writing, waiting}",
    );
    for (state, value) in [
        ("active", counts.active),
        ("reading", counts.reading),
        ("writing", counts.writing),
        ("waiting", counts.waiting),
    ] {
        text.instance_sample(CURRENT, &[("state", state)], value);
    }
}

fn publication(text: &mut Exposition, metrics: &Metrics) {
    let publication = &metrics.publication;
    for (name, kind, help, value) in [
        (
            name!("config_hash"),
            Kind::Gauge,
            "Running configuration hash actually running",
            publication.hash.load(Relaxed),
        ),
        (
            name!("config_last_reload_successful"),
            Kind::Gauge,
            "Whether the last configuration reload attempt was successful",
            publication.successful.load(Relaxed).into(),
        ),
        (
            name!("config_last_reload_successful_timestamp_seconds"),
            Kind::Gauge,
            "Timestamp of the last successful configuration reload.",
            publication.time.load(Relaxed),
        ),
        (
            name!("success"),
            Kind::Counter,
            "Cumulative number of Ingress controller reload operations",
            publication.successes.load(Relaxed),
        ),
        (
            name!("errors"),
            Kind::Counter,
            "Cumulative number of Ingress controller errors during reload operations",
            publication.errors.load(Relaxed),
        ),
    ] {
        text.family(name, kind, help);
        text.instance_sample(name, &[], value);
    }
}

fn build(text: &mut Exposition, metrics: &Metrics) {
    const BUILD: &str = name!("build_info");
    let instance = &metrics.settings.instance;
    text.family(
        BUILD,
        Kind::Gauge,
        "A metric with a constant '1' labeled with information about the build.",
    );
    let labels = [
        ("build", instance.build.as_str()),
        ("release", instance.release.as_str()),
        ("repository", instance.repository.as_str()),
    ];
    text.instance_sample(BUILD, &labels, 1);
}

/// What the reference cannot tell.
fn own(text: &mut Exposition, metrics: &Metrics) {
    for (name, kind, help, value) in [
        (
            "headgate_requests_in_flight",
            Kind::Gauge,
            "Requests that are being served.",
            sum(metrics, |shard| &shard.in_flight),
        ),
        (
            "headgate_metrics_series",
            Kind::Gauge,
            "Series of request metrics that the workers keep.",
            metrics.series.load(Relaxed) as u64,
        ),
        (
            "headgate_metrics_overflow_total",
            Kind::Counter,
            "Requests that are missing from the request metrics because there was no room for a new series.",
            sum(metrics, |shard| &shard.overflow),
        ),
    ] {
        text.family(name, kind, help);
        text.instance_sample(name, &[], value);
    }
    const ASKED: &str = "headgate_external_auth_requests_total";
    text.family(
        ASKED,
        Kind::Counter,
        "Requests that another service was asked about, by what came of it.",
    );
    for (outcome, label) in Asked::ALL {
        let value = sum(metrics, |shard| &shard.asked[outcome as usize]);
        text.instance_sample(ASKED, &[("result", label)], value);
    }
    tokens(text, metrics);
    mirrored::write(text, metrics);
}

fn tokens(text: &mut Exposition, metrics: &Metrics) {
    const ASKED: &str = "headgate_jwt_requests_total";
    text.family(ASKED, Kind::Counter, "Requests that a token was asked for, by what came of it.");
    for (outcome, label) in TokenOutcome::ALL {
        let value = sum(metrics, |shard| &shard.tokens[outcome as usize]);
        text.instance_sample(ASKED, &[("result", label)], value);
    }
    const REFUSED: &str = "headgate_jwt_refusals_total";
    text.family(REFUSED, Kind::Counter, "Tokens that do not count, by what is wrong with them.");
    for (flaw, reason) in Flaw::ALL {
        let value = sum(metrics, |shard| &shard.flaws[flaw as usize]);
        text.instance_sample(REFUSED, &[("reason", reason)], value);
    }
    const FETCHED: &str = "headgate_jwt_key_fetches_total";
    text.family(
        FETCHED,
        Kind::Counter,
        "Fetches of the keys that tokens are verified with, by what came of it.",
    );
    for (count, label) in metrics.key_fetches.iter().zip(["fetched", "failed"]) {
        text.instance_sample(FETCHED, &[("result", label)], count.load(Relaxed));
    }
}
