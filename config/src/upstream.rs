//! Upstreams: named sets of endpoints.

use std::{fmt, net::SocketAddr, sync::Arc};

use serde::Serialize;

use crate::balance::{Affinity, Balance, Canary};

/// Identity of an upstream. All locations that name the same Service port share one (routing §11.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct UpstreamId {
    /// Namespace of the Service.
    pub namespace: String,
    /// Name of the Service; empty if the rule names none.
    pub service: String,
    /// Port as the rule writes it: a number or a name. Empty for the Service's first port, where the configuration names
    /// none (`default-backend`, `--default-backend-service`).
    pub port: String,
}

/// `namespace-service-port`, the form that logs and metrics use (routing §11.1). Not unique: never a key.
impl fmt::Display for UpstreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.service.is_empty() {
            write!(f, "{}-INVALID", self.namespace)
        } else {
            write!(f, "{}-{}-{}", self.namespace, self.service, self.port)
        }
    }
}

/// A set of endpoints with the way in which they share the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Upstream {
    /// Identity.
    pub id: UpstreamId,
    /// Who answers.
    pub endpoints: Endpoints,
    /// There is no such Service, and so nobody who answers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_service: bool,
    /// How requests are spread.
    pub balance: Balance,
    /// What binds clients to endpoints, if anything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Arc<Affinity>>,
    /// Who gets a share of its requests, if anybody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Arc<Canary>>,
}

impl Upstream {
    /// One whose endpoints are asked in turn.
    pub fn new(id: UpstreamId, endpoints: Endpoints) -> Self {
        let balance = Balance::RoundRobin;
        Self { id, endpoints, no_service: false, balance, affinity: None, canary: None }
    }
}

/// The endpoints of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Endpoints {
    /// Ready addresses, without duplicates, in the order of their slices. May be empty.
    Addresses(Vec<SocketAddr>),
    /// A DNS name that the gateway resolves and re-resolves as its TTL runs out (routing §11.6).
    Name {
        /// The name, lower-case; a trailing dot disables the search list.
        name: String,
        /// Port of every address.
        port: u16,
        /// Whether addresses of this machine and of its link are left out, whatever the name says: it was chosen by
        /// somebody who has no business there (`externalName` in a cluster; routing §11.6).
        remote_only: bool,
    },
}
