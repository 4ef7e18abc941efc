//! What is written back to the cluster: `status.loadBalancer` of the Ingresses that are served.

mod board;

pub use board::{Address, Board};
