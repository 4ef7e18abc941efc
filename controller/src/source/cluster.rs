//! A cluster: watches through the API server, each of one kind, mirrored into [`Objects`](crate::objects::Objects).
//!
//! [`connect`] finds the API server and waits for it, [`watch`] follows one kind and reports [`feed`]s, [`mirror`] takes
//! them in, [`secrets`] says which Secrets anybody asks for, and [`maps`] which ConfigMaps. Everything that talks to the API server runs on one
//! thread with a runtime of its own; the mirror belongs to the controller's thread, so that a slow translation never
//! keeps the API server waiting and a slow API server never keeps a translation waiting.

mod connect;
mod feed;
mod maps;
mod mirror;
mod secrets;
mod watch;

pub use connect::{Access, ClusterError, Connection};
pub use feed::{Feed, Meta, Seen, WatchId};
pub use maps::Wish;
pub use mirror::Mirror;
pub use watch::Watches;
