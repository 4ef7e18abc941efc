//! One entry of a host's path table: what it matches and what happens to a request that it takes.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    AnswerHeaders, ConnectionHeader, Cors, ErrorPages, FixedRedirect, Mirror, ObjectRef,
    Protection, SpanRules, Transport, UpstreamId, protection::Throttle, snippet::Snippet,
};

/// One path of one host, after all objects of the host were merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Which normalised paths it takes.
    pub matcher: PathMatch,
    /// A request for this location's path without its last `/` is answered by 301 to the path with it, unless an
    /// exact location has that path (routing §5.3). Only in literal mode, only for paths that end in `/`.
    pub slash_redirect: bool,
    /// Where it comes from; shared with the sibling locations that one rule path expands to.
    pub origin: Arc<Origin>,
    /// What happens to its requests.
    pub action: Action,
    /// Largest request body in bytes; `None` for no limit (`proxy-body-size`).
    pub body_limit: Option<u64>,
    /// Whether plain HTTP requests are sent to HTTPS (routing §9).
    pub https_redirect: HttpsRedirect,
    /// Form of the redirects that the gateway makes for this location.
    pub redirect: Redirect,
    /// Where all requests are sent instead, if anywhere (annotations §3.3).
    pub fixed_redirect: Option<Arc<FixedRedirect>>,
    /// What scripts of other origins may do; none is left to the upstream.
    pub cors: Option<Arc<Cors>>,
    /// Replaces the path that is sent upstream (annotations §3.2).
    pub rewrite: Option<Rewrite>,
    /// Replaces the `Host` header that is sent upstream (`upstream-vhost`). May contain `$variables`.
    pub upstream_host: Option<String>,
    /// What happens to headers of answers; none is nothing.
    pub headers: Option<Arc<AnswerHeaders>>,
    /// Timeouts, retries and such; shared between locations with equal values.
    pub proxy: Arc<ProxySettings>,
    /// How the upstream is spoken to; none is HTTP/1 in clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// What a request has to pass; none is nothing.
    pub protection: Option<Arc<Protection>>,
    /// Which answers give way to those of an error backend; none is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_pages: Option<Arc<ErrorPages>>,
    /// Where copies of requests go, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Arc<Mirror>>,
    /// How fast answers are sent; none is without a limit.
    pub throttle: Option<Throttle>,
    /// What snippets ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Arc<Snippet>>,
    /// What is said about spans of requests; none have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans: Option<Arc<SpanRules>>,
    /// Whether requests are written to the access log.
    pub access_log: bool,
}

/// Which normalised paths a location takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMatch {
    /// The path is this text.
    Exact(String),
    /// The path begins with these bytes. All but the built-in health path end in `/`.
    Prefix(String),
    /// The path is matched by `^` + this PCRE, without regard to ASCII case, open at the end (routing §4.4).
    Pattern(String),
}

/// The configuration that a location was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The object that owns the location; none for built-in locations.
    pub object: Option<ObjectRef>,
    /// The rule's path as written; `/` if it was empty or the location is implicit.
    pub path: String,
    /// The Service that the rule names; empty if there is none.
    pub service: String,
    /// The Service port as the rule writes it (number or name).
    pub port: String,
}

/// What happens to a request that a location takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Sends it to an upstream.
    Forward(Forward),
    /// Answers it with this status and the stock page of that status.
    Respond(u16),
    /// Answers it with 200 and an empty body, without log or metrics: the built-in health path (routing §5.5).
    Health,
    /// Tells clients on this machine how many connections and requests there are, and answers others with 403; without
    /// log or metrics: the built-in `/nginx_status` (routing §5.5).
    ConnectionStatus,
    /// Answers 503 because the configuration as written cannot be honoured (annotations §1.4, outcome D).
    Deny,
}

/// The upstream of a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forward {
    /// Where requests go. The snapshot holds an upstream of this id.
    pub upstream: UpstreamId,
    /// What happens while the upstream has no endpoint.
    pub when_empty: WhenEmpty,
}

/// What a location does while its upstream has no ready endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WhenEmpty {
    /// Answers with this status (503; 404 for the global default backend).
    Respond(u16),
    /// Sends the request to this upstream instead, with the headers of annotations §3.19 table B.
    Fallback(Box<UpstreamId>),
}

/// Whether plain HTTP requests are answered by a redirect to HTTPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HttpsRedirect {
    /// Never.
    Never,
    /// If the request's host has a certificate (routing §9.1).
    IfCertificate,
    /// Always.
    Always,
}

/// Form of redirects that are made for a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Redirect {
    /// Keep one trailing slash of the target in the HTTPS redirect (`preserve-trailing-slash`).
    pub keep_trailing_slash: bool,
    /// Name the port in redirects (`use-port-in-redirects`).
    pub with_port: bool,
    /// `Location` of redirects to a path is that path only (`relative-redirects`).
    pub relative: bool,
}

/// A path rewrite (annotations §3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rewrite {
    /// PCRE that is searched in the normalised path, not anchored, without regard to ASCII case: the text of the
    /// rule's path.
    pub pattern: String,
    /// The new path. `$1` … `$9` are captures, other `$name`s request variables.
    pub target: String,
    /// Value of `X-Forwarded-Prefix`, with captures like `target` (`x-forwarded-prefix`).
    pub forwarded_prefix: Option<String>,
}

/// How requests of a location are sent upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProxySettings {
    /// Limit for establishing a connection.
    pub connect_timeout: Duration,
    /// Largest gap between two writes to the upstream.
    pub send_timeout: Duration,
    /// Largest gap between two reads from the upstream.
    pub read_timeout: Duration,
    /// When another endpoint is tried.
    pub retry: Retry,
    /// Largest head of an answer in bytes; a larger one is a malformed answer (`proxy-buffer-size`).
    pub head_limit: u64,
    /// Receive the whole request body before the upstream is contacted, where it is small enough.
    pub request_buffering: bool,
    /// Take answers from the upstream in pieces of `head_limit` bytes, and pass on none before it is complete. The upstream
    /// may decide otherwise by `X-Accel-Buffering` (`proxy-buffering`).
    pub buffering: bool,
    /// Speak HTTP/1.0: no chunked requests (`proxy-http-version`).
    pub http10: bool,
    /// `Connection` of requests, if it is not what the client and the settings make it.
    pub connection: Option<ConnectionHeader>,
}

impl Default for ProxySettings {
    /// The reference's defaults (annotations §1.14).
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            send_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            retry: Retry::default(),
            head_limit: 4096,
            request_buffering: true,
            buffering: false,
            http10: false,
            connection: None,
        }
    }
}

/// Conditions and bounds of retries (annotations §3.16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retry {
    /// What calls for another try.
    pub on: RetryOn,
    /// Tries in all, the first included; 0 is unlimited.
    pub tries: u32,
    /// No new try starts after this time; zero is no limit.
    pub budget: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { on: RetryOn::default(), tries: 3, budget: Duration::ZERO }
    }
}

/// What calls for another try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RetryOn {
    /// Failure to connect, send or read.
    pub error: bool,
    /// A timeout while connecting, sending or waiting for the head of the answer.
    pub timeout: bool,
    /// An answer whose head is malformed or empty.
    pub invalid_header: bool,
    /// These statuses of an answer.
    pub statuses: Vec<u16>,
    /// Send methods that are not idempotent (POST, LOCK, PATCH) again, too, even after they left.
    pub non_idempotent: bool,
}

impl Default for RetryOn {
    fn default() -> Self {
        Self {
            error: true,
            timeout: true,
            invalid_header: false,
            statuses: Vec::new(),
            non_idempotent: false,
        }
    }
}
