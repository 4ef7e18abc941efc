//! Serving folders of manifests, on one thread.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use headgate_config::Snapshot;

use super::{Controller, Publisher, Stopper, inbox::pending};
use crate::{
    DirectoryError, Options,
    objects::Objects,
    source::directory::{Change, Directory, Watch},
};

/// How often the folders are compared with what was read, for changes that the system does not report.
const POLL: Duration = Duration::from_secs(30);
/// The same where the system reports nothing at all.
const POLL_UNWATCHED: Duration = Duration::from_secs(1);

/// What the thread waits for.
#[derive(Debug)]
enum Signal {
    Changed(Change),
    Stop,
}

/// Serves the manifests of these folders: reads all of them, calls `publish` once, and then again after every change
/// that changes the snapshot.
///
/// Returns as soon as the folders are known to exist; reading happens on the controller's thread, and so does every
/// call of `publish`. Services without EndpointSlices are reached by name if the options say so.
///
/// # Errors
///
/// If one of the directories does not exist or cannot be read.
pub fn run_directory(
    options: Options,
    directories: Vec<PathBuf>,
    publish: impl FnMut(Snapshot) + Send + 'static,
) -> Result<Controller, DirectoryError> {
    let directory = Directory::open(directories)?;
    // Without a bound, because the watcher's thread must not wait for the one that reads: that one waits for it in turn
    // when it begins to watch a folder. In effect the disk bounds what waits: one path for each file that is written
    // while the folders are read once. All of them are taken together, each path once.
    let (signals, received) = channel();
    let reports = signals.clone();
    let runner = Runner {
        directory,
        objects: Objects::default(),
        publisher: Publisher::new(Options { is_only_controller: true, ..options }, publish),
        is_polling: false,
    };
    let thread = thread::Builder::new()
        .name("controller".into())
        .spawn(move || runner.run(&reports, &received));
    let thread = thread.map_err(|error| DirectoryError::Unreadable {
        path: PathBuf::new(),
        reason: error.to_string(),
    })?;
    let stopper = Stopper::new(move || {
        // A thread that has ended already needs no signal.
        let _ = signals.send(Signal::Stop);
    });
    Ok(Controller::new(stopper, vec![thread]))
}

struct Runner<P> {
    directory: Directory,
    objects: Objects,
    publisher: Publisher<P>,
    /// Whether it was said that the system reports no changes.
    is_polling: bool,
}

impl<P: FnMut(Snapshot)> Runner<P> {
    fn run(mut self, reports: &Sender<Signal>, signals: &Receiver<Signal>) {
        let started = Instant::now();
        self.directory.rescan(started, &mut self.objects);
        let read = started.elapsed();
        self.publish(started);
        tracing::info!(
            read_ms = read.as_millis(),
            total_ms = started.elapsed().as_millis(),
            ingresses = self.objects.ingresses().len(),
            served = self.publisher.translator().served_count(),
            "manifests are read and published"
        );
        // Watching begins after the first reading, which it would report file by file. What changed in between, the
        // second look finds.
        let (mut watch, mut was_lost) = (None, false);
        let mut next_poll = Instant::now();
        loop {
            let others = [self.directory.next_look(), self.publisher.deadline()];
            let deadline = others.into_iter().flatten().fold(next_poll, Instant::min);
            let Some(mut changes) = changes(signals, deadline) else { return };
            let now = Instant::now();
            if changes.contains(&Change::RootLost) {
                tracing::warn!("a folder of manifests was removed or moved away");
                (watch, was_lost) = (None, true);
                next_poll = now;
            }
            if next_poll <= now {
                // A folder that was away has lost its watch, even if it is back.
                if !self.directory.is_complete() && watch.take().is_some() {
                    was_lost = true;
                }
                if watch.is_none() && self.directory.is_complete() && self.directory.is_there() {
                    watch = self.watch(reports);
                    if watch.is_some() && std::mem::take(&mut was_lost) {
                        tracing::info!("the folders of manifests are watched again");
                    }
                }
                changes.insert(Change::Anything);
                next_poll = now + if watch.is_some() { POLL } else { POLL_UNWATCHED };
            }
            self.directory.follow(changes, now, &mut self.objects);
            self.publish(now);
            self.publisher.say_what_was_taken();
            if !self.directory.is_complete() {
                next_poll = next_poll.min(now + POLL_UNWATCHED);
            }
        }
    }

    fn watch(&mut self, reports: &Sender<Signal>) -> Option<Watch> {
        let reports = reports.clone();
        let report = move |change| {
            // The thread may have ended.
            let _ = reports.send(Signal::Changed(change));
        };
        let watch = Watch::start(self.directory.roots(), report);
        if let Err(error) = &watch
            && !std::mem::replace(&mut self.is_polling, true)
        {
            tracing::error!(%error, "changes of manifests are looked for every second instead");
        }
        watch.ok()
    }

    fn publish(&mut self, heard: Instant) {
        // Nobody is told about single Ingresses here: the log and /api/routes have all findings.
        let changes = self.objects.take_changes();
        self.publisher.publish(&self.objects, &changes, self.directory.verdicts(), heard);
        if let Some(kinds) = self.directory.news_of_passed_over() {
            tracing::info!("passed over, as nothing here reads these kinds: {kinds}");
        }
    }
}

/// What has changed by the deadline; `None` is the signal to stop.
fn changes(signals: &Receiver<Signal>, deadline: Instant) -> Option<BTreeSet<Change>> {
    let mut changes = BTreeSet::new();
    for signal in pending(signals, deadline)? {
        match signal {
            Signal::Changed(change) => drop(changes.insert(change)),
            Signal::Stop => return None,
        }
    }
    Some(changes)
}
