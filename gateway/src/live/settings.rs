//! Settings for all hosts, in the form in which requests use them.

use std::{net::IpAddr, sync::Arc, time::Duration};

use headgate_config::{Entrances, LogEscape, Settings};
use http::HeaderValue;

use super::Logs;
use crate::{
    filter::{
        access::AddressSet, blocked::Blocked, compression::Compressor,
        request_headers::ConfiguredHeaders, response_headers::GlobalHeaders, texts::Texts,
    },
    observe::access_log::{DEFAULT as DEFAULT_FORMAT, Escape, LogFormat},
    page,
    upstream::pool::KeepAlive,
};

/// Settings in the form in which requests use them.
pub(crate) struct LiveSettings {
    /// As configured.
    pub spec: Arc<Settings>,
    /// `Strict-Transport-Security`.
    pub hsts: Option<HeaderValue>,
    /// Bounds of keeping upstream connections.
    pub keep_alive: KeepAlive,
    /// Limits of client connections.
    pub listener: ListenerSettings,
    /// Form of the access log.
    pub log_format: LogFormat,
    /// Where lines go.
    pub logs: Logs,
    /// `Content-Type` of texts without one.
    pub default_type: HeaderValue,
    /// At which addresses clients are served, if not at all.
    pub entrances: Option<Box<Entrances>>,
    /// Who gets nothing, if anybody.
    pub blocked: Option<Box<Blocked>>,
    /// Headers that every upstream is sent, if there are any.
    pub request_headers: Option<ConfiguredHeaders>,
    /// What all answers lose and gain.
    pub headers: GlobalHeaders,
    /// Which answers are compressed, if any are.
    pub compressor: Option<Box<Compressor>>,
    /// Targets that are not logged, if there are any.
    pub unlogged: Option<Texts>,
    /// Who may read the status of connections.
    pub status_readers: AddressSet,
}

/// Time limits of client connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerSettings {
    /// For a TLS handshake, and for the head of a request.
    pub head_timeout: Duration,
    /// Between two reads of a body.
    pub body_timeout: Duration,
    /// Streams of one HTTP/2 connection.
    pub http2_streams: u32,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// Between two writes to a client that takes nothing.
    pub send_timeout: Duration,
    /// For the last bytes of a peer whose connection ends.
    pub linger_timeout: Duration,
}

impl LiveSettings {
    /// Whether clients are served that have come to this address.
    pub fn admits(&self, local: IpAddr) -> bool {
        self.entrances.as_ref().is_none_or(|entrances| entrances.admit(local))
    }

    /// Compiles settings, and keeps what is as `before`.
    pub(super) fn new(spec: &Arc<Settings>, before: Option<&Self>) -> Self {
        let hsts = spec.hsts.as_ref().and_then(|hsts| {
            let mut text = format!("max-age={}", hsts.max_age);
            if hsts.include_subdomains {
                text.push_str("; includeSubDomains");
            }
            if hsts.preload {
                text.push_str("; preload");
            }
            HeaderValue::from_str(&text).ok()
        });
        let mut logs = Logs::new(spec, before.map(|before| &before.logs));
        let log_format = log_format(spec, &mut logs.bad_formats);
        Self {
            hsts,
            keep_alive: KeepAlive {
                connections: spec.upstream_keepalive,
                requests: spec.upstream_keepalive_requests,
                age: spec.upstream_keepalive_time,
            },
            listener: ListenerSettings {
                head_timeout: spec.client_header_timeout,
                body_timeout: spec.client_body_timeout,
                http2_streams: spec.http2_streams,
                idle_timeout: spec.keep_alive.max(Duration::from_secs(1)),
                send_timeout: Duration::from_secs(60),
                linger_timeout: Duration::from_secs(5),
            },
            log_format,
            logs,
            default_type: HeaderValue::from_str(&spec.default_type).unwrap_or(page::CONTENT_TYPE),
            entrances: (spec.entrances != Entrances::default())
                .then(|| Box::new(spec.entrances.clone())),
            blocked: Blocked::new(&spec.blocked),
            request_headers: (!spec.headers.request.is_empty())
                .then(|| ConfiguredHeaders::new(&spec.headers.request)),
            headers: GlobalHeaders::new(&spec.headers),
            compressor: Compressor::new(&spec.compression),
            unlogged: unlogged(spec),
            status_readers: AddressSet::new(&spec.status_readers),
            spec: Arc::clone(spec),
        }
    }
}

/// The access log's format; the default where the configured one is wrong.
fn log_format(spec: &Settings, problems: &mut Vec<String>) -> LogFormat {
    let text = spec.log_format.as_deref().unwrap_or(DEFAULT_FORMAT);
    let escape = match spec.log.escape {
        LogEscape::Default => Escape::Default,
        LogEscape::Json => Escape::Json,
        LogEscape::None => Escape::None,
    };
    LogFormat::compile(text, escape).unwrap_or_else(|error| {
        problems.push(format!("log-format-upstream: {error}"));
        LogFormat::default()
    })
}

/// Targets that are not logged. What is no usable pattern has a verdict, and skips nothing.
fn unlogged(spec: &Settings) -> Option<Texts> {
    let texts = Texts::new(&spec.log.skipped, &mut Vec::new());
    (!texts.is_empty()).then_some(texts)
}
