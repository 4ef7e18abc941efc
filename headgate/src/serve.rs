//! Wires a source, the controller and the gateway together, and takes them down again.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::Context;
use headgate_config::{Host, HostPattern, Messages, Snapshot};
use headgate_controller::{Controller, Options, Progress, run_cluster, run_directory};
use headgate_gateway::{
    admin::{self, AdminState, Readiness},
    listen::tls::write_metrics,
    live::{Live, orphans},
    observe::{
        access_log::{AccessLog, MessageLog},
        metrics::{Kind, Metrics, MetricsSettings},
    },
    run::{self, Startup},
    upstream::resolve::Resolver,
};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

mod conditions;
mod running;
mod signals;

pub use running::Running;
use signals::StopSignals;

use crate::{
    logging,
    settings::{Serve, Source, WebhookPlan},
    webhook,
};

/// How often replaced tables are looked for.
const COLLECT_EVERY: Duration = Duration::from_secs(1);

/// Everything that a running gateway is made of.
pub struct Plan {
    /// Where objects come from.
    pub source: Source,
    /// For the controller.
    pub options: Options,
    /// For the workers.
    pub startup: Startup,
    /// Where the admin server listens.
    pub admin: SocketAddr,
    /// Where liveness is asked for.
    pub health_path: String,
    /// For the metrics.
    pub metrics: MetricsSettings,
    /// Between the signal and the end of accepting.
    pub delay: Duration,
    /// Where and how reviews of Ingresses are answered.
    pub webhook: Option<WebhookPlan>,
}

/// Serves until a signal.
pub fn run(settings: &Serve) -> anyhow::Result<()> {
    settings.inert.report();
    for flag in settings.ignored_flags() {
        tracing::warn!("{flag} has no effect with --manifests: no cluster is served");
    }
    let runtime = control_runtime()?;
    let plan = Plan {
        source: settings.source()?,
        options: settings.controller()?,
        startup: Startup {
            address: settings.bind_address(),
            http_port: settings.http_port,
            https_port: settings.https_port,
            workers: settings.worker_count(),
            grace: settings.drain_timeout(),
        },
        admin: SocketAddr::new(
            settings.healthz_host.unwrap_or_else(|| settings.bind_address()),
            settings.healthz_port,
        ),
        health_path: settings.health_check_path.clone(),
        metrics: settings.metrics()?,
        delay: Duration::from_secs(settings.shutdown_grace_period),
        webhook: settings.webhook.plan()?,
    };
    let mut running = start(&runtime, plan)?;
    runtime.block_on(running.stop_signal());
    running.shut_down(&runtime)
}

/// The runtime of everything that is not on the request path.
pub fn control_runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
        .context("the control runtime cannot start")
}

/// Starts everything. Ready when the first table is live.
pub fn start(runtime: &Runtime, plan: Plan) -> anyhow::Result<Running> {
    let started = Instant::now();
    let signals = StopSignals::listen(runtime)?;
    // The second caller of a process finds it installed, and that is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let readiness = Arc::new(Readiness::waiting("reading objects"));
    let counts_all = plan.metrics.enabled;
    let metrics = Metrics::new(plan.metrics);
    let live = Arc::new(Live::new(Resolver::new(runtime.handle().clone()), Arc::clone(&metrics)));
    let log = AccessLog::stdout().context("the access log cannot start")?;
    add_sources(&metrics, &live, &log, &plan.options.controller_class);
    signals::reopen_logs(runtime)?;
    signals::outlive_terminal(runtime)?;
    let messages = log.messages();
    let gateway = run::start(&plan.startup, &live, &metrics, &log)?;

    let stop = CancellationToken::new();
    let shown = Arc::clone(&live);
    let state = AdminState {
        metrics: Arc::clone(&metrics),
        readiness: Arc::clone(&readiness),
        snapshot: Box::new(move || shown.shown()),
        health_path: plan.health_path,
    };
    let admin = serve_admin(runtime, plan.admin, state, &stop)?;
    collect(runtime, &live, &stop);

    let counted = Arc::clone(&metrics);
    let (http, https) = (gateway.http, gateway.https);
    let served = Arc::clone(&live);
    let publish = publisher((live, messages), metrics, Arc::clone(&readiness), move |hosts| {
        tracing::info!(hosts, %http, %https, %admin, after = ?started.elapsed(), "ready");
    });
    let surroundings = webhook::Surroundings { runtime, metrics: &counted, stop: &stop };
    let (controller, webhook) = match plan.source {
        Source::Manifests(folders) => {
            if plan.webhook.is_some() {
                tracing::warn!("--validating-webhook has no effect with --manifests: nobody asks");
            }
            (run_directory(plan.options, folders, publish)?, None)
        }
        Source::Cluster(access, write_back) => {
            let election = write_back.election.as_ref().filter(|_| counts_all);
            let lease = election.map(|election| election.id.clone());
            let progress = telling(&readiness);
            let controller =
                run_cluster(plan.options, access.clone(), *write_back, publish, progress)?;
            add_metrics(&counted, &controller, lease);
            let webhook = plan.webhook.zip(controller.reviewer());
            let webhook = webhook
                .map(|(plan, reviewer)| webhook::start(plan, reviewer, access, surroundings));
            (controller, webhook.transpose()?)
        }
    };
    conditions::follow(runtime, served, controller.notes(), &stop);
    let delay = plan.delay;
    Ok(Running { gateway, admin, readiness, controller, webhook, log, stop, delay, signals })
}

/// Makes snapshots live. The first one makes the process ready, which is told with the number of its hosts.
fn publisher(
    (live, log): (Arc<Live>, MessageLog),
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    tell: impl Fn(usize),
) -> impl FnMut(Snapshot) {
    let mut messages = Messages::default();
    move |snapshot| {
        let said = snapshot.settings.messages.clone();
        let hosts = Arc::clone(&snapshot.hosts);
        let is_first = live.revision() == 0;
        live.publish(snapshot);
        if said != messages {
            logging::follow(&said, live.message_destination(), &log);
            messages = said;
        }
        metrics.published(live.revision());
        if is_first {
            readiness.set_ready();
            let is_named = |host: &&Arc<Host>| host.pattern != HostPattern::Default;
            tell(hosts.iter().filter(is_named).count());
        }
    }
}

/// Makes readiness say how far following the cluster has come.
fn telling(readiness: &Arc<Readiness>) -> impl Fn(Progress) + Clone + use<> {
    let readiness = Arc::clone(readiness);
    move |progress| match progress {
        Progress::Waiting(reason) => readiness.set_waiting(reason),
        Progress::Interrupted(reason) => {
            let complaint = format!("the API server cannot be followed: {reason}");
            readiness.set_complaint(Some(complaint));
        }
        Progress::Following => readiness.set_complaint(None),
    }
}

/// Starts the admin server; says where it listens.
fn serve_admin(
    runtime: &Runtime,
    address: SocketAddr,
    state: AdminState,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener = runtime
        .block_on(TcpListener::bind(address))
        .with_context(|| format!("cannot listen on {address} (--healthz-port)"))?;
    let address = listener.local_addr()?;
    runtime.spawn(admin::serve(listener, Arc::new(state), stop.clone()));
    Ok(address)
}

/// Takes tables apart that were replaced, as soon as no request uses them, and not on a worker.
fn collect(runtime: &Runtime, live: &Arc<Live>, stop: &CancellationToken) {
    let (live, stop) = (Arc::clone(live), stop.clone());
    runtime.spawn(async move {
        while tokio::time::timeout(COLLECT_EVERY, stop.cancelled()).await.is_err() {
            live.collect();
        }
    });
}

/// Shows orphaned Ingresses, certificates and the log's losses.
fn add_sources(metrics: &Metrics, live: &Arc<Live>, log: &AccessLog, class: &str) {
    if metrics.settings().enabled {
        let live = Arc::clone(live);
        metrics.add_source(move |text| orphans::write_metrics(&live.load(), text));
    }
    let (live, class) = (Arc::clone(live), class.to_owned());
    metrics.add_source(move |text| write_metrics(&live.load().tls, &class, text));
    let dropped = log.dropped_lines();
    metrics.add_source(move |text| {
        let name = "headgate_access_log_dropped_total";
        text.family(name, Kind::Counter, "Lines of the access log that were lost");
        text.sample(name, &[], dropped.load(Ordering::Relaxed));
    });
}

/// Counts what is written to the cluster.
fn add_metrics(metrics: &Metrics, controller: &Controller, lease: Option<String>) {
    let (leadership, events) = (controller.leadership(), controller.events());
    if let Some(lease) = lease {
        metrics.add_source(move |text| {
            let name = "nginx_ingress_controller_leader_election_status";
            let help = "Whether this replica leads (1) or follows (0)";
            text.family(name, Kind::Gauge, help);
            text.instance_sample(name, &[("name", &lease)], u8::from(leadership.is_leader()));
        });
    }
    metrics.add_source(move |text| {
        let name = "headgate_events_dropped_total";
        text.family(name, Kind::Counter, "Kubernetes events that were lost");
        text.sample(name, &[], events.lost());
    });
}
