//! Command line of the balancing: shares of canaries and endpoints, a slow endpoint, a killed one. Exit status 1 when a
//! limit is missed.

use std::process::ExitCode;

use headgate_tests::{balance, report};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    report::program(
        "See which endpoints answer how many requests, and what fails when one of them is killed",
        balance::run,
    )
    .await
}
