//! The blog application that ships with the gateway: six small services that talk over HTTP and an event bus.
//!
//! A post is created at `posts`, a comment at `comments`; each is committed together with its event (`outbox`), and the
//! event goes to the `bus`, which logs it once and pushes it to every subscriber in order. `moderation` judges comments,
//! `comments` records the verdict, `query` folds the log into the page's view, and `client` is the page itself.
//! [`bind`] and [`run`] start one of them inside another process; the binary does no more than that.

mod backoff;
mod bus;
mod client;
mod comments;
mod event;
mod http;
mod id;
mod moderation;
mod outbox;
mod outgoing;
mod posts;
mod query;
pub mod service;
pub mod settings;
mod store;
mod trace;

pub use service::{Error, Server, Service, bind, run};
