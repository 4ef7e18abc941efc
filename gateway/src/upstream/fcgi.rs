//! FastCGI towards upstreams: one request over a connection of its own (FastCGI specification 1.0).

mod call;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod head;
mod record;
mod upload;

pub(crate) use call::{Call, Expected};
pub(crate) use record::Request;
