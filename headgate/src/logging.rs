//! Messages of the program go to standard error; standard output belongs to the access log.

use std::io;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Starts logging. `RUST_LOG` overrides `level`.
pub fn start(level: LevelFilter) {
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .init();
}
