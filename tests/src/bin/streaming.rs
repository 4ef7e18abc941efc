//! Command line of the streaming: bodies of 1 GiB in both directions and the memory that they take. Exit status 1 when
//! they take too much.

use std::process::ExitCode;

use headgate_tests::{report, streaming};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    report::program(
        "Carry large bodies through the gateway in both directions and look at its peak memory",
        streaming::run,
    )
    .await
}
