//! What a whole cluster shows: what the cluster itself does, which is the ground that all tests with a real Kubernetes API stand on, and
//! how headgate lives in it, installed from its manifests.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod admission;
mod app;
mod blog;
mod classes;
mod control_plane;
mod end;
mod history;
mod install;
mod leader;
mod load;
mod migration;
mod outage;
mod pods;
mod rbac;
mod rolling;
mod support;
