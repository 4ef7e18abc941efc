//! HTTP/2 towards upstreams (docs/adr/0005): connections that carry many requests each, and one request over one of them.
//! Frames are `h2`'s; which connection, how many streams, and what may be tried again is decided here.

mod call;
mod connection;
mod pool;

pub(crate) use call::Call;
pub(crate) use pool::Pool;
