//! A Kubernetes cluster without containers, for tests and for trying things out: the real etcd, API server, controllers and kubectl, in
//! namespaces of their own, with stand-ins for what a cluster has beside them. Pods are processes, each with an address, a network and a
//! root of its own. Linux only; as root, or as a user who may make user namespaces (pods then all run as that user).
//!
//! [`with_cluster`] is the frame of a test, [`Cluster`] what the test works with.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail where it stands"))]

mod accept;
mod audit;
mod cluster;
mod control_plane;
mod directory;
mod dns;
mod gateway;
mod http;
mod images;
pub mod isolation;
mod kubelet;
mod network;
mod pki;
mod process;
mod programs;
mod proxy;
mod settings;
mod storage;
mod testing;

pub use self::{
    accept::Connections,
    audit::{Audit, AuditEvent, Used},
    cluster::{ApiServer, Cluster, Gateway, Installation, wait},
    gateway::HeadgateProcess,
    images::Image,
    network::{SERVICE_RANGE, test_upstream},
    programs::{Programs, REPOSITORY},
    settings::{NodeSettings, Settings},
    testing::with_cluster,
};
