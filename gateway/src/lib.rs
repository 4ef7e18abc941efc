//! The data plane: sockets, TLS, HTTP. It executes a [`headgate_config::Snapshot`] and knows no Kubernetes type.
//!
//! The life of a request, in the order of the modules: [`listen`] accepts it and turns bytes into a request;
//! [`proxy`] takes it from there to its answer, one call per step: [`route`] finds its host and location,
//! [`filter`] applies the location's policies, [`upstream`] picks an endpoint and a connection; [`observe`] records
//! what happened. All of it runs on one [`worker`], against one [`live`] configuration. [`admin`] tells others about
//! it, [`run`] starts and stops it. Beside all that, [`webhook`] carries questions to the control plane and answers back.

pub mod admin;
pub mod clock;
pub mod deadline;
pub mod error;
pub mod filter;
pub mod listen;
pub mod live;
pub mod observe;
pub mod page;
pub mod proxy;
pub mod route;
pub mod run;
pub mod upstream;
pub mod webhook;
pub mod worker;
