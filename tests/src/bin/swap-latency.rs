//! Command line of the hot-swap measurement: time from a changed file to the first changed answer.

use std::process::ExitCode;

use headgate_tests::{report, swap_latency};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    report::program(
        "Measure how long a changed Ingress or EndpointSlice takes to change the answers",
        swap_latency::run,
    )
    .await
}
