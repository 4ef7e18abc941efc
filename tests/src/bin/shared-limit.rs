//! Command line of the shared limit: two gateways, one Redis, one rate. Exit status 1 when it is not kept.

use std::process::ExitCode;

use headgate_tests::{report, shared_limit};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    report::program(
        "Ask two gateways that count in one Redis for more than their limit, with and without the server",
        shared_limit::run,
    )
    .await
}
