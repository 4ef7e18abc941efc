//! The `headgate` binary as its users meet it: command line, folders of manifests, admin port, signals, and the demo. What a single
//! request means is tested in the crates that implement it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

mod admin;
mod certificates;
mod demo;
mod flags;
mod folders;
mod grpc;
mod install;
mod live;
mod log;
mod protocols;
mod shutdown;
mod startup;
mod streaming;
mod support;
mod tokens;
