//! The control plane: reads Kubernetes objects and publishes what they mean.
//!
//! A source ([`source`]) fills [`objects::Objects`]; [`translate::Translator`] makes a
//! [`Snapshot`](headgate_config::Snapshot) of them; the runner hands each new snapshot to a callback. Nothing here
//! knows a client socket: the gateway decides how a snapshot is served.

pub mod admission;
mod clock;
pub mod events;
pub mod leader;
mod near;
pub mod objects;
pub mod options;
mod request;
pub mod run;
pub mod source;
pub mod status;
pub mod translate;

pub use options::{
    CertificateCheck, LabelSelector, NamespaceScope, NamespacedName, Options, PatternCheck,
};
pub use run::{Controller, Notes, Progress, WriteBack, run_cluster, run_directory};
pub use source::{
    cluster::{Access, ClusterError},
    directory::DirectoryError,
};
