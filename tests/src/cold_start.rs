//! How long headgate takes from its start to ready with a large set of manifests, and how much memory it then holds; also the
//! idle memory with a given folder of manifests.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Memory, Program},
    manifests::Folder,
    report::Report,
    scale::Scale,
    stats::Sample,
};

/// Memory counts as idle when it changed by less than this for a second.
const STILL_MIB: f64 = 0.1;
const STILL_FOR: Duration = Duration::from_secs(1);
const STILL_LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);

/// What is measured, and the limits.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program under test
    #[command(flatten)]
    pub program: Program,
    /// The generated set
    #[command(flatten)]
    pub scale: Scale,
    /// Number of starts
    #[arg(long, default_value_t = 5)]
    pub repeat: usize,
    /// Measure with these manifests instead of a generated set
    #[arg(long)]
    pub manifests: Option<PathBuf>,
    /// Accepted time to ready in seconds, as the median
    #[arg(long, default_value_t = 2.0)]
    pub max_seconds: f64,
    /// Accepted resident memory when ready, in MiB
    #[arg(long, default_value_t = 120.0)]
    pub max_mib: f64,
    /// Accepted resident memory when idle, in MiB; not checked without it
    #[arg(long)]
    pub max_idle_mib: Option<f64>,
}

/// Starts the program again and again. An error means that it did not start.
pub async fn run(options: &Options) -> Result<Report> {
    let scratch = tempfile::tempdir()?;
    let mut text = String::new();
    let folder = match &options.manifests {
        Some(folder) => folder.clone(),
        None => {
            let folder = Folder::new(scratch.path())?;
            let written = options.scale.write(&folder)?;
            text += &format!(
                "{} Ingresses, {} endpoints: {} objects in {} files, {:.1} MiB of YAML\n",
                options.scale.ingresses,
                options.scale.endpoints,
                written.objects,
                written.files,
                written.bytes as f64 / f64::from(1 << 20)
            );
            folder.path().to_owned()
        }
    };
    let mut starts = Vec::new();
    for _ in 0..options.repeat.max(1) {
        let start =
            Start::measure(&options.program, &folder, &scratch.path().join("headgate.log")).await?;
        text += &format!("  {start}\n");
        starts.push(start);
    }
    Ok(report(options, &starts, text))
}

fn report(options: &Options, starts: &[Start], mut text: String) -> Report {
    let ready = Sample::new(starts.iter().map(|start| start.ready).collect());
    let highest = |field: fn(&Start) -> f64| starts.iter().map(field).fold(0.0, f64::max);
    let (resident, peak, idle) = (
        highest(|s| s.at_ready.resident),
        highest(|s| s.at_ready.peak),
        highest(|s| s.idle.resident),
    );
    let median = ready.percentile(50).as_secs_f64();
    let passed = median <= options.max_seconds
        && resident <= options.max_mib
        && options.max_idle_mib.is_none_or(|limit| idle <= limit);
    let json = json!({
        "ready": ready.json(), "resident_at_ready_mib": resident, "peak_at_ready_mib": peak, "idle_mib": idle,
        "starts": starts.iter().map(Start::json).collect::<Vec<_>>(), "passed": passed,
    });
    text += &format!(
        "ready after {median:.2} s (median of {}), at most {:.2} s; at most {resident:.1} MiB resident when ready (peak {peak:.1}), {idle:.1} MiB when idle: {}\n",
        starts.len(),
        ready.max().as_secs_f64(),
        if passed { "within the limits" } else { "OVER A LIMIT" }
    );
    Report { json, text, passed }
}

struct Start {
    ready: Duration,
    at_ready: Memory,
    idle: Memory,
}

impl Start {
    async fn measure(program: &Program, folder: &Path, log: &Path) -> Result<Self> {
        let gateway = program.start(&[folder], log).await?;
        let (ready, at_ready) = (gateway.ready_after, gateway.memory()?);
        let idle = idle_memory(&gateway).await?;
        gateway.stop().await?;
        Ok(Self { ready, at_ready, idle })
    }

    fn json(&self) -> Value {
        json!({ "ready_s": self.ready.as_secs_f64(), "resident_mib": self.at_ready.resident, "peak_mib": self.at_ready.peak,
                "idle_mib": self.idle.resident })
    }
}

impl std::fmt::Display for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ready, at_ready, idle } = self;
        write!(
            f,
            "ready {:.3} s, resident {:.1} MiB, peak {:.1} MiB, idle {:.1} MiB",
            ready.as_secs_f64(),
            at_ready.resident,
            at_ready.peak,
            idle.resident
        )
    }
}

/// Memory once it has stopped changing, or after a while if it never does.
async fn idle_memory(gateway: &Gateway) -> Result<Memory> {
    let begin = Instant::now();
    let (mut last, mut since) = (gateway.memory()?, Instant::now());
    while since.elapsed() < STILL_FOR && begin.elapsed() < STILL_LIMIT {
        tokio::time::sleep(POLL).await;
        let now = gateway.memory()?;
        if (now.resident - last.resident).abs() > STILL_MIB {
            (last, since) = (now, Instant::now());
        }
    }
    gateway.memory()
}
