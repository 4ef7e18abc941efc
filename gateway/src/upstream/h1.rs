//! HTTP/1 towards upstreams (docs/adr/0002): a connection that its request drives itself, which writes heads from
//! bytes and reads answers strictly. Heads are parsed by `httparse`; framing is followed here.

mod body;
mod connection;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod head;
mod stream;
mod trailers;
mod upload;

pub(crate) use connection::{Connection, Expect};
pub(crate) use head::{Head, Keep};
pub(crate) use trailers::{
    kept as kept_trailers, kept_of_request as kept_request_trailers, may_follow_request,
};
