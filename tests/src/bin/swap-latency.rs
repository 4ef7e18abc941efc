//! Command line of the hot-swap measurement: time from a changed file to the first changed answer.
#![allow(clippy::print_stdout, reason = "a measuring tool reports on standard output")]

use std::{fs, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use headgate_tests::swap_latency::{self, Options};

/// Measure how long a changed Ingress or EndpointSlice takes to change the answers.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Arguments::parse().options;
    let report = swap_latency::run(&options).await?;
    print!("{}", report.text);
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&report.json)?)?;
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
