//! Serving a cluster: one thread talks to the API server, one translates.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::future::OptionFuture;
use headgate_config::Snapshot;
use k8s_openapi::jiff::Timestamp;
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

use super::{
    Publisher, Stopper,
    duty::{Duty, Part, Role, WriteBack},
    inbox::pending,
    interruptions::Interruptions,
};
use crate::{
    Options,
    admission::{Case, Examiner, Reviewer},
    events::{self, News, Queue, Reporter},
    leader::Leadership,
    objects::{Key, Kind},
    options::{NamespaceScope, NamespacedName},
    source::cluster::{Access, ClusterError, Connection, Feed, Mirror, WatchId, Watches},
    status::Board,
};

/// How long the controller's thread waits for more when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);
/// How often it is said which lists are still being waited for.
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// How far following the cluster has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is served yet, and what is being waited for.
    Waiting(String),
    /// The last known state is served, and why no change gets through.
    Interrupted(String),
    /// Changes are followed.
    Following,
}

/// What the controller's thread waits for.
enum Signal {
    Connected(Connection),
    Fed(Feed),
    Review(Case),
    Stop,
}

/// What the controller's thread asks of the thread that talks to the API server.
enum Command {
    FollowSecrets,
    Fetch(Key),
    Probe,
}

/// Serves the cluster that `access` leads to: calls `publish` once when everything in scope has been read, and then
/// again after every change that changes the snapshot. `progress` is told what is going on. What `write_back` asks for
/// is written to the cluster.
///
/// Returns as soon as it is known where the API server is, whether it answers or not.
///
/// # Errors
///
/// If nothing says where the API server is, or a flag of [`Access`] is unusable.
pub fn run_cluster(
    options: Options,
    access: Access,
    write_back: WriteBack,
    publish: impl FnMut(Snapshot) + Send + 'static,
    progress: impl Fn(Progress) + Send + Sync + Clone + 'static,
) -> Result<super::Controller, ClusterError> {
    let (signals, received) = channel();
    let (commands, commanded) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let (known, is_known) = channel();
    let (role, board) = (Role::default(), Arc::<Board>::default());
    let (leadership, queue) = (Arc::<Leadership>::default(), Arc::<Queue>::default());

    let runner = Runner {
        publisher: None,
        examiner: Examiner::default(),
        commands,
        board: Arc::clone(&board),
        role: role.clone(),
        standby: write_back.standby,
        reporter: write_back.events.then(|| reporter(&options, &queue)),
        progress: progress.clone(),
        publish: Some(publish),
        options: options.clone(),
    };
    let back = Back {
        write_back,
        board,
        role: role.clone(),
        leadership: Arc::clone(&leadership),
        queue: Arc::clone(&queue),
    };
    let (maps, scope) = (maps(&options), options.namespaces);
    let link = Link { signals: signals.clone(), scope, maps, back };
    let api = thread::Builder::new().name("kubernetes".into()).spawn(move || {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return drop(known.send(Err(ClusterError::Thread(error)))),
        };
        runtime.block_on(link.run(access, known, progress, commanded, stopped));
    })?;
    is_known.recv().unwrap_or_else(|_| {
        Err(ClusterError::Thread(std::io::Error::other("its thread has ended")))
    })?;

    let cases = signals.clone();
    let reviewer = Reviewer::new(move |case| {
        // The thread may have ended, which answers the case, too.
        let _ = cases.send(Signal::Review(case));
    });
    let controller =
        thread::Builder::new().name("controller".into()).spawn(move || runner.run(&received))?;
    let stopper = Stopper::new(move || {
        // Threads that have ended need no signal.
        let _ = signals.send(Signal::Stop);
        let _ = stop.send(());
    });
    let threads = vec![controller, api];
    Ok(super::Controller { stopper, threads, role, leadership, queue, reviewer: Some(reviewer) })
}

fn reporter(options: &Options, queue: &Arc<Queue>) -> Reporter {
    let map = options.configmap.as_ref().map(|name| Key::new(&name.namespace, &name.name));
    Reporter::new(Arc::clone(queue), map)
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The ConfigMaps that are read, in scope or not (routing §1.1).
fn maps(options: &Options) -> Vec<NamespacedName> {
    options.configmap.iter().cloned().collect()
}

/// The watches that are needed before Secrets can be asked for, and Secrets.
fn watches(options: &Options) -> Vec<WatchId> {
    let mut kinds = vec![Kind::Ingress, Kind::Service, Kind::EndpointSlice, Kind::Secret];
    if !options.ignore_ingress_class_name {
        kinds.push(Kind::IngressClass);
    }
    if matches!(options.namespaces, NamespaceScope::Labelled(_)) {
        kinds.push(Kind::Namespace);
    }
    let maps = maps(options)
        .into_iter()
        .map(|name| WatchId::ConfigMap(Key::new(&name.namespace, &name.name)));
    kinds.into_iter().map(WatchId::All).chain(maps).collect()
}

/// What is written back, on the side that talks to the API server.
struct Back {
    write_back: WriteBack,
    board: Arc<Board>,
    role: Role,
    leadership: Arc<Leadership>,
    queue: Arc<Queue>,
}

/// The side that talks to the API server.
struct Link {
    signals: Sender<Signal>,
    scope: NamespaceScope,
    maps: Vec<NamespacedName>,
    back: Back,
}

impl Link {
    /// Runs until it is stopped, or nobody commands any more. Says whether it is `known` where the API server is.
    async fn run(
        self,
        access: Access,
        known: Sender<Result<(), ClusterError>>,
        progress: impl Fn(Progress),
        commands: mpsc::UnboundedReceiver<Command>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let client = match access.client().await {
            Ok(client) => client,
            Err(error) => return drop(known.send(Err(error))),
        };
        let _ = known.send(Ok(()));
        let connect = Connection::open(client, &access, |reason| {
            tracing::warn!("{reason}");
            progress(Progress::Waiting(reason));
        });
        let connection = tokio::select! {
            connection = connect => connection,
            _ = &mut stopped => return,
        };
        let Self { signals, scope, maps, back } = self;
        let Back { write_back, board, role, leadership, queue } = back;
        let client = || connection.client.clone();
        let duty = Duty::new(client(), &write_back, board, leadership);
        let duty = OptionFuture::from(duty.map(|duty| duty.run(role.clone())));
        let post = events::post(client(), queue);
        let follow = async {
            tokio::select! {
                () = follow(connection, signals, scope, maps, commands) => {}
                // Without events the queue stays empty.
                () = post => {}
                _ = stopped => {}
            }
            role.set(Part::Resigns);
        };
        tokio::join!(follow, duty);
    }
}

async fn follow(
    connection: Connection,
    signals: Sender<Signal>,
    scope: NamespaceScope,
    maps: Vec<NamespacedName>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let knows_classes = connection.knows_classes;
    // The controller's thread may have ended.
    let _ = signals.send(Signal::Connected(connection.clone()));
    let needs_namespaces = matches!(scope, NamespaceScope::Labelled(_));
    let sink = move |feed| drop(signals.send(Signal::Fed(feed)));
    let watches = Watches::new(connection, scope, sink);
    if knows_classes {
        watches.follow(Kind::IngressClass);
    }
    if needs_namespaces {
        watches.follow(Kind::Namespace);
    }
    for kind in [Kind::Ingress, Kind::Service, Kind::EndpointSlice] {
        watches.follow(kind);
    }
    for map in &maps {
        watches.follow_config_map(map);
    }
    while let Some(command) = commands.recv().await {
        match command {
            Command::FollowSecrets => watches.follow(Kind::Secret),
            Command::Fetch(secret) => watches.fetch_secret(secret),
            Command::Probe => watches.probe(),
        }
    }
}

/// The side that translates.
struct Runner<P, R> {
    options: Options,
    publisher: Option<Publisher<P>>,
    examiner: Examiner,
    commands: mpsc::UnboundedSender<Command>,
    board: Arc<Board>,
    role: Role,
    standby: bool,
    reporter: Option<Reporter>,
    progress: R,
    publish: Option<P>,
}

impl<P: FnMut(Snapshot), R: Fn(Progress)> Runner<P, R> {
    fn run(mut self, signals: &Receiver<Signal>) {
        let Some(connection) = connected(signals) else { return };
        let Some(publish) = self.publish.take() else { return };
        self.options.ignore_ingress_class_name = !connection.knows_classes;
        self.options.zone = connection.zone;
        self.publisher = Some(Publisher::new(self.options.clone(), publish));
        let mut mirror =
            Mirror::new(self.options.clone(), watches(&self.options), Arc::clone(&self.board));
        let mut state = State { started: Instant::now(), ..State::default() };
        let mut next_saying = Instant::now() + SAY_AGAIN;
        loop {
            let idle = Instant::now() + IDLE;
            let waiting = (!state.is_published).then_some(next_saying);
            let due = [mirror.deadline(), waiting, state.interruptions.deadline()];
            let deadline = due.into_iter().flatten().min().unwrap_or(idle);
            let Some(Arrivals { feeds, cases }) = Arrivals::by(deadline, signals) else { return };
            let now = Instant::now();
            // A review alone changes nothing that would have to be published.
            let is_due = cases.is_empty() || !feeds.is_empty() || deadline <= now;
            for feed in feeds {
                self.note(&mut state, &feed, now);
                mirror.take(feed, now);
            }
            self.say_whether_it_follows(&mut state, now);
            mirror.release(now);
            self.follow_secrets(&mut mirror, &mut state);
            if mirror.is_complete() {
                if is_due {
                    self.publish(&mut mirror, &mut state);
                }
            } else if now >= next_saying {
                next_saying = now + SAY_AGAIN;
                self.say_what_is_missing(&mirror, &state);
            }
            for case in cases {
                self.examine(case, &mut mirror, &state);
            }
        }
    }

    /// Judges an Ingress by what is published. Before there is anything the case is dropped, which answers it.
    fn examine(&mut self, case: Case, mirror: &mut Mirror, state: &State) {
        if let Some(publisher) = self.publisher.as_ref().filter(|_| state.is_published) {
            self.examiner.examine(case, publisher.translator(), mirror.objects());
        }
    }

    /// Follows interruptions of the watches.
    fn note(&self, state: &mut State, feed: &Feed, now: Instant) {
        let interruptions = &mut state.interruptions;
        match feed {
            Feed::Interrupted { watch, reason, is_refusal } => {
                tracing::debug!(%watch, reason, "a watch is interrupted");
                if !is_refusal && !interruptions.has_lost_connection() {
                    self.command(Command::Probe);
                }
                interruptions.note(watch.clone(), reason.clone(), *is_refusal, now);
            }
            Feed::Answering => interruptions.answering(),
            _ => feed.going_on().into_iter().for_each(|watch| interruptions.goes_on(watch)),
        }
    }

    /// Says whether the cluster is followed, when that is other than before.
    fn say_whether_it_follows(&self, state: &mut State, now: Instant) {
        state.interruptions.expire(now);
        let first = state.interruptions.first();
        if !state.is_published || first.is_some() == state.is_interrupted {
            return;
        }
        state.is_interrupted = first.is_some();
        match first {
            Some((watch, reason)) => {
                tracing::warn!(
                    reason,
                    "{watch} of the API server cannot be followed; what was last known is served"
                );
                (self.progress)(Progress::Interrupted(format!("{watch}: {reason}")));
            }
            None => {
                tracing::info!("the API server is followed again");
                (self.progress)(Progress::Following);
            }
        }
    }

    fn follow_secrets(&self, mirror: &mut Mirror, state: &mut State) {
        if !state.follows_secrets && mirror.knows_ingresses() {
            state.follows_secrets = true;
            self.command(Command::FollowSecrets);
        }
        for secret in mirror.take_fetches() {
            self.command(Command::Fetch(secret));
        }
    }

    fn publish(&mut self, mirror: &mut Mirror, state: &mut State) {
        let Some(publisher) = &mut self.publisher else { return };
        let outcome = publisher.publish(mirror.objects(), Vec::new());
        for ingress in &outcome.ingresses {
            let served = publisher.served(ingress);
            self.board.set_served(ingress, served.is_some());
            mirror.settle(ingress, served);
        }
        let stands_by = publisher.standby().unwrap_or(self.standby);
        self.role.set(if stands_by { Part::StandsBy } else { Part::Takes });
        if let Some(reporter) = &mut self.reporter {
            let news = News {
                ingresses: &outcome.ingresses,
                new: &outcome.verdicts,
                all: publisher.verdicts(),
                is_served: &|ingress| publisher.is_served(ingress),
            };
            reporter.report(news, mirror, Timestamp::now().as_second());
        }
        self.examiner.note(&outcome.ingresses, publisher.translator());
        if !std::mem::replace(&mut state.is_published, true) {
            tracing::info!(
                total_ms = state.started.elapsed().as_millis(),
                ingresses = mirror.objects().ingresses().len(),
                "the cluster is read and published"
            );
            (self.progress)(Progress::Following);
        }
    }

    fn say_what_is_missing(&self, mirror: &Mirror, state: &State) {
        let mut missing: Vec<_> = mirror.incomplete().map(ToString::to_string).collect();
        missing.sort();
        let mut text = format!("reading {}", missing.join(", "));
        if let Some((watch, reason)) = state.interruptions.first() {
            text.push_str(&format!("; {watch}: {reason}"));
        }
        tracing::warn!("not ready: {text}");
        (self.progress)(Progress::Waiting(text));
    }

    fn command(&self, command: Command) {
        // The other thread ends only when this one is told to, too.
        let _ = self.commands.send(command);
    }
}

/// How far it has come.
struct State {
    started: Instant,
    is_published: bool,
    follows_secrets: bool,
    interruptions: Interruptions,
    /// Whether it was said last that the cluster is not followed.
    is_interrupted: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            is_published: false,
            follows_secrets: false,
            interruptions: Interruptions::default(),
            is_interrupted: false,
        }
    }
}

fn connected(signals: &Receiver<Signal>) -> Option<Connection> {
    loop {
        match signals.recv().ok()? {
            Signal::Connected(connection) => return Some(connection),
            // Dropped, which answers it: nothing is known yet.
            Signal::Review(_) => {}
            Signal::Fed(_) | Signal::Stop => return None,
        }
    }
}

/// What came in since the last look.
#[derive(Default)]
struct Arrivals {
    feeds: Vec<Feed>,
    cases: Vec<Case>,
}

impl Arrivals {
    /// What comes in by the deadline; `None` is the signal to stop.
    fn by(deadline: Instant, signals: &Receiver<Signal>) -> Option<Self> {
        /// So that a cold start is not one huge batch, nor an endless one.
        const ENOUGH: usize = 4096;
        let mut arrivals = Self::default();
        for signal in pending(signals, deadline)? {
            match signal {
                Signal::Fed(feed) => arrivals.feeds.push(feed),
                Signal::Review(case) => arrivals.cases.push(case),
                Signal::Connected(_) => {}
                Signal::Stop => return None,
            }
            if arrivals.feeds.len() >= ENOUGH {
                break;
            }
        }
        Some(arrivals)
    }
}
