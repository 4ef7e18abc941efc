//! The names of the groups that the reference puts annotations into. Only its refusals show them.

/// The group of an annotation, by the annotation's own name (not an older one).
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
    use super::{super::FAMILIES, *};

    #[test]
    fn every_annotation_has_one() {
        let all = FAMILIES.iter().flat_map(|family| family.annotations);
        let without: Vec<_> =
            all.map(|definition| definition.name).filter(|name| of(name) == "Unknown").collect();
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
