//! Tools that exercise the whole `headgate` program from outside: a raw HTTP/1.1 client, echo upstreams, a WebSocket peer,
//! manifest writers, and the measurements built from them (`soak`, `swap_latency`, `cold_start`, `auth_outage`, `balance`,
//! `shared_limit`, `limit_keys`, `streaming`). Everything stays on loopback.
//! The binaries in `src/bin` only read flags; what one request means is tested in the crates that implement it.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail where it stands"))]

pub mod asking;
pub mod auth_outage;
pub mod balance;
pub mod client;
pub mod cold_start;
pub mod echo;
pub mod gateway;
pub mod limit_keys;
pub mod limited;
pub mod manifests;
pub mod redis;
pub mod report;
pub mod scale;
pub mod shared_limit;
pub mod soak;
pub mod stats;
pub mod streaming;
pub mod swap_latency;
pub mod tls;
pub mod websocket;
