//! Command line of the flood of clients against one limit. Exit status 1 when memory grows by more than it may.

use std::process::ExitCode;

use headgate_tests::{limit_keys, report};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    report::program(
        "Send requests of very many client addresses through one limit, and compare with the same without it",
        limit_keys::run,
    )
    .await
}
