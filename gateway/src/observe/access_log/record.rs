//! What is known about a finished request when its log line is written.

use std::{net::SocketAddr, time::Duration};

use headgate_config::Origin;
use http::{HeaderValue, Version};

use crate::observe::spans::Span;

/// One finished request. All text is borrowed; nothing is formatted before a log format asks for it. The default is
/// a request about which nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessRecord<'a> {
    /// Address of the client, after `X-Forwarded-For` or PROXY protocol were heeded.
    pub remote_addr: &'a str,
    /// Port of the client.
    pub remote_port: u16,
    /// Address of the peer of the connection, if it differs from [`Self::remote_addr`].
    pub peer_addr: Option<&'a str>,
    /// Address that the connection was accepted on, if there is one.
    pub server: Option<SocketAddr>,
    /// Header `Authorization` of the request. The user name of basic authentication is shown, whether or not it was
    /// checked; it is decoded only if the format shows it.
    pub authorization: Option<&'a [u8]>,
    /// The request line, if the request was refused before it had been parsed. It takes the place of method, target
    /// and version.
    pub request_line: Option<&'a [u8]>,
    /// Method; empty if there is none.
    pub method: &'a str,
    /// Raw target with the query, as sent.
    pub target: &'a [u8],
    /// Normalised path; after a rewrite the new one.
    pub path: &'a [u8],
    /// Protocol version.
    pub version: Version,
    /// `http` or `https`, as the client connected.
    pub scheme: &'a str,
    /// The scheme that upstreams are told, after forwarding headers were heeded.
    pub access_scheme: &'a [u8],
    /// The port that upstreams are told.
    pub access_port: &'a [u8],
    /// The routing host: lower-case, without port.
    pub host: &'a [u8],
    /// Name of the virtual host that took the request.
    pub server_name: &'a str,
    /// Header `Referer` of the request.
    pub referer: Option<&'a [u8]>,
    /// Header `User-Agent` of the request.
    pub user_agent: Option<&'a [u8]>,
    /// What [`super::LogFormat::capture`] kept of the request's headers.
    pub captured: &'a [Option<HeaderValue>],
    /// Status sent to the client; 499 if it went away first.
    pub status: u16,
    /// Body bytes sent to the client.
    pub body_bytes_sent: u64,
    /// All bytes sent to the client, headers included.
    pub bytes_sent: u64,
    /// Request line, headers and body in bytes.
    pub request_length: u64,
    /// From the first byte read to the last byte sent.
    pub request_time: Duration,
    /// Number of the connection.
    pub connection: u64,
    /// Which request of its connection it is, from 1.
    pub connection_requests: u64,
    /// Name of the upstream, `namespace-service-port`; empty if none was chosen (shown as `-`).
    pub upstream_name: &'a str,
    /// Name of the alternative (canary) upstream, if one was chosen.
    pub alternative_upstream_name: &'a str,
    /// The tries, in order.
    pub attempts: &'a [Attempt<'a>],
    /// The request id that was sent on.
    pub request_id: &'a [u8],
    /// The request's place in a trace, if it has one.
    pub span: Option<&'a Span>,
    /// What the location was made from.
    pub origin: Option<&'a Origin>,
    /// Properties of the TLS connection, if it is one.
    pub tls: Option<TlsInfo<'a>>,
}

/// One try to have a request answered by an endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempt<'a> {
    /// Address of the endpoint, as text.
    pub addr: &'a str,
    /// Status of the answer; for a failed try the status that it would have meant (502, 504).
    pub status: Option<u16>,
    /// Until the connection was ready.
    pub connect_time: Option<Duration>,
    /// Until the head of the answer was complete.
    pub header_time: Option<Duration>,
    /// Until the end of the answer or the failure.
    pub response_time: Option<Duration>,
    /// Body bytes received.
    pub response_length: u64,
    /// The try follows an internal redirect to another location, not a failed try.
    pub after_redirect: bool,
}

/// Properties of a client's TLS connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsInfo<'a> {
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: &'a str,
    /// Name of the cipher suite.
    pub cipher: &'a str,
    /// The server name that the client asked for.
    pub server_name: Option<&'a str>,
    /// Name of the subject of the client's certificate; empty without one.
    pub client_subject: &'a str,
    /// Name of its issuer.
    pub client_issuer: &'a str,
    /// Whether it is good: `SUCCESS`, `NONE` or `FAILED:` and a reason, if anybody asked.
    pub client_verify: Option<&'a str>,
}
