//! Command line of the outage of an authentication service. Exit status 1 when a criterion is missed.

use std::process::ExitCode;

use headgate_tests::{auth_outage, report};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    report::program(
        "Keep load on a location that asks a service, take the service away, and give it back",
        auth_outage::run,
    )
    .await
}
