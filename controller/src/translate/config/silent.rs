//! ConfigMap keys that have no effect and of which nothing more is to be said.

/// Whether a key only tunes the reference's own workings, or has no effect there either.
pub fn has_no_effect(name: &str) -> bool {
    NO_EFFECT.contains(&name)
}

/// The names of all of them.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    NO_EFFECT.iter().copied()
}

#[rustfmt::skip]
const NO_EFFECT: &[&str] = &[
    "Resolver", "app-root", "client-body-buffer-size", "client-header-buffer-size", "debug-connections",
    "enable-aio-write", "enable-multi-accept", "enable-serial-reloads", "forwarded-for-proxy-protocol-header",
    "global-external-auth", "grpc-buffer-size-kb", "http2-max-field-size", "http2-max-header-size",
    "http2-max-requests", "jaeger-baggage-header", "jaeger-collector-host", "jaeger-collector-port",
    "jaeger-debug-header", "jaeger-endpoint", "jaeger-propagation-format", "jaeger-sampler-host",
    "jaeger-sampler-param", "jaeger-sampler-port", "jaeger-sampler-type", "jaeger-service-name",
    "jaeger-trace-baggage-header-prefix", "jaeger-trace-context-header-name", "lua-shared-dicts",
    "map-hash-bucket-size", "max-worker-connections", "max-worker-open-files", "opentelemetry-config",
    "proxy-buffers-number", "proxy-busy-buffers-size", "proxy-headers-hash-bucket-size",
    "proxy-headers-hash-max-size", "proxy-max-temp-file-size", "reuse-port", "server-name-hash-bucket-size",
    "server-name-hash-max-size", "ssl-session-cache-size",
    "upstream-hash-by", "upstream-hash-by-subset", "upstream-hash-by-subset-size", "use-geoip",
    "variables-hash-bucket-size", "variables-hash-max-size", "worker-cpu-affinity",
];
