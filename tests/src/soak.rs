//! Does anything break for clients while the configuration changes? Continuous load over keep-alive connections and open
//! WebSockets while routes, endpoints and certificates change; every change must become visible, no request may fail, no
//! connection may be closed, and memory must come back.

mod changes;
mod load;
mod scene;
mod stand_in;

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    gateway::{Memory, Program, memory_of},
    report::Report,
    scale::{Layout, Scale},
};
use changes::Changes;
use load::{Addresses, Load};
use scene::{NAMESPACE, Scene};

/// Memory is the median of this many samples.
const MEMORY_SAMPLES: usize = 5;
const MEMORY_EVERY: Duration = Duration::from_millis(400);

/// What stands in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The headgate binary, with everything checked.
    Headgate,
    /// nginx with a fixed configuration that never changes: the tool itself must report success.
    Nginx,
    /// nginx that reloads at every change: the tool must notice the closed connections.
    NginxReload,
}

/// How long, how many, and what counts as failure.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program under test
    #[command(flatten)]
    pub program: Program,
    /// What stands in the middle
    #[arg(long, value_enum, default_value_t = Target::Headgate)]
    pub target: Target,
    /// Seconds over which the changes are spread
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Number of changes
    #[arg(long, default_value_t = 1000)]
    pub changes: usize,
    /// Keep-alive connections under load
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Milliseconds that a fast connection waits between two requests
    #[arg(long, default_value_t = 4)]
    pub pause_ms: u64,
    /// Load this many further Ingresses first
    #[arg(long, default_value_t = 0)]
    pub preload: usize,
    /// Files of the preloaded set
    #[arg(long, value_enum, default_value_t = Layout::Application)]
    pub layout: Layout,
    /// Seconds of load before memory is first read
    #[arg(long, default_value_t = 5)]
    pub warm_up: u64,
    /// Requests per connection after which the gateway may close it with an announcement; with 0 it is told, by its
    /// ConfigMap, never to
    #[arg(long, default_value_t = 1000)]
    pub keep_alive_requests: u64,
    /// Milliseconds within which a change must be visible
    #[arg(long, default_value_t = 2000)]
    pub visible_ms: u64,
    /// Growth of resident memory that is still accepted, in percent
    #[arg(long, default_value_t = 10.0)]
    pub memory_percent: f64,
}

/// Runs the whole soak. An error means that it could not be carried out, not that a criterion was missed.
pub async fn run(options: &Options) -> Result<Report> {
    let scratch = tempfile::tempdir()?;
    let scene = Arc::new(Scene::set_up(scratch.path()).await?);
    if options.preload > 0 {
        let written =
            Scale { layout: options.layout, ..Scale::of(options.preload) }.write(&scene.folder)?;
        eprintln!(
            "preloaded {} Ingresses: {} objects, {} files",
            options.preload, written.objects, written.files
        );
    }
    let subject = Subject::start(options, &scene, scratch.path()).await?;
    let addresses = subject.addresses();

    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for number in 0..options.connections {
        tasks.spawn(load::connection(number, addresses, options.clone(), Arc::clone(&stop)));
    }
    for tls in [false, true] {
        tasks.spawn(load::websocket(tls, addresses, Arc::clone(&stop)));
    }

    tokio::time::sleep(Duration::from_secs(options.warm_up)).await;
    let before = subject.settled_memory().await?;
    let begin = Instant::now();
    let changes = match &subject {
        Subject::Headgate(_) => Changes::make(&scene, addresses, options).await,
        Subject::StandIn(nginx) => nginx.disturb(options).await,
    };
    // The last changes get their share of load too, however quickly they were made.
    tokio::time::sleep(Duration::from_secs(options.seconds).saturating_sub(begin.elapsed())).await;
    let lasted = begin.elapsed();
    let after = subject.settled_memory().await?;

    stop.store(true, Ordering::Relaxed);
    let mut load = Load::default();
    while let Some(done) = tasks.join_next().await {
        load.merge(done.context("a load task failed")?);
    }
    let stopped = subject.stop().await;
    Ok(report(
        options,
        &load,
        &changes,
        (before, after),
        lasted,
        stopped.err().map(|error| error.to_string()),
    ))
}

enum Subject {
    Headgate(crate::gateway::Gateway),
    StandIn(stand_in::Nginx),
}

impl Subject {
    async fn start(options: &Options, scene: &Scene, scratch: &std::path::Path) -> Result<Self> {
        if options.target == Target::Headgate {
            let mut program = options.program.clone();
            if options.keep_alive_requests == 0 {
                scene.never_limit_connections()?;
                let _ = write!(program.headgate_args, " --configmap {NAMESPACE}/settings");
            }
            let gateway =
                program.start(&[scene.folder.path()], &scratch.join("headgate.log")).await?;
            eprintln!("headgate is ready after {:?}", gateway.ready_after);
            return Ok(Self::Headgate(gateway));
        }
        Ok(Self::StandIn(stand_in::Nginx::start(scene, scratch).await?))
    }

    fn addresses(&self) -> Addresses {
        match self {
            Self::Headgate(gateway) => Addresses { http: gateway.http, https: gateway.https },
            Self::StandIn(nginx) => nginx.addresses,
        }
    }

    /// The median of a few readings, so that one request more or less in flight does not decide.
    async fn settled_memory(&self) -> Result<Memory> {
        let mut samples = Vec::with_capacity(MEMORY_SAMPLES);
        for _ in 0..MEMORY_SAMPLES {
            samples.push(match self {
                Self::Headgate(gateway) => gateway.memory()?,
                Self::StandIn(nginx) => memory_of(nginx.pid)?,
            });
            tokio::time::sleep(MEMORY_EVERY).await;
        }
        samples.sort_by(|a, b| a.resident.total_cmp(&b.resident));
        samples.get(MEMORY_SAMPLES / 2).copied().context("no sample")
    }

    async fn stop(self) -> Result<()> {
        match self {
            Self::Headgate(gateway) => gateway.stop().await,
            Self::StandIn(nginx) => nginx.stop().await,
        }
    }
}

fn report(
    options: &Options,
    load: &Load,
    changes: &Changes,
    memory: (Memory, Memory),
    lasted: Duration,
    stop: Option<String>,
) -> Report {
    let (before, after) = memory;
    let growth = (after.resident / before.resident - 1.0) * 100.0;
    let violations = violations(options, load, changes, growth, stop);
    let json = json!({
        "target": format!("{:?}", options.target), "preload": options.preload, "seconds": lasted.as_secs_f64(),
        "connections": options.connections, "load": load.json(), "changes": changes.json(),
        "memory": { "before_mib": before.resident, "after_mib": after.resident, "peak_mib": after.peak, "growth_percent": growth },
        "violations": violations,
    });
    let mut text = format!(
        "{} requests in {:.1} s over {} connections ({:.0} per second), {} changes\n{}",
        load.requests,
        lasted.as_secs_f64(),
        options.connections,
        load.requests as f64 / lasted.as_secs_f64(),
        changes.made,
        load
    );
    text += &changes.to_string();
    text += &format!(
        "memory {:.1} MiB before, {:.1} MiB after ({growth:+.1} %), peak {:.1} MiB\n",
        before.resident, after.resident, after.peak
    );
    for violation in &violations {
        text += &format!("VIOLATED: {violation}\n");
    }
    let passed = violations.is_empty();
    text += if passed { "passed\n" } else { "failed\n" };
    Report { json, text, passed }
}

fn violations(
    options: &Options,
    load: &Load,
    changes: &Changes,
    growth: f64,
    stop: Option<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |broken: bool, what: String| {
        if broken {
            found.push(what);
        }
    };
    check(load.requests == 0, "no request was made".into());
    check(load.failed > 0, format!("{} failed requests", load.failed));
    check(load.closed > 0, format!("{} closed connections", load.closed));
    check(load.websockets_open != 2, format!("{} of 2 WebSockets survived", load.websockets_open));
    check(
        changes.made < options.changes,
        format!("{} of {} changes made", changes.made, options.changes),
    );
    check(
        !changes.failures.is_empty(),
        format!("{} changes did not become visible", changes.failures.len()),
    );
    check(growth > options.memory_percent, format!("memory grew by {growth:.1} %"));
    found.extend(stop.map(|reason| format!("stopping: {reason}")));
    found
}
