//! Serving a cluster: one thread talks to the API server, one translates.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use headgate_config::Snapshot;
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

use super::{Publisher, Stopper};
use crate::{
    Options,
    admission::{Case, Examiner, Reviewer},
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
/// again after every change that changes the snapshot. `progress` is told what is going on.
///
/// Returns as soon as it is known where the API server is, whether it answers or not.
///
/// # Errors
///
/// If nothing says where the API server is, or a flag of [`Access`] is unusable.
pub fn run_cluster(
    options: Options,
    access: Access,
    publish: impl FnMut(Snapshot) + Send + 'static,
    progress: impl Fn(Progress) + Send + Sync + Clone + 'static,
) -> Result<super::Controller, ClusterError> {
    let (signals, received) = channel();
    let (commands, commanded) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let (known, is_known) = channel();

    let link =
        Link { signals: signals.clone(), scope: options.namespaces.clone(), maps: maps(&options) };
    let say = progress.clone();
    let api = thread::Builder::new().name("kubernetes".into()).spawn(move || {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return drop(known.send(Err(ClusterError::Thread(error)))),
        };
        runtime.block_on(async move {
            let client = match access.client().await {
                Ok(client) => client,
                Err(error) => return drop(known.send(Err(error))),
            };
            let _ = known.send(Ok(()));
            let follow = async {
                let connection = Connection::open(client, |reason| {
                    tracing::warn!("{reason}");
                    say(Progress::Waiting(reason));
                })
                .await;
                link.follow(connection, commanded).await;
            };
            tokio::select! {
                () = follow => {}
                _ = stopped => {}
            }
        });
    })?;
    is_known.recv().unwrap_or_else(|_| {
        Err(ClusterError::Thread(std::io::Error::other("its thread has ended")))
    })?;

    let cases = signals.clone();
    let reviewer = Reviewer::new(move |case| {
        // The thread may have ended, which answers the case, too.
        let _ = cases.send(Signal::Review(case));
    });
    let runner = Runner {
        options,
        publisher: None,
        examiner: Examiner::default(),
        commands,
        board: Arc::default(),
        progress,
        publish: Some(publish),
    };
    let controller =
        thread::Builder::new().name("controller".into()).spawn(move || runner.run(&received))?;
    let stopper = Stopper::new(move || {
        // Threads that have ended need no signal.
        let _ = signals.send(Signal::Stop);
        let _ = stop.send(());
    });
    Ok(super::Controller::new(stopper, vec![controller, api]).with_reviewer(reviewer))
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

/// The side that talks to the API server.
struct Link {
    signals: Sender<Signal>,
    scope: NamespaceScope,
    maps: Vec<NamespacedName>,
}

impl Link {
    async fn follow(self, connection: Connection, mut commands: mpsc::UnboundedReceiver<Command>) {
        let knows_classes = connection.knows_classes;
        let signals = self.signals;
        // The controller's thread may have ended.
        let _ = signals.send(Signal::Connected(connection.clone()));
        let needs_namespaces = matches!(self.scope, NamespaceScope::Labelled(_));
        let sink = move |feed| drop(signals.send(Signal::Fed(feed)));
        let watches = Watches::new(connection, self.scope, sink);
        if knows_classes {
            watches.follow(Kind::IngressClass);
        }
        if needs_namespaces {
            watches.follow(Kind::Namespace);
        }
        for kind in [Kind::Ingress, Kind::Service, Kind::EndpointSlice] {
            watches.follow(kind);
        }
        for map in &self.maps {
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
}

/// The side that translates.
struct Runner<P, R> {
    options: Options,
    publisher: Option<Publisher<P>>,
    examiner: Examiner,
    commands: mpsc::UnboundedSender<Command>,
    board: Arc<Board>,
    progress: R,
    publish: Option<P>,
}

impl<P: FnMut(Snapshot), R: Fn(Progress)> Runner<P, R> {
    fn run(mut self, signals: &Receiver<Signal>) {
        let Some(connection) = connected(signals) else { return };
        let Some(publish) = self.publish.take() else { return };
        self.options.ignore_ingress_class_name = !connection.knows_classes;
        self.publisher = Some(Publisher::new(self.options.clone(), publish));
        let mut mirror =
            Mirror::new(self.options.clone(), watches(&self.options), Arc::clone(&self.board));
        let mut state = State { started: Instant::now(), ..State::default() };
        let mut next_saying = Instant::now() + SAY_AGAIN;
        loop {
            let idle = Instant::now() + IDLE;
            let waiting = (!state.is_published).then_some(next_saying);
            let deadline = mirror.deadline().into_iter().chain(waiting).min().unwrap_or(idle);
            let Some(Pending { feeds, cases }) = pending(signals, deadline) else { return };
            let now = Instant::now();
            // A review alone changes nothing that would have to be published.
            let is_due = cases.is_empty() || !feeds.is_empty() || deadline <= now;
            for feed in feeds {
                self.note(&mut state, &feed);
                mirror.take(feed, now);
            }
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
    fn note(&self, state: &mut State, feed: &Feed) {
        match feed {
            Feed::Interrupted(id, reason) => {
                tracing::debug!(?id, reason, "a watch is interrupted");
                if state.interrupted.is_none() {
                    self.command(Command::Probe);
                    if state.is_published {
                        tracing::warn!(
                            reason,
                            "the API server cannot be followed; what was last known is served"
                        );
                        (self.progress)(Progress::Interrupted(reason.clone()));
                    }
                }
                state.interrupted = Some(reason.clone());
            }
            Feed::Answering if state.interrupted.take().is_some() && state.is_published => {
                tracing::info!("the API server answers again");
                (self.progress)(Progress::Following);
            }
            _ => {}
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
            self.board.set_served(ingress, publisher.is_served(ingress));
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
        if let Some(reason) = &state.interrupted {
            text.push_str(&format!(": {reason}"));
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
    interrupted: Option<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            is_published: false,
            follows_secrets: false,
            interrupted: None,
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
struct Pending {
    feeds: Vec<Feed>,
    cases: Vec<Case>,
}

/// Waits for signals until the deadline; `None` is the signal to stop. Whatever is pending already goes into the same
/// snapshot; nothing more is waited for.
fn pending(signals: &Receiver<Signal>, deadline: Instant) -> Option<Pending> {
    /// So that a cold start is not one huge batch, nor an endless one.
    const ENOUGH: usize = 4096;
    let first = match signals.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(signal) => Some(signal),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => return None,
    };
    let mut pending = Pending::default();
    for signal in first.into_iter().chain(signals.try_iter()) {
        match signal {
            Signal::Fed(feed) => pending.feeds.push(feed),
            Signal::Review(case) => pending.cases.push(case),
            Signal::Connected(_) => {}
            Signal::Stop => return None,
        }
        if pending.feeds.len() >= ENOUGH {
            break;
        }
    }
    Some(pending)
}
