//! The program: reads its settings, wires a source, the controller and the gateway together, waits for a signal.

mod capability;
mod demo;
mod logging;
mod serve;
mod settings;
mod wait_shutdown;
mod webhook;

use std::{path::Path, process::ExitCode};

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
    // The image has the program under more than one name. As `nginx-ingress-controller` it is what it always is.
    let name = std::env::args_os().next().unwrap_or_default();
    if Path::new(&name).file_name().is_some_and(|name| name == wait_shutdown::NAME) {
        return wait_shutdown::run();
    }
    capability::raise();
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
