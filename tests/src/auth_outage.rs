//! What becomes of requests to a location that asks a service (`auth-url`) while the service is gone: none may pass, none may
//! hang, and all pass again once it is back.

use std::{
    net::SocketAddr,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    client::Connection,
    echo::Echo,
    gateway::Program,
    manifests::{self, Folder, Ingress},
    report::Report,
    stats::{Sample, milliseconds},
};

const NAMESPACE: &str = "outage";
const HOST: &str = "outage.example";
const APPLICATION: &str = "application";
/// How long load runs before the outage, and after it.
const CALM: Duration = Duration::from_secs(2);
/// How long what was decided before a change may be on its way.
const SETTLE: Duration = Duration::from_millis(100);
/// How soon the first request has to pass once the service is back.
const BACK_LIMIT: Duration = Duration::from_secs(2);

/// What is measured, and the limits.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The program under test
    #[command(flatten)]
    pub program: Program,
    /// Seconds without the service
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// Connections that ask all the time
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// Longest time that a request may take, in milliseconds
    #[arg(long, default_value_t = 1000.0)]
    pub max_ms: f64,
}

/// The state of the service when a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Service {
    /// It answers.
    Up,
    /// It is about to change.
    Unclear,
    /// It is gone.
    Gone,
}

/// What all clients see.
struct Stage {
    gateway: SocketAddr,
    service: AtomicU8,
    is_over: AtomicBool,
}

impl Stage {
    fn now(&self) -> u8 {
        self.service.load(Ordering::SeqCst)
    }

    fn set(&self, service: Service) {
        self.service.store(service as u8, Ordering::SeqCst);
    }
}

/// What clients have counted.
#[derive(Debug, Default)]
struct Counts {
    passed: u64,
    refused: u64,
    /// Passed though the service was gone.
    let_through: u64,
    /// Refused though the service was there, or not answered at all.
    failed: Vec<String>,
    took_while_gone: Vec<Duration>,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.refused += other.refused;
        self.let_through += other.let_through;
        self.failed.extend(other.failed);
        self.took_while_gone.extend(other.took_while_gone);
    }
}

/// Measures an outage. An error means that the gateway or the load failed.
pub async fn run(options: &Options) -> Result<Report> {
    let scratch = tempfile::tempdir()?;
    let folder = Folder::new(scratch.path())?;
    let application = Echo::start(APPLICATION, ([127, 0, 0, 1], 0).into()).await?;
    let service = Echo::start("service", ([127, 0, 0, 1], 0).into()).await?;
    let address = service.address();
    write(&folder, application.address(), address)?;
    let gateway =
        options.program.start(&[folder.path()], &scratch.path().join("headgate.log")).await?;
    let stage = Arc::new(Stage {
        gateway: gateway.http,
        service: AtomicU8::new(Service::Up as u8),
        is_over: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    for _ in 0..options.connections {
        clients.spawn(ask(Arc::clone(&stage)));
    }

    tokio::time::sleep(CALM).await;
    stage.set(Service::Unclear);
    drop(service);
    first_with(&stage, 500).await.context("requests still pass without the service")?;
    // What passed a moment ago is on its way to the application, or back.
    tokio::time::sleep(SETTLE).await;
    let before = application.served();
    stage.set(Service::Gone);
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    stage.set(Service::Unclear);
    let reached = application.served() - before;
    let _service = Echo::start("service", address).await?;
    let back_after = first_with(&stage, 200).await.context("no request passes again")?;
    tokio::time::sleep(SETTLE).await;
    stage.set(Service::Up);
    tokio::time::sleep(CALM).await;
    stage.is_over.store(true, Ordering::SeqCst);
    let mut counts = Counts::default();
    while let Some(client) = clients.join_next().await {
        counts.add(client?);
    }
    gateway.stop().await?;
    Ok(report(options, counts, reached, back_after))
}

fn write(folder: &Folder, application: SocketAddr, service: SocketAddr) -> Result<()> {
    folder.write("class", &manifests::ingress_class())?;
    folder.write("service", &manifests::service(NAMESPACE, APPLICATION))?;
    let ip = application.ip().to_string();
    let slice =
        manifests::endpoint_slice(NAMESPACE, APPLICATION, application.port(), [ip.as_str()]);
    folder.write("slice", &slice)?;
    let ingress = Ingress::new(NAMESPACE, "protected")
        .annotation("auth-url", &format!("http://{service}/check"))
        .prefix(HOST, "/", APPLICATION);
    folder.write("ingress", &ingress.text())
}

/// Asks until a status is answered; gives the time that this took.
async fn first_with(stage: &Stage, status: u16) -> Result<Duration> {
    let begin = Instant::now();
    loop {
        let answer = Connection::open(stage.gateway).await?.get(HOST, "/").await?;
        if answer.status == status {
            return Ok(begin.elapsed());
        }
        ensure!(begin.elapsed() < BACK_LIMIT, "{} after {BACK_LIMIT:?}", answer.status);
    }
}

/// One client: asks over one connection, as long as the gateway keeps it, until the load is over.
async fn ask(stage: Arc<Stage>) -> Counts {
    let mut counts = Counts::default();
    let mut connection = None;
    while !stage.is_over.load(Ordering::SeqCst) {
        if let ControlFlow::Break(reason) = once(&stage, &mut connection, &mut counts).await {
            counts.failed.push(reason);
            connection = None;
        }
    }
    counts
}

async fn once(
    stage: &Stage,
    kept: &mut Option<Connection<TcpStream>>,
    counts: &mut Counts,
) -> ControlFlow<String> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => match Connection::open(stage.gateway).await {
            Ok(connection) => connection,
            Err(failure) => return ControlFlow::Break(failure.to_string()),
        },
    };
    let (before, begin) = (stage.now(), Instant::now());
    let answer = match connection.get(HOST, "/").await {
        Ok(answer) => answer,
        Err(failure) => return ControlFlow::Break(failure.to_string()),
    };
    let took = begin.elapsed();
    // Of a request during which the service came or went nothing can be said.
    let is_clear = before == stage.now();
    match answer.status {
        200 if is_clear && before == Service::Gone as u8 => counts.let_through += 1,
        200 => counts.passed += 1,
        500 if is_clear && before == Service::Up as u8 => {
            counts.failed.push("500 though the service is there".into());
        }
        500 => counts.refused += 1,
        other => counts.failed.push(format!("answered {other}")),
    }
    if is_clear && before == Service::Gone as u8 {
        counts.took_while_gone.push(took);
    }
    *kept = (!answer.close).then_some(connection);
    ControlFlow::Continue(())
}

fn report(options: &Options, counts: Counts, reached: u64, back_after: Duration) -> Report {
    let Counts { passed, refused, let_through, failed, took_while_gone } = counts;
    let took = Sample::new(took_while_gone);
    let is_quick = took.count() > 0 && milliseconds(took.max()) <= options.max_ms;
    let fine = let_through == 0 && reached == 0 && failed.is_empty() && is_quick && passed > 0;
    let mut text = format!(
        "authentication service gone for {} s, {} connections\n  passed with it {passed}, refused {refused}, let through without it {let_through} (the application saw {reached})\n  while it was gone  {took}\n  first request passed {:.1} ms after it was back\n  failed {}: {}\n",
        options.seconds,
        options.connections,
        milliseconds(back_after),
        failed.len(),
        if fine { "fine" } else { "MISSED" }
    );
    for reason in failed.iter().take(5) {
        text.push_str(&format!("    {reason}\n"));
    }
    let json = json!({
        "seconds": options.seconds, "connections": options.connections, "passed_with_service": passed, "refused": refused,
        "let_through": let_through, "reached_application": reached, "failed": failed, "while_gone": took.json(),
        "back_after_ms": milliseconds(back_after), "max_ms": options.max_ms, "passed": fine,
    });
    Report { json, text, passed: fine }
}
