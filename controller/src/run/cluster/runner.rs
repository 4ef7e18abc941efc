//! The side that translates: takes in what the watches say, publishes, and says how far it has come.

use std::{
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

use headgate_config::{Snapshot, Verdict};
use k8s_openapi::jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use super::{
    super::{
        duty::{Part, Role},
        inbox::pending,
        interruptions::Interruptions,
        publish::Publisher,
    },
    Progress, Signal,
    link::Command,
};
use crate::{
    Options,
    admission::{Case, Examiner},
    events::{News, Reporter},
    objects::Kind,
    options::NamespaceScope,
    source::cluster::{Connection, Feed, Mirror, WatchId},
    status::Board,
};

/// How long it waits for more when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);
/// How often it is said which lists are still being waited for.
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// Who learns of a translation, beside whoever it is published to.
pub struct Outlets {
    /// The thread that talks to the API server.
    pub commands: UnboundedSender<Command>,
    /// Is told which Ingresses are served.
    pub board: Arc<Board>,
    /// Is told whether this replica stands by.
    pub role: Role,
    /// Whether it does if the ConfigMap does not say.
    pub standby: bool,
    /// Says what became of objects; `None` if nobody wants to know.
    pub reporter: Option<Reporter>,
}

impl Outlets {
    fn command(&self, command: Command) {
        // The other thread ends only when this one is told to, too.
        let _ = self.commands.send(command);
    }
}

/// The controller's thread.
pub struct Runner<P, R> {
    publisher: Publisher<P>,
    mirror: Mirror,
    examiner: Examiner,
    outlets: Outlets,
    progress: R,
    state: State,
}

impl<P: FnMut(Snapshot), R: Fn(Progress)> Runner<P, R> {
    /// A runner for a cluster of which nothing is known yet.
    pub fn new(
        options: Options,
        connection: Connection,
        publish: P,
        progress: R,
        outlets: Outlets,
    ) -> Self {
        let options = Options {
            ignore_ingress_class_name: !connection.knows_classes,
            zone: connection.zone,
            ..options
        };
        let board = Arc::clone(&outlets.board);
        Self {
            mirror: Mirror::new(options.clone(), watches(&options), board),
            publisher: Publisher::new(options, publish),
            examiner: Examiner::default(),
            outlets,
            progress,
            state: State::new(),
        }
    }

    /// Runs until it is stopped.
    pub fn run(mut self, signals: &Receiver<Signal>) {
        let mut next_saying = Instant::now() + SAY_AGAIN;
        loop {
            let idle = Instant::now() + IDLE;
            let waiting = (!self.state.is_published).then_some(next_saying);
            let due = [self.mirror.deadline(), waiting, self.state.interruptions.deadline()];
            let deadline = due.into_iter().flatten().min().unwrap_or(idle);
            let wake = self.publisher.deadline().map_or(deadline, |at| at.min(deadline));
            let Some(arrivals) = Arrivals::by(wake, signals) else { return };
            let Arrivals { feeds, cases, conditions } = arrivals;
            let now = Instant::now();
            // A review alone changes nothing that would have to be published, nor does what is to be said or what is wrong
            // at the moment.
            let is_due = !feeds.is_empty() || deadline <= now;
            self.publisher.say_what_was_taken();
            for feed in feeds {
                self.note(&feed, now);
                self.mirror.take(feed, now);
            }
            self.say_whether_it_follows(now);
            self.mirror.release(now);
            self.follow_secrets();
            if self.mirror.is_complete() {
                if is_due {
                    self.publish(now);
                }
            } else if now >= next_saying {
                next_saying = now + SAY_AGAIN;
                self.say_what_is_missing();
            }
            if let Some((conditions, reporter)) = conditions.zip(self.outlets.reporter.as_mut()) {
                reporter.report_conditions(conditions, &self.mirror);
            }
            for case in cases {
                self.examine(case);
            }
        }
    }

    /// Judges an Ingress by what is published. Before there is anything the case is dropped, which answers it.
    fn examine(&mut self, case: Case) {
        if self.state.is_published {
            self.examiner.examine(case, self.publisher.translator(), self.mirror.objects());
        }
    }

    /// Follows interruptions of the watches.
    fn note(&mut self, feed: &Feed, now: Instant) {
        let interruptions = &mut self.state.interruptions;
        match feed {
            // That it may not be read is said to the Ingress that names it, and changes nothing for others.
            Feed::Interrupted { watch, reason, is_refusal: true }
                if self.mirror.is_named_map(watch) =>
            {
                tracing::debug!(%watch, reason, "cannot be followed");
            }
            Feed::Interrupted { watch, reason, is_refusal } => {
                tracing::debug!(%watch, reason, "a watch is interrupted");
                if !is_refusal && !interruptions.has_lost_connection() {
                    self.outlets.command(Command::Probe);
                }
                interruptions.note(watch.clone(), reason.clone(), *is_refusal, now);
            }
            Feed::Answering => interruptions.answering(),
            Feed::Complete(watch) => {
                tracing::debug!(%watch, "the list is complete");
                interruptions.goes_on(watch);
                if *watch == WatchId::All(Kind::IngressClass) {
                    self.publisher.heed_classes();
                }
            }
            _ => feed.going_on().into_iter().for_each(|watch| interruptions.goes_on(watch)),
        }
    }

    /// Says whether the cluster is followed, when that is other than before.
    fn say_whether_it_follows(&mut self, now: Instant) {
        self.state.interruptions.expire(now);
        let first = self.state.interruptions.first();
        if !self.state.is_published || first.is_some() == self.state.is_interrupted {
            return;
        }
        self.state.is_interrupted = first.is_some();
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

    fn follow_secrets(&mut self) {
        if !self.state.follows_secrets && self.mirror.knows_ingresses() {
            self.state.follows_secrets = true;
            self.outlets.command(Command::FollowSecrets);
        }
        for secret in self.mirror.take_fetches() {
            self.outlets.command(Command::Fetch(secret));
        }
        for wish in self.mirror.take_wishes() {
            self.outlets.command(Command::Map(wish));
        }
    }

    fn publish(&mut self, heard: Instant) {
        let publisher = &mut self.publisher;
        let changes = self.mirror.take_changes();
        let outcome = publisher.publish(self.mirror.objects(), &changes, Vec::new(), heard);
        for ingress in &outcome.ingresses {
            let served = publisher.served(ingress);
            self.outlets.board.set_served(ingress, served.is_some());
            self.mirror.settle(ingress, served);
        }
        let stands_by = publisher.standby().unwrap_or(self.outlets.standby);
        self.outlets.role.set(if stands_by { Part::StandsBy } else { Part::Takes });
        if let Some(reporter) = &mut self.outlets.reporter {
            let news = News {
                ingresses: &outcome.ingresses,
                new: &outcome.verdicts,
                all: publisher.verdicts(),
                is_served: &|ingress| publisher.served(ingress).is_some(),
            };
            reporter.report(news, &self.mirror, Timestamp::now().as_second());
        }
        self.examiner.note(&outcome.ingresses, publisher.translator());
        if !std::mem::replace(&mut self.state.is_published, true) {
            tracing::info!(
                total_ms = self.state.started.elapsed().as_millis(),
                ingresses = self.mirror.objects().ingresses().len(),
                served = publisher.translator().served_count(),
                "the cluster is read and published"
            );
            (self.progress)(Progress::Following);
        }
    }

    fn say_what_is_missing(&self) {
        let mut missing: Vec<_> = self.mirror.incomplete().map(ToString::to_string).collect();
        missing.sort();
        let mut text = format!("reading {}", missing.join(", "));
        if let Some((watch, reason)) = self.state.interruptions.first() {
            text.push_str(&format!("; {watch}: {reason}"));
        }
        tracing::warn!("not ready: {text}");
        (self.progress)(Progress::Waiting(text));
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

impl State {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            is_published: false,
            follows_secrets: false,
            interruptions: Interruptions::default(),
            is_interrupted: false,
        }
    }
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
    let maps = options.config_maps().into_iter().map(|name| WatchId::ConfigMap(name.into()));
    kinds.into_iter().map(WatchId::All).chain(maps).collect()
}

/// What came in since the last look.
#[derive(Default)]
struct Arrivals {
    feeds: Vec<Feed>,
    cases: Vec<Case>,
    /// The last that were told, if any were.
    conditions: Option<Vec<Verdict>>,
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
                Signal::Conditions(found) => arrivals.conditions = Some(found),
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
