//! What the cluster itself does, before headgate comes into it: the ground that all other tests with a real Kubernetes API stand on.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod app;
mod classes;
mod control_plane;
mod end;
mod pods;
