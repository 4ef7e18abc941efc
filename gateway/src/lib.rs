//! The data plane: sockets, TLS, HTTP. It executes a [`headgate_config::Snapshot`] and knows no Kubernetes type.
//!
//! The life of a request, in the order of the modules: [`listen`] accepts it and turns bytes into a request;
//! [`proxy`] takes it from there to its answer, one call per step: [`route`] finds its host and location,
//! [`filter`] applies the location's policies, [`upstream`] picks an endpoint and a connection; [`observe`] records
//! what happened. All of it runs on one [`worker`], against one [`live`] configuration. [`admin`] tells others about
//! it, [`run`] starts and stops it. Beside all that, [`webhook`] carries questions to the control plane and answers back.
//!
//! What is public is what the program, the benchmarks and the tests use; all else is private, so that the compiler
//! finds what nobody uses.

pub mod admin;
mod base64;
mod client_certificate;
mod clock;
mod content_length;
mod deadline;
mod error;
mod field_name;
mod filter;
mod limits;
pub mod listen;
pub mod live;
#[cfg(test)]
mod noise;
pub mod observe;
mod ocsp;
mod page;
mod proxy;
mod pump;
pub mod route;

pub mod run;
pub mod upstream;
pub mod webhook;
mod worker;

pub use filter::texts::check as check_blocked;
pub use filter::{jwt, password};
pub use upstream::balance::canary::check as check_header;

/// Asking another service, as far as the benchmarks run it.
pub mod asking {
    pub use crate::filter::{
        external::{External, cache},
        variables::Variables,
    };
}

/// What the fuzz targets run.
#[cfg(fuzzing)]
pub mod fuzz {
    pub use crate::{
        client_certificate::fuzz::client_certificate,
        filter::{jwt::fuzz::jwt, password::fuzz::authorization},
        listen::fuzz::{client_hello, client_stream, proxy_header},
        ocsp::fuzz::ocsp_response,
        route::fuzz::{host_name, pattern, target},
        upstream::{fcgi::fuzz::application, h1::fuzz::answer},
    };
}
