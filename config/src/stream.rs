//! What is forwarded without being looked into: TCP and UDP ports, and TLS connections that are not decrypted here.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{LogTarget, ObjectRef, Upstream};

/// Everything that is forwarded below HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Streams {
    /// Ports of their own, sorted by protocol and number, each once (operations §10).
    pub services: Vec<Arc<StreamService>>,
    /// Server names, as clients have to write them, whose TLS connections are forwarded undecrypted (annotations §3.4).
    pub passthrough: BTreeMap<String, Arc<Upstream>>,
}

/// A port whose connections, or datagrams, are forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamService {
    /// What is spoken.
    pub protocol: StreamProtocol,
    /// The port, not 0.
    pub port: u16,
    /// Where to, in turn.
    pub upstream: Arc<Upstream>,
    /// Connections begin with a PROXY header, which is taken from them. TCP only.
    pub decode_proxy: bool,
    /// The upstream is sent a PROXY header of version 1. TCP only.
    pub encode_proxy: bool,
    /// The ConfigMap that has it, for findings about it.
    pub origin: Arc<ObjectRef>,
}

impl StreamService {
    /// `tcp-namespace-service-port`, the form that logs use (operations §10).
    pub fn name(&self) -> String {
        format!("{}-{}", self.protocol.word(), self.upstream.id)
    }
}

/// A protocol above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamProtocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl StreamProtocol {
    /// `tcp` or `udp`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// How everything below HTTP is forwarded. The defaults are the reference's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamSettings {
    /// How long a session may be silent; zero is forever (`proxy-stream-timeout`).
    pub timeout: Duration,
    /// Try another endpoint if one cannot be connected to (`proxy-stream-next-upstream`).
    pub next_upstream: bool,
    /// How long to go on trying; zero is no limit (`proxy-stream-next-upstream-timeout`).
    pub next_upstream_timeout: Duration,
    /// How often to try; zero is no limit (`proxy-stream-next-upstream-tries`).
    pub next_upstream_tries: u32,
    /// Datagrams that answer one, after which a UDP session ends (`proxy-stream-responses`).
    pub responses: u64,
    /// Write the access log (inverse of `disable-access-log` and of `disable-stream-access-log`).
    pub access_log: bool,
    /// Its format; `None` is the reference's default (`log-format-stream`).
    pub log_format: Option<String>,
    /// Where lines go (`access-log-path`, `stream-access-log-path`).
    pub log_target: LogTarget,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(600),
            next_upstream: true,
            next_upstream_timeout: Duration::from_secs(600),
            next_upstream_tries: 3,
            responses: 1,
            access_log: true,
            log_format: None,
            log_target: LogTarget::Stdout,
        }
    }
}
