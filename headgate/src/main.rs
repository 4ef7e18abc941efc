//! The program: reads its settings, wires a source, the controller and the gateway together, waits for a signal.

mod capability;
mod demo;
mod logging;
mod serve;
mod settings;
mod wait_shutdown;
mod webhook;

use std::{
    io::{self, Write},
    path::Path,
};

use clap::Parser;
use mimalloc::MiMalloc;

use crate::settings::{Cli, Command};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Whoever got something wrong gets one line that says what, not a backtrace, whatever the environment asks for.
///
/// The end runs no exit handlers: those of cryptography and of the allocator take apart what threads that are still running
/// use (a key being generated, a worker that starts), and such a thread would then bring down the process with a signal.
fn main() {
    let status = match run() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("Error: {error:#}");
            1
        }
    };
    // What nobody reads any more is no failure.
    let _ = io::stdout().flush();
    signal_hook::low_level::exit(status)
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
            logging::start(cli.serve.v);
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
