//! Keys about connections and answers to clients.

use super::{Row, Section, row};

pub(super) static SECTIONS: &[Section] = &[
    Section { heading: "Listeners and client connections", rows: CONNECTIONS },
    Section { heading: "Headers and pages", rows: HEADERS },
    Section { heading: "Compression", rows: COMPRESSION },
];

#[rustfmt::skip]
const CONNECTIONS: &[Row] = &[
    row("bind-address", "all addresses", "Addresses of this machine, separated by commas, at which HTTP, HTTPS, TCP and UDP services are served, of those that `--bind-address` names. Live at once."),
    row("bind-address-ipv4", "–", "More of them; an inner name of the reference."),
    row("bind-address-ipv6", "–", "More of them; an inner name of the reference."),
    row("client-body-buffer-size", "`8k`", "A buffer of nginx."),
    row("client-body-timeout", "`60`", "Seconds between two parts of a request's body."),
    row("client-header-buffer-size", "`1k`", "A buffer of nginx; what clients notice is `large-client-header-buffers`."),
    row("client-header-timeout", "`60`", "Seconds for a request's head."),
    row("disable-ipv6", "`false`", "Serves at no IPv6 address."),
    row("disable-ipv6-dns", "`false`", "Asks for no IPv6 addresses of names. Without it they are asked for where there is no IPv4 address."),
    row("enable-underscores-in-headers", "`false`", "Header names may contain `_`."),
    row("http2-max-concurrent-streams", "`128`", "Streams of one HTTP/2 connection."),
    row("http2-max-field-size", "–", "Has no effect in the reference either."),
    row("http2-max-header-size", "–", "Has no effect in the reference either."),
    row("http2-max-requests", "–", "Has no effect in the reference either; see `keep-alive-requests`."),
    row("ignore-invalid-headers", "`true`", "Headers whose names are odd are dropped; `false` passes them on."),
    row("keep-alive", "`75`", "Seconds for which an idle client connection is kept; 0 closes after each answer."),
    row("keep-alive-requests", "`1000`", "Requests of one client connection."),
    row("large-client-header-buffers", "`4 8k`", "Number and size: of the lines of a head, and of each."),
    row("proxy-body-size", "`1m`", "Largest request body; 0 is no limit."),
    row("reuse-port", "`true`", "How nginx listens."),
    row("use-http2", "`true`", "Offers HTTP/2, over TLS and to those who begin with it."),
];

#[rustfmt::skip]
const HEADERS: &[Row] = &[
    row("add-headers", "empty", "`namespace/name` of a ConfigMap with headers for all answers; `$name` is a variable, an empty value removes the header. What it says is live at once."),
    row("allow-backend-server-header", "`false`", "Passes the upstream's `Server` header on, if `server-tokens` is true."),
    row("custom-http-errors", "empty", "Statuses from 300 to 599, separated by commas, whose answers the default backend gives."),
    row("default-type", "`text/html`", "`Content-Type` of texts that are answered without one: those of `return` in snippets, and the 403 of `auth-tls-match-cn`."),
    row("disable-proxy-intercept-errors", "`false`", "Only answers of the gateway's own are replaced by `custom-http-errors`."),
    row("hide-headers", "empty", "Headers of upstreams that clients do not get, separated by commas."),
    row("server-tokens", "`false`", "Names the program in `Server` and on pages."),
];

#[rustfmt::skip]
const COMPRESSION: &[Row] = &[
    row("brotli-level", "`4`", "0 to 11; above 6 it tries no harder than with 6."),
    row("brotli-min-length", "`20`", "Bytes of the smallest answer that is compressed."),
    row("brotli-types", "a list", "Media types that are compressed, separated by blanks."),
    row("enable-brotli", "`false`", "Compresses answers with Brotli for clients that take it."),
    row("enable-zstd", "`false`", "Compresses answers with Zstandard for clients that take it. Of codings that a client likes equally, Brotli comes first, then this one, then gzip."),
    row("gzip-disable", "empty", "Pattern of `User-Agent` values that get nothing in gzip."),
    row("gzip-level", "`1`", "1 to 9."),
    row("gzip-min-length", "`256`", "Bytes of the smallest answer that is compressed."),
    row("gzip-types", "a list", "Media types that are compressed, separated by blanks; `text/html` always, `*` is all."),
    row("use-gzip", "`false`", "Compresses answers with gzip for clients that take it."),
    row("zstd-level", "`3`", "1 to 15."),
    row("zstd-min-length", "`256`", "Bytes of the smallest answer that is compressed."),
    row("zstd-types", "as `gzip-types`", "Media types that are compressed, separated by blanks; `text/html` always, `*` is all."),
];
