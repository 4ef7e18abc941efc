//! The whole configuration at one moment.

use std::sync::Arc;

use serde::Serialize;

use crate::{Host, Settings, Streams, TlsTable, Upstreams, Verdict};

/// Everything the gateway serves. Parts that did not change since the snapshot before keep their `Arc`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Hosts in ascending order of their names. Patterns of hosts that sort first win (routing §3.2). The default
    /// host `_` is always among them once a source was read. The same list as before if no host changed.
    pub hosts: Arc<[Arc<Host>]>,
    /// Every upstream that a location mentions; perhaps some that only losing rules mention. Most of them in parts that
    /// are shared with the snapshot before.
    pub upstreams: Upstreams,
    /// Certificates by server name.
    pub tls: Arc<TlsTable>,
    /// What is forwarded below HTTP.
    pub streams: Arc<Streams>,
    /// Settings for all hosts.
    pub settings: Arc<Settings>,
    /// Findings about objects, sorted.
    pub verdicts: Arc<Vec<Verdict>>,
}
