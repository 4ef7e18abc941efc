//! The application as its users and its operator meet it: real processes, real sockets, real SIGKILL.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bus;
mod crash;
mod embedded;
mod flow;
mod lifecycle;
mod manifests;
mod refusals;
mod support;
