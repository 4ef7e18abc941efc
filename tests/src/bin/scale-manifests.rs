//! Command line of the manifest writer: a large, realistic set of Ingresses, Services and EndpointSlices in a folder.
#![allow(clippy::print_stdout, reason = "a tool reports on standard output")]

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use headgate_tests::{manifests::Folder, scale::Scale};

/// Write a large set of manifests into OUT/manifests.
#[derive(Parser)]
struct Arguments {
    /// Folder that gets the subfolder `manifests`
    out: PathBuf,
    #[command(flatten)]
    scale: Scale,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = Folder::new(&arguments.out)?;
    let written = arguments.scale.write(&folder)?;
    println!(
        "{}: {} objects in {} files, {} bytes",
        folder.path().display(),
        written.objects,
        written.files,
        written.bytes
    );
    Ok(())
}
