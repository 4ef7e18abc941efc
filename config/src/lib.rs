//! The vocabulary between the control plane and the data plane.
//!
//! A [`Snapshot`] says everything the gateway has to serve: hosts with their ordered locations, upstreams with
//! their endpoints, certificates, and the settings of the listeners. It is plain data: resolved (no names left to
//! look up), sorted (output never depends on hash order), comparable and serialisable. It knows no Kubernetes type,
//! does no I/O and nothing asynchronous. Parts that did not change keep their `Arc`, so that "what changed" is
//! pointer equality.

pub mod access_log;
pub mod balance;
pub mod certificate;
pub mod client_certificates;
pub mod compression;
pub mod cors;
pub mod error_pages;
mod fields;
pub mod headers;
pub mod host;
pub mod location;
pub mod log_target;
pub mod mirror;
pub mod network;
pub mod object;
pub mod protection;
pub mod redirect;
pub mod settings;
pub mod snapshot;
pub mod snippet;
pub mod spans;
pub mod stream;
pub mod tls_settings;
pub mod transport;
pub mod upstream;
pub mod upstream_tls;
pub mod upstreams;

pub use access_log::{AccessLogRules, LogEscape};
pub use balance::Balance;
pub use certificate::{Certificate, CertificateId, PrivateKey, TlsTable};
pub use client_certificates::ClientCertificates;
pub use compression::{Coding, Compression};
pub use cors::Cors;
pub use error_pages::ErrorPages;
pub use headers::{
    AnswerHeaders, ConnectionHeader, GlobalHeaders, HeadLimits, HeaderLine, Replacement,
};
pub use host::{Host, HostPattern, PathMode};
pub use location::{
    Action, Forward, HttpsRedirect, Location, Origin, PathMatch, ProxySettings, Redirect, Retry,
    RetryOn, Rewrite, WhenEmpty,
};
pub use mirror::Mirror;
pub use network::{Network, NotANetwork};
pub use object::{Effect, ObjectRef, Verdict};
pub use protection::Protection;
pub use redirect::FixedRedirect;
pub use settings::{Blocked, ForwardedHeaders, Hsts, Settings};
pub use snapshot::Snapshot;
pub use spans::{Collector, Ratio, Sampler, SpanRules, SpanSettings};
pub use stream::{StreamProtocol, StreamService, StreamSettings, Streams};
pub use tls_settings::{HostCiphers, KeyGroup, TicketKey, TlsSettings, TlsSuite, TlsVersions};
pub use transport::{FastCgi, Transport};
pub use upstream::{Endpoints, Upstream, UpstreamId};
pub use upstream_tls::{ServerVerification, UpstreamTls};
pub use upstreams::Upstreams;
