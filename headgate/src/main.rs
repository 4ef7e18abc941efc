//! The program: reads its settings, wires a source, the controller and the gateway together, waits for a signal.

mod demo;
mod logging;
mod serve;
mod settings;
mod webhook;

use clap::Parser;
use mimalloc::MiMalloc;

use crate::settings::{Cli, Command};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
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
