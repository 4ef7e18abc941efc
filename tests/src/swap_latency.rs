//! How long a changed file takes to change the answers: one route's Service, or one Service's endpoints, is switched to and
//! fro while a keep-alive connection asks as fast as it can.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::{
    asking::Asking,
    echo::Echo,
    gateway::{Gateway, Program},
    manifests::{self, Folder, Ingress},
    report::Report,
    scale::{Layout, Scale},
    stats::{Sample, milliseconds},
};

const NAMESPACE: &str = "swap";
const HOST: &str = "swap.example";
const NAMES: [&str; 2] = ["one", "two"];
const VISIBLE_LIMIT: Duration = Duration::from_secs(5);
/// A change follows the last one after a random time in this range, so that hold-off timers are met in every phase.
const GAP_MS: std::ops::Range<u64> = 5..40;

/// What is measured, and the limit.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program under test
    #[command(flatten)]
    pub program: Program,
    /// Changes of each kind
    #[arg(long, default_value_t = 500)]
    pub changes: usize,
    /// Load this many further Ingresses first
    #[arg(long, default_value_t = 0)]
    pub preload: usize,
    /// Files of the preloaded set
    #[arg(long, value_enum, default_value_t = Layout::Application)]
    pub layout: Layout,
    /// Accepted p99 in milliseconds
    #[arg(long, default_value_t = 25.0)]
    pub p99_ms: f64,
}

/// Measures route changes and endpoint changes. An error means that a change never became visible or the gateway failed.
pub async fn run(options: &Options) -> Result<Report> {
    let scratch = tempfile::tempdir()?;
    let folder = Folder::new(scratch.path())?;
    let upstreams = Echo::group(&NAMES).await?;
    let stage = Stage { folder, upstreams };
    stage.set_up()?;
    if options.preload > 0 {
        Scale { layout: options.layout, ..Scale::of(options.preload) }.write(&stage.folder)?;
    }
    let gateway =
        options.program.start(&[stage.folder.path()], &scratch.path().join("headgate.log")).await?;
    let routes = stage.measure(&gateway, options.changes, Switch::Route).await?;
    let endpoints = stage.measure(&gateway, options.changes, Switch::Endpoints).await?;
    let memory = gateway.memory()?;
    gateway.stop().await?;

    let passed = [&routes, &endpoints]
        .iter()
        .all(|sample| milliseconds(sample.percentile(99)) <= options.p99_ms);
    let json = json!({
        "preload": options.preload, "layout": format!("{:?}", options.layout), "route": routes.json(), "endpoints": endpoints.json(),
        "p99_limit_ms": options.p99_ms, "passed": passed, "resident_mib": memory.resident, "peak_mib": memory.peak,
    });
    let text = format!(
        "change to visible with {} further Ingresses loaded\n  route      {routes}\n  endpoints  {endpoints}\n  p99 limit {} ms: {}\n",
        options.preload,
        options.p99_ms,
        if passed { "met" } else { "MISSED" }
    );
    Ok(Report { json, text, passed })
}

#[derive(Clone, Copy)]
enum Switch {
    Route,
    Endpoints,
}

struct Stage {
    folder: Folder,
    upstreams: Vec<Echo>,
}

impl Stage {
    fn set_up(&self) -> Result<()> {
        self.folder.write("swap-class", &manifests::ingress_class())?;
        for name in NAMES {
            self.folder
                .write(&format!("swap-service-{name}"), &manifests::service(NAMESPACE, name))?;
            self.folder.write(&format!("swap-slice-{name}"), &self.slice(name, name))?;
        }
        self.folder.write("swap-service-moving", &manifests::service(NAMESPACE, "moving"))?;
        self.folder.write("swap-slice-moving", &self.slice("moving", NAMES[0]))?;
        self.folder.write("swap-route", &route(NAMES[0]))?;
        let moving = Ingress::new(NAMESPACE, "moving").prefix(HOST, "/moving", "moving");
        self.folder.write("swap-moving", &moving.text())
    }

    fn slice(&self, service: &str, upstream: &str) -> String {
        let echo =
            self.upstreams.iter().find(|echo| echo.name() == upstream).or(self.upstreams.first());
        let (ip, port) = echo.map_or_else(Default::default, |echo| {
            (echo.address().ip().to_string(), echo.address().port())
        });
        manifests::endpoint_slice(NAMESPACE, service, port, [ip.as_str()])
    }

    async fn measure(&self, gateway: &Gateway, changes: usize, switch: Switch) -> Result<Sample> {
        let mut asking = Asking::new(gateway.http, VISIBLE_LIMIT);
        let mut took = Vec::with_capacity(changes);
        for change in 0..changes {
            // The first of the two is in place at the start.
            let wanted = NAMES[(change + 1) % 2];
            let (file, text, target) = match switch {
                Switch::Route => ("swap-route", route(wanted), "/route"),
                Switch::Endpoints => ("swap-slice-moving", self.slice("moving", wanted), "/moving"),
            };
            let begin = Instant::now();
            self.folder.write(file, &text)?;
            took.push(asking.until(begin, HOST, target, wanted).await?);
            tokio::time::sleep(Duration::from_millis(fastrand::u64(GAP_MS))).await;
        }
        Ok(Sample::new(took))
    }
}

fn route(service: &str) -> String {
    Ingress::new(NAMESPACE, "route").prefix(HOST, "/", "one").prefix(HOST, "/route", service).text()
}
