//! What is written back to the cluster: `status.loadBalancer` of the Ingresses that are served (operations §5).
//!
//! [`Board`] knows what is there, [`Reader`](source::Reader) reads what should be, [`Writer`] writes the difference.

mod address;
mod board;
mod source;
mod writer;

pub use address::Address;
pub use board::Board;
pub use source::AddressSource;
pub use writer::{StatusSettings, Writer};
