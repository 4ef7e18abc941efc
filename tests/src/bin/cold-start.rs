//! Command line of the cold-start measurement: time to ready and memory with a large set of manifests, and idle memory.

use std::process::ExitCode;

use headgate_tests::{cold_start, report};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    report::program(
        "Measure how long headgate takes to be ready, and how much memory it then holds",
        cold_start::run,
    )
    .await
}
