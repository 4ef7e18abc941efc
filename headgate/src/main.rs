//! The program: reads its settings, wires a source, the controller and the gateway together, waits for a signal.

mod demo;
mod logging;
mod serve;
mod settings;
mod webhook;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::settings::{Cli, Command};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Whoever got something wrong gets one line that says what, not a backtrace, whatever the environment asks for.
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if cli.serve.version {
        return version();
    }
    match cli.command {
        None => {
            logging::start(cli.serve.verbosity());
            serve::run(&cli.serve)
        }
        Some(Command::Demo(settings)) => {
            logging::start_demo();
            demo::run(&settings)
        }
        Some(Command::Version) => version(),
    }
}

/// Prints what was built.
#[expect(clippy::print_stdout, reason = "this is what the user asked for")]
fn version() -> anyhow::Result<()> {
    println!("headgate {}", env!("CARGO_PKG_VERSION"));
    Ok(())
}
