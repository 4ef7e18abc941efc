//! The table of annotations against that of the reference (annotations §2), column by column.

use super::{
    check::Kind::{self, Boolean, Choice, List, Number, Size, Text},
    definition::{
        Bad, Definition,
        Risk::{self, Critical, High, Low, Medium},
        Scope::{self, Global, Host, Ingress, Location, LocationAndHost, Service},
    },
    group::Group::{self, *},
    *,
};

/// What a bad value does in the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    Denied,
    Unset,
    /// As if nothing of its kind were there.
    Skipped,
    /// No value is bad.
    Never,
}
use Outcome::{Denied, Never, Refused, Skipped, Unset};

/// Name, kind of its value, what it changes, risk, group, what a bad value does.
type Fact = (&'static str, Kind, Scope, Risk, Group, Outcome);

#[rustfmt::skip]
const FACTS: [Fact; 138] = [
    ("affinity", Choice, Service, Low, Affinity, Unset),
    ("affinity-canary-behavior", Choice, Service, Low, Affinity, Unset),
    ("affinity-mode", Choice, Service, Medium, Affinity, Unset),
    ("allowlist-source-range", List, Location, Medium, Auth, Denied),
    ("app-root", Text, Host, Medium, Rewrite, Unset),
    ("auth-always-set-cookie", Boolean, Location, Low, Auth, Skipped),
    ("auth-cache-duration", List, Location, Medium, Auth, Skipped),
    ("auth-cache-key", Text, Location, Medium, Auth, Unset),
    ("auth-keepalive", Number, Location, Low, Auth, Unset),
    ("auth-keepalive-requests", Number, Location, Low, Auth, Unset),
    ("auth-keepalive-share-vars", Boolean, Location, Low, Auth, Unset),
    ("auth-keepalive-timeout", Number, Location, Low, Auth, Unset),
    ("auth-method", Choice, Location, Low, Auth, Denied),
    ("auth-proxy-set-headers", Text, Location, Medium, Auth, Unset),
    ("auth-realm", Text, Location, Medium, Auth, Refused),
    ("auth-request-redirect", Text, Location, Medium, Auth, Skipped),
    ("auth-response-headers", List, Location, Medium, Auth, Denied),
    ("auth-secret", Text, Location, Medium, Auth, Denied),
    ("auth-secret-type", Choice, Location, Low, Auth, Refused),
    ("auth-signin", Text, Location, High, Auth, Unset),
    ("auth-signin-redirect-param", Text, Location, Medium, Auth, Unset),
    ("auth-snippet", Text, Location, Critical, Snippet, Never),
    ("auth-tls-error-page", Text, Host, High, Auth, Refused),
    ("auth-tls-match-cn", Text, Host, High, Auth, Refused),
    ("auth-tls-pass-certificate-to-upstream", Boolean, Host, Low, Auth, Refused),
    ("auth-tls-secret", Text, Host, Medium, Auth, Refused),
    ("auth-tls-verify-client", Choice, Host, Medium, Auth, Unset),
    ("auth-tls-verify-depth", Number, Host, Low, Auth, Unset),
    ("auth-type", Choice, Location, Low, Auth, Refused),
    ("auth-url", Text, Location, High, Auth, Refused),
    ("backend-protocol", Choice, Location, Low, Protocol, Unset),
    ("canary", Boolean, Ingress, Low, Canary, Unset),
    ("canary-by-cookie", Text, Service, Medium, Canary, Unset),
    ("canary-by-header", Text, Service, Medium, Canary, Unset),
    ("canary-by-header-pattern", Text, Service, Medium, Canary, Unset),
    ("canary-by-header-value", Text, Service, Medium, Canary, Unset),
    ("canary-weight", Number, Service, Low, Canary, Unset),
    ("canary-weight-total", Number, Service, Low, Canary, Unset),
    ("client-body-buffer-size", Size, Location, Low, Buffering, Refused),
    ("configuration-snippet", Text, Location, Critical, Snippet, Never),
    ("connection-proxy-header", Choice, Location, Low, Headers, Refused),
    ("cors-allow-credentials", Boolean, Location, Low, Cors, Unset),
    ("cors-allow-headers", List, Location, Medium, Cors, Unset),
    ("cors-allow-methods", List, Location, Medium, Cors, Unset),
    ("cors-allow-origin", List, Location, Medium, Cors, Unset),
    ("cors-expose-headers", List, Location, Medium, Cors, Unset),
    ("cors-max-age", Number, Location, Low, Cors, Unset),
    ("custom-headers", Text, Location, Medium, Headers, Unset),
    ("custom-http-errors", List, Location, Low, Routing, Refused),
    ("default-backend", Text, Location, Low, Routing, Refused),
    ("denylist-source-range", List, Location, Medium, Auth, Denied),
    ("disable-proxy-intercept-errors", Boolean, Location, Low, Routing, Unset),
    ("enable-access-log", Boolean, Location, Low, Observability, Unset),
    ("enable-cors", Boolean, Location, Low, Cors, Unset),
    ("enable-global-auth", Boolean, Location, Low, Auth, Unset),
    ("enable-modsecurity", Boolean, Location, Low, Firewall, Unset),
    ("enable-opentelemetry", Boolean, Location, Low, Observability, Unset),
    ("enable-owasp-core-rules", Boolean, Location, Low, Firewall, Unset),
    ("enable-rewrite-log", Boolean, Location, Low, Observability, Unset),
    ("fastcgi-index", Text, Location, Medium, Protocol, Refused),
    ("fastcgi-params-configmap", Text, Location, Medium, Protocol, Refused),
    ("force-ssl-redirect", Boolean, Location, Medium, Redirect, Unset),
    ("from-to-www-redirect", Boolean, Host, Low, Redirect, Refused),
    ("http2-push-preload", Boolean, Location, Low, Protocol, Refused),
    ("limit-allowlist", List, Location, Low, RateLimit, Refused),
    ("limit-burst-multiplier", Number, Location, Low, RateLimit, Unset),
    ("limit-connections", Number, Location, Low, RateLimit, Refused),
    ("limit-rate", Number, Location, Low, RateLimit, Unset),
    ("limit-rate-after", Number, Location, Low, RateLimit, Unset),
    ("limit-rpm", Number, Location, Low, RateLimit, Refused),
    ("limit-rps", Number, Location, Low, RateLimit, Refused),
    ("limit-whitelist", List, Location, Low, RateLimit, Refused),
    ("load-balance", Choice, Service, Low, LoadBalancing, Refused),
    ("mirror-host", Text, Location, High, Mirror, Unset),
    ("mirror-request-body", Choice, Location, Low, Mirror, Unset),
    ("mirror-target", Text, Location, High, Mirror, Unset),
    ("modsecurity-snippet", Text, Location, Critical, Snippet, Never),
    ("modsecurity-transaction-id", Text, Location, High, Firewall, Unset),
    ("opentelemetry-operation-name", Text, Location, Medium, Observability, Refused),
    ("opentelemetry-trust-incoming-span", Boolean, Location, Low, Observability, Unset),
    ("permanent-redirect", Text, Location, Medium, Redirect, Refused),
    ("permanent-redirect-code", Number, Location, Low, Redirect, Refused),
    ("preserve-trailing-slash", Boolean, Location, Medium, Redirect, Unset),
    ("proxy-body-size", Size, Location, Medium, Body, Unset),
    ("proxy-buffer-size", Size, Location, Low, Buffering, Unset),
    ("proxy-buffering", Choice, Location, Low, Buffering, Unset),
    ("proxy-buffers-number", Number, Location, Low, Buffering, Unset),
    ("proxy-busy-buffers-size", Size, Location, Low, Buffering, Unset),
    ("proxy-connect-timeout", Number, Location, Low, Timeouts, Unset),
    ("proxy-cookie-domain", Text, Location, Medium, Headers, Unset),
    ("proxy-cookie-path", Text, Location, Medium, Headers, Unset),
    ("proxy-http-version", Choice, Location, Low, Protocol, Unset),
    ("proxy-max-temp-file-size", Size, Location, Low, Buffering, Unset),
    ("proxy-next-upstream", List, Location, Medium, Timeouts, Unset),
    ("proxy-next-upstream-timeout", Number, Location, Low, Timeouts, Unset),
    ("proxy-next-upstream-tries", Number, Location, Low, Timeouts, Unset),
    ("proxy-read-timeout", Number, Location, Low, Timeouts, Unset),
    ("proxy-redirect-from", Text, Location, Medium, Headers, Unset),
    ("proxy-redirect-to", Text, Location, Medium, Headers, Unset),
    ("proxy-request-buffering", Choice, Location, Low, Buffering, Unset),
    ("proxy-send-timeout", Number, Location, Low, Timeouts, Unset),
    ("proxy-ssl-ciphers", List, LocationAndHost, Medium, Tls, Unset),
    ("proxy-ssl-name", Text, LocationAndHost, High, Tls, Unset),
    ("proxy-ssl-protocols", List, LocationAndHost, Low, Tls, Unset),
    ("proxy-ssl-secret", Text, LocationAndHost, Medium, Tls, Refused),
    ("proxy-ssl-server-name", Choice, LocationAndHost, Low, Tls, Unset),
    ("proxy-ssl-verify", Choice, LocationAndHost, Low, Tls, Unset),
    ("proxy-ssl-verify-depth", Number, LocationAndHost, Low, Tls, Unset),
    ("relative-redirects", Boolean, Location, Low, Redirect, Refused),
    ("rewrite-target", Text, LocationAndHost, Medium, Rewrite, Unset),
    ("satisfy", Choice, Location, Low, Auth, Unset),
    ("server-alias", List, Host, High, Routing, Refused),
    ("server-snippet", Text, Host, Critical, Snippet, Never),
    ("service-upstream", Boolean, Service, Low, LoadBalancing, Unset),
    ("session-cookie-change-on-failure", Boolean, Service, Low, Affinity, Unset),
    ("session-cookie-conditional-samesite-none", Boolean, Service, Low, Affinity, Unset),
    ("session-cookie-domain", Text, Service, Medium, Affinity, Unset),
    ("session-cookie-expires", Number, Service, Medium, Affinity, Unset),
    ("session-cookie-max-age", Number, Service, Medium, Affinity, Unset),
    ("session-cookie-name", Text, Service, Medium, Affinity, Unset),
    ("session-cookie-path", Text, Service, Medium, Affinity, Unset),
    ("session-cookie-samesite", Choice, Service, Low, Affinity, Unset),
    ("session-cookie-secure", Boolean, Service, Low, Affinity, Unset),
    ("ssl-ciphers", List, Host, Low, Tls, Refused),
    ("ssl-passthrough", Boolean, Host, Low, Tls, Refused),
    ("ssl-prefer-server-ciphers", Boolean, Host, Low, Tls, Unset),
    ("ssl-redirect", Boolean, Location, Low, Redirect, Unset),
    ("stream-snippet", Text, Global, Critical, Snippet, Never),
    ("temporal-redirect", Text, Location, Medium, Redirect, Refused),
    ("temporal-redirect-code", Number, Location, Low, Redirect, Refused),
    ("upstream-hash-by", Text, Service, High, LoadBalancing, Refused),
    ("upstream-hash-by-subset", Boolean, Service, Low, LoadBalancing, Refused),
    ("upstream-hash-by-subset-size", Number, Service, Low, LoadBalancing, Refused),
    ("upstream-vhost", Text, Location, Low, Headers, Refused),
    ("use-port-in-redirects", Boolean, Location, Low, Redirect, Unset),
    ("use-regex", Boolean, Host, Low, Routing, Unset),
    ("whitelist-source-range", List, Location, Medium, Auth, Denied),
    ("x-forwarded-prefix", Text, Location, Medium, Headers, Refused),
];

/// Where a bad value closes the locations here, and leaves them open in the reference.
const CLOSED_HERE: [&str; 4] = [
    "auth-always-set-cookie",
    "auth-cache-duration",
    "auth-proxy-set-headers",
    "auth-request-redirect",
];

/// Names that only tune nginx, or ask for what there is none of here.
const WITHOUT_EFFECT: [&str; 13] = [
    "auth-keepalive",
    "auth-keepalive-requests",
    "auth-keepalive-share-vars",
    "auth-keepalive-timeout",
    "client-body-buffer-size",
    "enable-modsecurity",
    "enable-owasp-core-rules",
    "enable-rewrite-log",
    "http2-push-preload",
    "modsecurity-transaction-id",
    "proxy-buffers-number",
    "proxy-busy-buffers-size",
    "proxy-max-temp-file-size",
];

/// Raw configuration of what there is none of here.
const REFUSED: [&str; 3] = ["auth-snippet", "modsecurity-snippet", "stream-snippet"];

fn defined(name: &str) -> &'static Definition {
    BY_NAME.get(name).unwrap_or_else(|| panic!("{name} is missing"))
}

#[test]
fn every_name_of_the_reference_is_there_and_no_other_but_ours() {
    let known: BTreeSet<_> = FACTS.iter().map(|fact| fact.0).collect();
    assert_eq!(known.len(), FACTS.len());
    let ours = BY_NAME.keys().copied().filter(|name| !name.starts_with(OWN_PREFIX));
    assert_eq!(ours.collect::<BTreeSet<_>>(), known);
    for (older, name) in [
        ("whitelist-source-range", "allowlist-source-range"),
        ("limit-whitelist", "limit-allowlist"),
    ] {
        assert_eq!(defined(older).name, name);
    }
    assert_eq!(all().filter(|(_, definition)| definition.alias.is_some()).count(), 2);
}

#[test]
fn every_name_is_honoured_but_those_of_which_it_is_said() {
    for (state, definition) in all() {
        let expected = match definition.name {
            name if WITHOUT_EFFECT.contains(&name) => NoEffect,
            name if REFUSED.contains(&name) => State::Refused,
            _ => Honoured,
        };
        assert_eq!(state, expected, "{}", definition.name);
    }
    let names = all().flat_map(|(_, definition)| definition.names()).collect::<BTreeSet<_>>();
    for name in WITHOUT_EFFECT.iter().chain(&REFUSED) {
        assert!(names.contains(name), "{name} is missing");
    }
}

/// A merge that keeps both sides of a line must not go unnoticed: what stands twice is read twice.
#[test]
fn every_name_and_every_family_stands_once() {
    let mut names = BTreeSet::new();
    for name in all().flat_map(|(_, definition)| definition.names()) {
        assert!(names.insert(name), "{name} stands twice");
    }
    let mut families = BTreeSet::new();
    for family in FAMILIES {
        let first = family.annotations.first().and_then(|annotations| annotations.first());
        let first = first.expect("a family has annotations").name;
        assert!(families.insert(first), "the family of {first} stands twice");
    }
}

#[test]
fn kinds_scopes_risks_and_groups_are_those_of_the_reference() {
    for (name, kind, scope, risk, group, _) in FACTS {
        let definition = defined(name);
        let documentation = definition.documentation.as_ref();
        assert_eq!(
            (definition.check.kind, definition.scope, definition.risk),
            (kind, scope, risk),
            "{name}"
        );
        assert_eq!(documentation.map(|text| text.group), Some(group), "{name}");
    }
}

#[test]
fn bad_values_do_what_they_do_in_the_reference_unless_that_opens_something() {
    for (name, _, _, _, _, outcome) in FACTS {
        let definition = defined(name);
        let expected = match outcome {
            _ if CLOSED_HERE.contains(&name) => Bad::Deny,
            Refused => Bad::Refuse,
            Denied => Bad::Deny,
            Unset | Never => Bad::Fallback,
            Skipped => panic!("{name}: what is skipped may be what protects"),
        };
        assert_eq!(definition.bad, expected, "{name}");
        let refuses_something = !(definition.check.accepts)("\u{e9}\n;\"");
        assert_eq!(refuses_something, outcome != Never, "{name}");
    }
}

#[test]
fn risks_add_up() {
    let count = |risk| FACTS.iter().filter(|fact| defined(fact.0).risk == risk).count();
    // With the two older names.
    assert_eq!([Low, Medium, High, Critical].map(count), [77, 46, 10, 5]);
}

#[test]
fn every_annotation_is_documented_in_a_line() {
    for (_, definition) in all() {
        let name = definition.name;
        let text = definition.documentation.as_ref().unwrap_or_else(|| panic!("{name}"));
        for line in [text.default, text.does, definition.check.expects] {
            assert!(!line.is_empty() && !line.contains('\n'), "{name}: {line:?}");
        }
        assert!(
            !format!("{}{}", text.default, text.does).contains('|'),
            "{name}: breaks its table"
        );
        assert!(text.does.ends_with('.'), "{name}: {}", text.does);
    }
}
