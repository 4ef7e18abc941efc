//! What a measurement reports, and the program around it: flags in, lines for people and JSON out, and the exit status.
#![allow(clippy::print_stdout, reason = "a measuring tool reports on standard output")]

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Args, CommandFactory, FromArgMatches, Parser};
use serde_json::Value;

/// What was measured.
pub struct Report {
    /// Everything in machine-readable form.
    pub json: Value,
    /// Lines for people.
    pub text: String,
    /// Whether all limits are kept.
    pub passed: bool,
}

#[derive(Parser)]
struct Arguments<O: Args> {
    #[command(flatten)]
    options: O,
    /// Write the report as JSON here
    #[arg(long)]
    json: Option<PathBuf>,
}

/// The program that measures: reads its flags, and ends with status 1 when a limit is missed. `about` says what it does.
///
/// # Errors
///
/// If the measurement could not be carried out, or its report could not be written.
pub async fn program<O: Args>(
    about: &'static str,
    measure: impl AsyncFnOnce(&O) -> Result<Report>,
) -> Result<ExitCode> {
    let matches = Arguments::<O>::command().about(about).long_about(None).get_matches();
    let Arguments { options, json } = Arguments::<O>::from_arg_matches(&matches)?;
    let report = measure(&options).await?;
    print!("{}", report.text);
    if let Some(path) = &json {
        fs::write(path, serde_json::to_string_pretty(&report.json)?)?;
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
