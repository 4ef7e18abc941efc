//! Command line of the soak: load and WebSockets while the configuration changes. Exit status 1 when a criterion is missed.

use std::process::ExitCode;

use headgate_tests::{report, soak};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    report::program("Keep load on headgate while its routes, endpoints and certificates change, and count what breaks", soak::run).await
}
