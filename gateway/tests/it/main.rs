//! The gateway over real sockets: raw bytes in, raw bytes out, scripted upstreams behind it.

#![allow(clippy::panic, reason = "a test that cannot go on has failed")]

mod access;
mod answers;
mod balance;
mod builtin;
mod client_certificates;
mod compression;
mod cross_origin;
mod error_pages;
mod external;
mod fastcgi;
mod forwarded;
mod framing;
mod grpc;
mod headers;
mod http2;
mod jwt;
mod limits;
mod mirror;
mod ocsp;
mod passthrough;
mod passwords;
mod proxying;
mod records;
mod redirects;
mod reload;
mod retries;
mod shared_limits;
mod shutdown;
mod snippets;
mod streams;
mod support;
mod tracing;
mod unread;
mod upgrade;
mod uploads;
mod upstream_tls;
