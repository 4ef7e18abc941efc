//! Upstreams at run time: which endpoints there are, which one is next, connections to them, and sending a request
//! over one.
//!
//! What all workers share ([`registry`]) is written by the control plane only. Connections, balancing positions and
//! counters belong to a worker ([`worker`]), so that nothing is handed over between threads. Both outlive the route
//! table: an endpoint change touches neither a host nor a location.

pub(crate) mod answer;
pub(crate) mod balance;
pub(crate) mod body;
pub(crate) mod errand;
pub(crate) mod fcgi;
pub(crate) mod h1;
pub(crate) mod h2;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod origin;
pub(crate) mod over;
pub(crate) mod pool;
pub(crate) mod registry;
pub mod resolve;
pub(crate) mod tls;
pub(crate) mod wire;
pub(crate) mod worker;

pub(crate) use body::RequestBody;
pub(crate) use registry::{Registry, SharedUpstream};
pub(crate) use worker::{WorkerUpstream, WorkerUpstreams};
