//! Settings that hold for all hosts and may change while the gateway runs.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use serde::Serialize;

use crate::{
    AccessLogRules, Compression, Entrances, GlobalHeaders, HeadLimits, Messages, Network,
    ObjectRef, SpanSettings, StreamSettings, TlsSettings, protection::LimitCounting,
};

/// Live settings of the gateway as a whole. The defaults are the reference's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Status of HTTPS redirects: 301, 302, 307 or 308 (`http-redirect-code`).
    pub redirect_status: u16,
    /// `Strict-Transport-Security` on answers over TLS; `None` when off.
    pub hsts: Option<Hsts>,
    /// Which forwarding headers of clients are believed.
    pub forwarded: ForwardedHeaders,
    /// At which addresses clients are served.
    pub entrances: Entrances,
    /// Names are asked for IPv4 addresses only (`disable-ipv6-dns`).
    pub ipv4_names: bool,
    /// Every connection begins with a PROXY header (`use-proxy-protocol`).
    pub proxy_protocol: bool,
    /// Give requests without `X-Request-ID` a random one (`generate-request-id`).
    pub generate_request_id: bool,
    /// Send the raw target as `X-Original-URI` (`proxy-add-original-uri-header`).
    pub original_uri_header: bool,
    /// Accept header names with `_` (`enable-underscores-in-headers`).
    pub underscores_in_headers: bool,
    /// Headers of all requests and answers.
    pub headers: GlobalHeaders,
    /// How large the head of a request may be.
    pub head_limits: HeadLimits,
    /// `Content-Type` of texts that are answered without one (`default-type`).
    pub default_type: String,
    /// Which answers are compressed.
    pub compression: Compression,
    /// Answer HTTP/2 (`use-http2`).
    pub http2: bool,
    /// Streams that a client may have open at once on an HTTP/2 connection (`http2-max-concurrent-streams`).
    pub http2_streams: u32,
    /// How long an idle client connection is kept; zero closes after each answer (`keep-alive`).
    pub keep_alive: Duration,
    /// Requests after which a client connection is closed (`keep-alive-requests`).
    pub keep_alive_requests: u64,
    /// Limit for the head of a request (`client-header-timeout`).
    pub client_header_timeout: Duration,
    /// Largest gap between two reads of a request body (`client-body-timeout`).
    pub client_body_timeout: Duration,
    /// Idle connections kept per worker; zero sends `Connection: close` (`upstream-keepalive-connections`).
    pub upstream_keepalive: usize,
    /// How long an idle upstream connection is kept (`upstream-keepalive-timeout`).
    pub upstream_keepalive_timeout: Duration,
    /// Requests after which an upstream connection is closed (`upstream-keepalive-requests`).
    pub upstream_keepalive_requests: u64,
    /// Age at which an upstream connection is closed (`upstream-keepalive-time`).
    pub upstream_keepalive_time: Duration,
    /// Who gets nothing but 403, whatever is asked for.
    pub blocked: Blocked,
    /// Who may read the built-in `/nginx_status` (`nginx-status-ipv4-whitelist`, `nginx-status-ipv6-whitelist`).
    pub status_readers: Vec<Network>,
    /// How long open requests get when the process ends, if that is said (`worker-shutdown-timeout`).
    pub drain_timeout: Option<Duration>,
    /// Where shared limits are counted, if anywhere.
    pub limit_store: Option<LimitCounting>,
    /// How TLS is spoken with clients.
    pub tls: TlsSettings,
    /// Show certificates together with what their responders say about them (`enable-ocsp`).
    pub ocsp: bool,
    /// How TCP and UDP are forwarded.
    pub stream: StreamSettings,
    /// Limit for a PROXY header, where TLS connections may be passed through (`proxy-protocol-header-timeout`).
    pub proxy_protocol_timeout: Duration,
    /// Write the access log at all (inverse of `disable-access-log`).
    pub access_log: bool,
    /// What the access log leaves out, and how it writes values.
    pub log: AccessLogRules,
    /// Access log format; `None` is the reference's default (`log-format-upstream`).
    pub log_format: Option<String>,
    /// Which requests have spans that are recorded, and where those go.
    pub spans: SpanSettings,
    /// What is told about the work of the data plane.
    pub messages: Messages,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            redirect_status: 308,
            hsts: Some(Hsts::default()),
            forwarded: ForwardedHeaders::default(),
            entrances: Entrances::default(),
            ipv4_names: false,
            proxy_protocol: false,
            generate_request_id: true,
            original_uri_header: false,
            underscores_in_headers: false,
            headers: GlobalHeaders::default(),
            head_limits: HeadLimits::default(),
            default_type: "text/html".into(),
            compression: Compression::default(),
            http2: true,
            http2_streams: 128,
            keep_alive: Duration::from_secs(75),
            keep_alive_requests: 1000,
            client_header_timeout: Duration::from_secs(60),
            client_body_timeout: Duration::from_secs(60),
            upstream_keepalive: 320,
            upstream_keepalive_timeout: Duration::from_secs(60),
            upstream_keepalive_requests: 10_000,
            upstream_keepalive_time: Duration::from_secs(3600),
            blocked: Blocked::default(),
            status_readers: vec![
                Network::one(Ipv4Addr::LOCALHOST.into()),
                Network::one(Ipv6Addr::LOCALHOST.into()),
            ],
            drain_timeout: None,
            limit_store: None,
            tls: TlsSettings::default(),
            ocsp: false,
            stream: StreamSettings::default(),
            proxy_protocol_timeout: Duration::from_secs(5),
            access_log: true,
            log: AccessLogRules::default(),
            log_format: None,
            spans: SpanSettings::default(),
            messages: Messages::default(),
        }
    }
}

/// Content of `Strict-Transport-Security` (routing §9.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hsts {
    /// Seconds; kept as text because the reference passes it on as written (`hsts-max-age`).
    pub max_age: String,
    /// Add `includeSubDomains`.
    pub include_subdomains: bool,
    /// Add `preload`.
    pub preload: bool,
}

impl Default for Hsts {
    fn default() -> Self {
        Self { max_age: "31536000".into(), include_subdomains: true, preload: false }
    }
}

/// Which forwarding headers of clients are believed, and of whom. By default none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForwardedHeaders {
    /// Believe `X-Forwarded-*` (`use-forwarded-headers`).
    pub trusted: bool,
    /// Believe the addresses in `X-Forwarded-For`, whatever else is believed (`enable-real-ip`).
    pub real_ip: bool,
    /// Header of the addresses that a request passed, in lower case (`forwarded-for-header`).
    pub for_header: String,
    /// Header whose value is sent as `X-Original-Forwarded-Host`, in lower case (`forwarded-host-header`).
    pub host_header: String,
    /// Append to the client's `X-Forwarded-For` instead of replacing it (`compute-full-forwarded-for`).
    pub append_for: bool,
    /// The peers that are believed, and the proxies behind them (`proxy-real-ip-cidr`).
    pub peers: Vec<Network>,
}

impl Default for ForwardedHeaders {
    fn default() -> Self {
        Self {
            trusted: false,
            real_ip: false,
            for_header: "x-forwarded-for".into(),
            host_header: "x-forwarded-host".into(),
            append_for: false,
            peers: vec![Network::EVERY_IPV4],
        }
    }
}

/// Requests that are answered with 403 on every path of every host. By default none.
///
/// A text is a whole value, compared without regard to case; behind `~` it is a PCRE, and behind `~*` one that does not
/// regard case. If one of them is no usable pattern, every request is answered with 503.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// Addresses of clients (`block-cidrs`).
    pub networks: Vec<Network>,
    /// Values of `User-Agent` (`block-user-agents`).
    pub user_agents: Vec<String>,
    /// Values of `Referer` (`block-referers`).
    pub referers: Vec<String>,
    /// The object that says so, for findings about it.
    pub origin: Option<ObjectRef>,
}
