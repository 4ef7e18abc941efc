//! What the gateway tells about its work: metrics, the access log, spans and request ids. Nothing here may wait, lock or
//! contend on the request path: workers write to shards and buffers of their own, other threads read them.

pub mod access_log;
pub mod metrics;
pub(crate) mod request_id;
pub(crate) mod spans;
