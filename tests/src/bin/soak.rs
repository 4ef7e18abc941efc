//! Command line of the soak: load and WebSockets while the configuration changes. Exit status 1 when a criterion is missed.
#![allow(clippy::print_stdout, reason = "a measuring tool reports on standard output")]

use std::{fs, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use headgate_tests::soak::{self, Options};

/// Keep load on headgate while its routes, endpoints and certificates change, and count what breaks.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Arguments::parse().options;
    let report = soak::run(&options).await?;
    print!("{}", report.text);
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&report.json)?)?;
    }
    for violation in &report.violations {
        println!("VIOLATED: {violation}");
    }
    println!("{}", if report.violations.is_empty() { "passed" } else { "failed" });
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
