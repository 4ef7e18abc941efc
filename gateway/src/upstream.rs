//! Upstreams at run time: which endpoints there are, which one is next, connections to them, and sending a request
//! over one.
//!
//! What all workers share ([`registry`]) is written by the control plane only. Connections, balancing positions and
//! counters belong to a worker ([`worker`]), so that nothing is handed over between threads. Both outlive the route
//! table: an endpoint change touches neither a host nor a location.

pub mod body;
pub mod h1;
pub mod pool;
pub mod registry;
pub mod resolve;
pub mod worker;

pub use body::RequestBody;
pub use registry::{Registry, SharedUpstream};
pub use worker::{WorkerUpstream, WorkerUpstreams};
