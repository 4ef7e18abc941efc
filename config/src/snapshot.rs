//! The whole configuration at one moment.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use crate::{Host, Settings, TlsTable, Upstream, UpstreamId, Verdict};

/// Everything the gateway serves. Parts that did not change since the snapshot before keep their `Arc`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Hosts in ascending order of their names. Patterns of hosts that sort first win (routing §3.2). The default
    /// host `_` is always among them once a source was read.
    pub hosts: Vec<Arc<Host>>,
    /// Every upstream that a location mentions; perhaps some that only losing rules mention.
    pub upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    /// Certificates by server name.
    pub tls: Arc<TlsTable>,
    /// Settings for all hosts.
    pub settings: Arc<Settings>,
    /// Findings about objects, sorted.
    pub verdicts: Arc<Vec<Verdict>>,
}
