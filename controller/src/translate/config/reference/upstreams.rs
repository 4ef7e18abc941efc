//! Keys about what lies behind the gateway.

use super::{Row, Section, row};

pub(super) static SECTIONS: &[Section] = &[
    Section { heading: "Proxying", rows: PROXYING },
    Section { heading: "Upstream connections and balancing", rows: CONNECTIONS },
    Section { heading: "TCP and UDP services", rows: STREAMS },
];

#[rustfmt::skip]
const PROXYING: &[Row] = &[
    row("proxy-buffer-size", "`4k`", "Largest head of an answer; a larger one is a 502."),
    row("proxy-buffering", "`off`", "Default of the annotation."),
    row("proxy-buffers-number", "`4`", "Buffers of nginx."),
    row("proxy-busy-buffers-size", "–", "A buffer of nginx."),
    row("proxy-connect-timeout", "`5`", "Seconds to connect to an upstream."),
    row("proxy-cookie-domain", "`off`", "Default of the annotation."),
    row("proxy-cookie-path", "`off`", "Default of the annotation."),
    row("proxy-http-version", "`1.1`", "Default of the annotation."),
    row("proxy-max-temp-file-size", "`1024m`", "A file of nginx."),
    row("proxy-next-upstream", "`error timeout`", "What calls for another try."),
    row("proxy-next-upstream-timeout", "`0`", "Seconds after which no new try begins; 0 is no limit."),
    row("proxy-next-upstream-tries", "`3`", "Tries in all."),
    row("proxy-read-timeout", "`60`", "Seconds between two parts of an answer."),
    row("proxy-redirect-from", "`off`", "Default of the annotation."),
    row("proxy-redirect-to", "`off`", "Default of the annotation."),
    row("proxy-request-buffering", "`on`", "Receives the whole request before the upstream is contacted."),
    row("proxy-send-timeout", "`60`", "Seconds between two parts of a request."),
    row("proxy-set-headers", "empty", "`namespace/name` of a ConfigMap with headers for all upstreams, in place of the client's; `$name` is a variable, an empty value removes the header. What it says is live at once."),
    row("proxy-ssl-location-only", "`false`", "`proxy-ssl-*` holds for the locations of its Ingress only."),
    row("retry-non-idempotent", "`false`", "Tries POST, LOCK and PATCH again, too."),
];

#[rustfmt::skip]
const CONNECTIONS: &[Row] = &[
    row("app-root", "–", "The reference never reads it; use the annotation."),
    row("grpc-buffer-size-kb", "`0`", "A buffer of nginx."),
    row("load-balance", "`round_robin`", "`round_robin` or `ewma`; anything else is the first."),
    row("service-upstream", "`false`", "Sends requests to the Service's address, not to its endpoints."),
    row("upstream-hash-by", "–", "The reference never reads it; use the annotation."),
    row("upstream-hash-by-subset", "–", "The reference never reads it; use the annotation."),
    row("upstream-hash-by-subset-size", "–", "The reference never reads it; use the annotation."),
    row("upstream-keepalive-connections", "`320`", "Idle connections that each worker keeps; 0 keeps none."),
    row("upstream-keepalive-requests", "`10000`", "Requests of one upstream connection."),
    row("upstream-keepalive-time", "`1h`", "Age of an upstream connection that is used no more."),
    row("upstream-keepalive-timeout", "`60`", "Seconds for which an idle one is kept."),
];

#[rustfmt::skip]
const STREAMS: &[Row] = &[
    row("proxy-stream-next-upstream", "`true`", "Tries another endpoint if one cannot be reached."),
    row("proxy-stream-next-upstream-timeout", "`600s`", "How long."),
    row("proxy-stream-next-upstream-tries", "`3`", "How often."),
    row("proxy-stream-responses", "`1`", "Datagrams that answer one of a client's."),
    row("proxy-stream-timeout", "`600s`", "How long a connection or session may be idle."),
];
