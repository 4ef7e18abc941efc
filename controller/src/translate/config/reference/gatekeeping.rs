//! Keys about who may do what.

use super::{Row, Section, row};

pub(super) static SECTIONS: &[Section] = &[
    Section { heading: "What Ingresses may carry", rows: INGRESSES },
    Section { heading: "Who may come", rows: VISITORS },
    Section { heading: "External authentication for all hosts", rows: AUTHENTICATION },
    Section { heading: "Limits", rows: LIMITS },
    Section { heading: "Client address and forwarding headers", rows: ADDRESS },
    Section { heading: "Web application firewall", rows: FIREWALL },
];

#[rustfmt::skip]
const INGRESSES: &[Row] = &[
    row("allow-cross-namespace-resources", "`false`", "Annotations may name Secrets and ConfigMaps of other namespaces."),
    row("allow-snippet-annotations", "`false`", "Admits `*-snippet` annotations, if `annotations-risk-level` is `Critical` as well."),
    row("annotation-value-word-blocklist", "empty", "Words, separated by commas, that no annotation value may contain; an Ingress with one is refused."),
    row("annotations-risk-level", "`High`", "The highest risk of an annotation that is accepted: `Low`, `Medium`, `High`, `Critical`. Any other word is `Low`."),
    row("global-allowed-response-headers", "empty", "Names of the headers that `custom-headers` may set, separated by commas."),
    row("strict-validate-path-type", "`true`", "Reviews admit only letters, digits and `._-/` in Exact and Prefix paths."),
];

#[rustfmt::skip]
const VISITORS: &[Row] = &[
    row("block-cidrs", "empty", "Networks whose clients get 403, on every path of every host."),
    row("block-referers", "empty", "Values of `Referer` that get 403: a whole value, or a pattern behind `~` or `~*`."),
    row("block-user-agents", "empty", "Values of `User-Agent` that get 403: a whole value, or a pattern behind `~` or `~*`."),
    row("denylist-source-range", "empty", "Networks whose clients get 403 at locations without a list of their own."),
    row("nginx-status-ipv4-whitelist", "`127.0.0.1`", "Who may read `/nginx_status` over IPv4."),
    row("nginx-status-ipv6-whitelist", "`::1`", "Who may read `/nginx_status` over IPv6."),
    row("whitelist-source-range", "empty", "The only networks whose clients may come to locations without a list of their own."),
];

#[rustfmt::skip]
const AUTHENTICATION: &[Row] = &[
    row("global-auth-always-set-cookie", "`false`", "Cookies of the service are passed on whatever the status of the answer."),
    row("global-auth-cache-duration", "none", "How long which answers of the service are remembered, such as `200 202 10m, 401 1m`."),
    row("global-auth-cache-key", "empty", "What answers are remembered by; may contain variables. Empty remembers nothing."),
    row("global-auth-method", "`GET`", "Method of the question."),
    row("global-auth-request-redirect", "the request's target", "Value of `X-Auth-Request-Redirect`."),
    row("global-auth-response-headers", "empty", "Headers of the service's answer that the upstream gets."),
    row("global-auth-signin", "empty", "Where clients are sent whom the service answers 401."),
    row("global-auth-signin-redirect-param", "`rd`", "Query parameter of that URL that carries where the client wanted to go."),
    row("global-auth-snippet", "empty", "Directives for the question: refused, and denies all locations beside `global-auth-url`."),
    row("global-auth-url", "empty", "The service that is asked about every request whose location has none of its own and does not say `enable-global-auth: \"false\"`."),
    row("global-external-auth", "–", "An inner name of the reference."),
    row("no-auth-locations", "`/.well-known/acme-challenge`", "Location paths that begin with one of these ask nobody who he is."),
];

#[rustfmt::skip]
const LIMITS: &[Row] = &[
    row("limit-conn-status-code", "`503`", "Status of the answer to a connection too many."),
    row("limit-conn-zone-variable", "`$binary_remote_addr`", "What clients are counted by. Only their address is available; anything else closes what is limited."),
    row("limit-rate", "`0`", "KiB per second of each answer; 0 is no limit."),
    row("limit-rate-after", "`0`", "KiB of each answer that are sent without that limit."),
    row("limit-req-status-code", "`503`", "Status of the answer to a request too many."),
    row("limit-shared-fallback", "`local`", "What shared limits do while their store is away: `local` counts in each replica, `closed` answers 503. See [shared-limits.md](shared-limits.md)."),
    row("limit-shared-secret", "empty", "Secret with user name and password of the store."),
    row("limit-shared-timeout", "see [shared-limits.md](shared-limits.md)", "How long a request waits for the store."),
    row("limit-shared-url", "empty", "Redis or Valkey in which `headgate.io/limit-shared` counts."),
];

#[rustfmt::skip]
const ADDRESS: &[Row] = &[
    row("compute-full-forwarded-for", "`false`", "`X-Forwarded-For` is what came with the peer behind it; only with `use-forwarded-headers`."),
    row("enable-real-ip", "`false`", "The client's address is taken from `forwarded-for-header`, without trust in the other headers."),
    row("forwarded-for-header", "`X-Forwarded-For`", "The header that names the client."),
    row("forwarded-for-proxy-protocol-header", "–", "Names an inner header of the reference."),
    row("forwarded-host-header", "`X-Forwarded-Host`", "The header that `X-Original-Forwarded-Host` is made of."),
    row("generate-request-id", "`true`", "Requests without an `X-Request-ID` get one."),
    row("proxy-add-original-uri-header", "`false`", "Upstreams get the target as the client wrote it in `X-Original-URI`."),
    row("proxy-protocol-header-timeout", "`5s`", "How long a PROXY header may take in front of connections that are passed through."),
    row("proxy-real-ip-cidr", "`0.0.0.0/0`", "Peers whose headers are believed."),
    row("use-forwarded-headers", "`false`", "Believes `X-Forwarded-For`, `-Proto`, `-Port` and `-Host` of trusted peers."),
    row("use-proxy-protocol", "`false`", "Every connection has to begin with a PROXY header, version 1 or 2."),
];

#[rustfmt::skip]
const FIREWALL: &[Row] = &[
    row("enable-modsecurity", "`false`", "ModSecurity for all locations. There is no firewall here: requests are served unfiltered, with a warning."),
    row("enable-owasp-modsecurity-crs", "`false`", "The OWASP rules for it. The same."),
    row("modsecurity-snippet", "empty", "Rules for it: left out, with a warning."),
];
