//! The keys of the reference as its documentation and its code have them (configmap-and-flags §2), each with what has become
//! of it here: written down a second time, so that none is lost or left open without this test being changed as well.

use std::collections::BTreeSet;

use crate::translate::config::{
    keys, silent,
    status::{
        self,
        Status::{self, Honoured, NoEffect, Refused},
    },
};

/// What does here what it does there.
#[rustfmt::skip]
const HONOURED: [&str; 152] = [
    "access-log-path", "add-headers", "allow-backend-server-header", "allow-cross-namespace-resources",
    "allow-snippet-annotations", "annotation-value-word-blocklist", "annotations-risk-level", "bind-address",
    "bind-address-ipv4", "bind-address-ipv6", "block-cidrs", "block-referers", "block-user-agents", "brotli-level",
    "brotli-min-length", "brotli-types", "client-body-timeout", "client-header-timeout", "compute-full-forwarded-for",
    "custom-http-errors", "default-type", "denylist-source-range", "disable-access-log", "disable-http-access-log",
    "disable-ipv6", "disable-ipv6-dns", "disable-proxy-intercept-errors", "disable-stream-access-log",
    "enable-access-log-for-default-backend", "enable-auth-access-log", "enable-brotli", "enable-ocsp",
    "enable-opentelemetry", "enable-real-ip", "enable-syslog", "enable-underscores-in-headers", "error-log-level",
    "error-log-path", "force-ssl-redirect", "forwarded-for-header", "forwarded-host-header", "generate-request-id",
    "global-allowed-response-headers", "global-auth-always-set-cookie", "global-auth-cache-duration",
    "global-auth-cache-key", "global-auth-method", "global-auth-request-redirect", "global-auth-response-headers",
    "global-auth-signin", "global-auth-signin-redirect-param", "global-auth-url", "gzip-disable", "gzip-level",
    "gzip-min-length", "gzip-types", "hide-headers", "hsts", "hsts-include-subdomains", "hsts-max-age", "hsts-preload",
    "http-access-log-path", "http-redirect-code", "http-snippet", "http2-max-concurrent-streams",
    "ignore-invalid-headers", "keep-alive", "keep-alive-requests", "large-client-header-buffers",
    "limit-conn-status-code", "limit-conn-zone-variable", "limit-rate", "limit-rate-after", "limit-req-status-code",
    "load-balance", "location-snippet", "log-format-escape-json", "log-format-escape-none", "log-format-stream",
    "log-format-upstream", "nginx-status-ipv4-whitelist", "nginx-status-ipv6-whitelist", "no-auth-locations",
    "no-tls-redirect-locations", "opentelemetry-operation-name", "opentelemetry-trust-incoming-span",
    "otel-max-export-batch-size", "otel-max-queuesize", "otel-sampler", "otel-sampler-parent-based",
    "otel-sampler-ratio", "otel-schedule-delay-millis", "otel-service-name", "otlp-collector-host",
    "otlp-collector-port", "preserve-trailing-slash", "proxy-add-original-uri-header", "proxy-body-size",
    "proxy-buffer-size", "proxy-buffering", "proxy-connect-timeout", "proxy-cookie-domain", "proxy-cookie-path",
    "proxy-http-version", "proxy-next-upstream", "proxy-next-upstream-timeout", "proxy-next-upstream-tries",
    "proxy-protocol-header-timeout", "proxy-read-timeout", "proxy-real-ip-cidr", "proxy-redirect-from",
    "proxy-redirect-to", "proxy-request-buffering", "proxy-send-timeout", "proxy-set-headers",
    "proxy-ssl-location-only", "proxy-stream-next-upstream", "proxy-stream-next-upstream-timeout",
    "proxy-stream-next-upstream-tries", "proxy-stream-responses", "proxy-stream-timeout", "relative-redirects",
    "retry-non-idempotent", "server-snippet", "server-tokens", "service-upstream", "skip-access-log-urls",
    "ssl-buffer-size", "ssl-ciphers", "ssl-ecdh-curve", "ssl-protocols", "ssl-redirect", "ssl-reject-handshake",
    "ssl-session-cache", "ssl-session-ticket-key", "ssl-session-tickets", "ssl-session-timeout",
    "stream-access-log-path", "strict-validate-path-type", "syslog-host", "syslog-port",
    "upstream-keepalive-connections", "upstream-keepalive-requests", "upstream-keepalive-time",
    "upstream-keepalive-timeout", "use-forwarded-headers", "use-gzip", "use-http2", "use-port-in-redirects",
    "use-proxy-protocol", "whitelist-source-range", "worker-shutdown-timeout",
];

/// What only tunes nginx, is never read there, or asks for what there is none of here.
#[rustfmt::skip]
const WITHOUT_EFFECT: [&str; 42] = [
    "Resolver", "access-log-params", "app-root", "client-body-buffer-size", "client-header-buffer-size",
    "debug-connections", "enable-aio-write", "enable-modsecurity", "enable-multi-accept",
    "enable-owasp-modsecurity-crs", "enable-serial-reloads", "forwarded-for-proxy-protocol-header",
    "geoip2-autoreload-in-minutes", "global-external-auth", "grpc-buffer-size-kb", "http2-max-field-size",
    "http2-max-header-size", "http2-max-requests", "lua-shared-dicts", "map-hash-bucket-size",
    "max-worker-connections", "max-worker-open-files", "opentelemetry-config", "proxy-buffers-number",
    "proxy-busy-buffers-size", "proxy-headers-hash-bucket-size", "proxy-headers-hash-max-size",
    "proxy-max-temp-file-size", "reuse-port", "server-name-hash-bucket-size", "server-name-hash-max-size",
    "ssl-dh-param", "ssl-early-data", "ssl-session-cache-size", "upstream-hash-by", "upstream-hash-by-subset",
    "upstream-hash-by-subset-size", "use-geoip2", "variables-hash-bucket-size", "variables-hash-max-size",
    "worker-cpu-affinity", "worker-processes",
];

/// Raw configuration of what there is none of here.
#[rustfmt::skip]
const REFUSED: [&str; 4] = [
    "global-auth-snippet", "main-snippet", "modsecurity-snippet", "stream-snippet",
];

/// What is documented there and has no effect there either (§2.3).
#[rustfmt::skip]
const DEAD: [&str; 14] = [
    "jaeger-baggage-header", "jaeger-collector-host", "jaeger-collector-port", "jaeger-debug-header",
    "jaeger-endpoint", "jaeger-propagation-format", "jaeger-sampler-host", "jaeger-sampler-param",
    "jaeger-sampler-port", "jaeger-sampler-type", "jaeger-service-name", "jaeger-trace-baggage-header-prefix",
    "jaeger-trace-context-header-name", "use-geoip",
];

fn contract() -> impl Iterator<Item = (&'static str, Status)> {
    let of = |names: &'static [&'static str], status| names.iter().map(move |name| (*name, status));
    of(&HONOURED, Honoured)
        .chain(of(&WITHOUT_EFFECT, NoEffect))
        .chain(of(&REFUSED, Refused))
        .chain(of(&DEAD, NoEffect))
}

#[test]
fn every_key_of_the_reference_has_become_what_is_said_here() {
    // 187 keys of its struct, 11 that are handled by name, 14 without effect.
    assert_eq!(contract().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), 187 + 11 + 14);
    for (name, expected) in contract() {
        assert_eq!(status::of(name), Some(expected), "{name}");
    }
}

#[test]
fn no_other_key_is_known_but_our_own() {
    let contract: BTreeSet<_> = contract().map(|(name, _)| name).collect();
    let ours = ["headgate-standby", "limit-shared-", "zstd-", "enable-zstd"];
    for name in keys::names().chain(silent::names()) {
        let is_ours = ours.iter().any(|own| name.starts_with(own));
        assert!(contract.contains(name) != is_ours, "{name}");
    }
}

/// A merge that keeps both sides of a line must not go unnoticed: what stands twice is read twice.
#[test]
fn every_key_stands_once() {
    let mut names = BTreeSet::new();
    for name in keys::names().chain(silent::names()) {
        assert!(names.insert(name), "{name} stands twice");
    }
}
