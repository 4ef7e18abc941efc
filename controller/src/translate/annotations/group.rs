//! What annotations belong to: for users, and in the words of the reference's refusals.

/// What an annotation belongs to, for users (annotations §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Clients that come back to the same endpoint.
    Affinity,
    /// Who is let in.
    Auth,
    /// The size of requests.
    Body,
    /// What is kept in memory.
    Buffering,
    /// A share of the traffic for a new version.
    Canary,
    /// Scripts of other origins.
    Cors,
    /// Headers of requests and answers.
    Headers,
    /// Which endpoint serves a request.
    LoadBalancing,
    /// Copies of requests.
    Mirror,
    /// Logs and traces.
    Observability,
    /// How upstreams are spoken to.
    Protocol,
    /// How much clients may ask for.
    RateLimit,
    /// Answers that lead elsewhere.
    Redirect,
    /// Paths that upstreams see.
    Rewrite,
    /// Which location a request belongs to, and who answers in its place.
    Routing,
    /// Raw configuration.
    Snippet,
    /// Times and tries.
    Timeouts,
    /// Encryption, towards clients and towards upstreams.
    Tls,
    /// A firewall.
    Firewall,
}

impl Group {
    /// What it is called in the documentation.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Affinity => "Affinity",
            Self::Auth => "Authentication and access",
            Self::Body => "Bodies",
            Self::Buffering => "Buffering",
            Self::Canary => "Canary",
            Self::Cors => "Cross-origin requests",
            Self::Headers => "Headers",
            Self::LoadBalancing => "Load balancing",
            Self::Mirror => "Mirroring",
            Self::Observability => "Logs and traces",
            Self::Protocol => "Protocols",
            Self::RateLimit => "Limits",
            Self::Redirect => "Redirects",
            Self::Rewrite => "Rewriting",
            Self::Routing => "Routing",
            Self::Snippet => "Snippets",
            Self::Timeouts => "Timeouts and retries",
            Self::Tls => "TLS",
            Self::Firewall => "Firewall",
        }
    }
}

/// What refusals of the reference call the group of an annotation, by the annotation's own name (not an older one).
pub fn of(name: &str) -> &'static str {
    let exact = BY_NAME.iter().find(|(annotation, _)| *annotation == name);
    let prefix = || BY_PREFIX.iter().find(|(prefix, _)| name.starts_with(prefix));
    exact.or_else(prefix).map_or("Unknown", |(_, group)| group)
}

const BY_NAME: &[(&str, &str)] = &[
    ("allowlist-source-range", "Allowlist"),
    ("app-root", "Rewrite"),
    ("auth-realm", "BasicDigestAuth"),
    ("auth-secret", "BasicDigestAuth"),
    ("auth-secret-type", "BasicDigestAuth"),
    ("auth-type", "BasicDigestAuth"),
    ("backend-protocol", "BackendProtocol"),
    ("client-body-buffer-size", "ClientBodyBufferSize"),
    ("configuration-snippet", "ConfigurationSnippet"),
    ("connection-proxy-header", "Connection"),
    ("custom-headers", "CustomHeaders"),
    ("custom-http-errors", "CustomHTTPErrors"),
    ("default-backend", "DefaultBackend"),
    ("denylist-source-range", "Denylist"),
    ("disable-proxy-intercept-errors", "DisableProxyInterceptErrors"),
    ("enable-access-log", "Logs"),
    ("enable-cors", "CorsConfig"),
    ("enable-global-auth", "EnableGlobalAuth"),
    ("enable-modsecurity", "ModSecurity"),
    ("enable-opentelemetry", "Opentelemetry"),
    ("enable-owasp-core-rules", "ModSecurity"),
    ("enable-rewrite-log", "Logs"),
    ("force-ssl-redirect", "Rewrite"),
    ("headgate.io/limit-shared", "RateLimit"),
    ("http2-push-preload", "HTTP2PushPreload"),
    ("load-balance", "LoadBalancing"),
    ("preserve-trailing-slash", "Rewrite"),
    ("rewrite-target", "Rewrite"),
    ("satisfy", "Satisfy"),
    ("server-alias", "Aliases"),
    ("server-snippet", "ServerSnippet"),
    ("service-upstream", "ServiceUpstream"),
    ("ssl-ciphers", "SSLCipher"),
    ("ssl-passthrough", "SSLPassthrough"),
    ("ssl-prefer-server-ciphers", "SSLCipher"),
    ("ssl-redirect", "Rewrite"),
    ("stream-snippet", "StreamSnippet"),
    ("upstream-vhost", "UpstreamVhost"),
    ("use-port-in-redirects", "UsePortInRedirects"),
    ("use-regex", "Rewrite"),
    ("x-forwarded-prefix", "XForwardedPrefix"),
];

/// For names that are not listed above. The longer prefix comes first.
const BY_PREFIX: &[(&str, &str)] = &[
    ("affinity", "SessionAffinity"),
    ("auth-tls-", "CertificateAuth"),
    ("auth-", "ExternalAuth"),
    ("canary", "Canary"),
    ("cors-", "CorsConfig"),
    ("fastcgi-", "FastCGI"),
    ("from-to-www-", "Redirect"),
    ("headgate.io/jwt-", "JWT"),
    ("limit-", "RateLimit"),
    ("mirror-", "Mirror"),
    ("modsecurity-", "ModSecurity"),
    ("opentelemetry-", "Opentelemetry"),
    ("permanent-redirect", "Redirect"),
    ("proxy-ssl-", "ProxySSL"),
    ("proxy-", "Proxy"),
    ("relative-redirects", "Redirect"),
    ("session-cookie-", "SessionAffinity"),
    ("temporal-redirect", "Redirect"),
    ("upstream-hash-by", "UpstreamHashBy"),
];

#[cfg(test)]
mod tests {
    use super::{super::all, *};

    #[test]
    fn every_annotation_has_one() {
        let without: Vec<_> = all()
            .map(|(_, definition)| definition.name)
            .filter(|name| of(name) == "Unknown")
            .collect();
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn names_go_before_prefixes_and_longer_prefixes_before_shorter_ones() {
        for (name, group) in [
            ("auth-type", "BasicDigestAuth"),
            ("auth-tls-secret", "CertificateAuth"),
            ("auth-snippet", "ExternalAuth"),
            ("proxy-ssl-name", "ProxySSL"),
            ("proxy-body-size", "Proxy"),
            ("modsecurity-snippet", "ModSecurity"),
        ] {
            assert_eq!(of(name), group, "{name}");
        }
    }
}
