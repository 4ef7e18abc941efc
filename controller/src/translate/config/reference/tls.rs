//! Keys about TLS and redirects to it.

use super::{Row, Section, row};

pub(super) static SECTIONS: &[Section] = &[
    Section { heading: "Redirects and HSTS", rows: REDIRECTS },
    Section { heading: "TLS towards clients", rows: TLS },
];

#[rustfmt::skip]
const REDIRECTS: &[Row] = &[
    row("force-ssl-redirect", "`false`", "Default of the annotation."),
    row("hsts", "`true`", "Answers over TLS have `Strict-Transport-Security`."),
    row("hsts-include-subdomains", "`true`", "… with `includeSubDomains`."),
    row("hsts-max-age", "`31536000`", "… with this age in seconds."),
    row("hsts-preload", "`false`", "… with `preload`."),
    row("http-redirect-code", "`308`", "Status of redirects to HTTPS and between `www.` and not: 301, 302, 307 or 308."),
    row("no-tls-redirect-locations", "`/.well-known/acme-challenge`", "Location paths that begin with one of these are not redirected to HTTPS."),
    row("preserve-trailing-slash", "`false`", "Default of the annotation."),
    row("relative-redirects", "`false`", "Redirects that a path makes name no host."),
    row("ssl-redirect", "`true`", "Default of the annotation."),
    row("use-port-in-redirects", "`false`", "Default of the annotation."),
];

#[rustfmt::skip]
const TLS: &[Row] = &[
    row("enable-ocsp", "`false`", "Staples what the certificate's responder says about it, from the second handshake on; the Secret needs the issuer in its chain."),
    row("ssl-buffer-size", "`16k`", "Largest record that is sent."),
    row("ssl-ciphers", "ECDHE with AES-GCM or ChaCha20", "Cipher suites of TLS 1.2 as OpenSSL lists them. What there is none of here is named in a warning."),
    row("ssl-dh-param", "empty", "Nothing but a warning: there are no DHE suites here."),
    row("ssl-early-data", "`false`", "Nothing but a warning: requests in the first flight could be sent again by others, so they are taken after it."),
    row("ssl-ecdh-curve", "`auto`", "Groups of the key exchange, separated by colons."),
    row("ssl-protocols", "`TLSv1.2 TLSv1.3`", "Versions, separated by blanks. Others than these two are named in a warning."),
    row("ssl-reject-handshake", "`false`", "Ends handshakes that name no host, or none that is known."),
    row("ssl-session-cache", "`true`", "Remembers sessions."),
    row("ssl-session-cache-size", "`10m`", "Size of a cache of nginx."),
    row("ssl-session-ticket-key", "empty", "Key of session tickets, 48 or 80 bytes in Base64, for replicas to have in common."),
    row("ssl-session-tickets", "`false`", "Gives clients tickets to resume sessions with."),
    row("ssl-session-timeout", "`10m`", "How long a session can be resumed."),
];
