//! Command line of the cold-start measurement: time to ready and memory with a large set of manifests, and idle memory.
#![allow(clippy::print_stdout, reason = "a measuring tool reports on standard output")]

use std::{fs, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use headgate_tests::cold_start::{self, Options};

/// Measure how long headgate takes to be ready, and how much memory it then holds.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Arguments::parse().options;
    let report = cold_start::run(&options).await?;
    print!("{}", report.text);
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&report.json)?)?;
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
