//! Serving a cluster: one thread talks to the API server, one translates.

mod link;
mod runner;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use headgate_config::{Snapshot, Verdict};
use link::{Back, Link};
use runner::{Outlets, Runner};
use tokio::sync::{mpsc, oneshot};

use super::{
    Notes, Stopper,
    duty::{Role, WriteBack},
};
use crate::{
    Options,
    admission::{Case, Reviewer},
    events::{Queue, Reporter},
    leader::Leadership,
    objects::Key,
    source::cluster::{Access, ClusterError, Connection, Feed},
    status::Board,
};

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
    /// What is wrong at the moment with what is served.
    Conditions(Vec<Verdict>),
    Stop,
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
    // Neither has a bound, because the thread that talks to the API server must never wait for the one that translates:
    // it keeps the lease and reads all other watches meanwhile. In effect the cluster bounds what waits: a watch sends
    // its objects once, and all of them again only after an interruption, whose pauses grow; changes come as fast as the
    // API server makes them, and are taken by the thousand into one snapshot. Reviews need a place, of which there is a
    // limited number, and are turned away when none is free. Commands are one for each Secret that an Ingress has begun
    // to name, and one for each interruption; they start tasks, and nothing waits for what these do.
    let (signals, received) = channel();
    let (commands, commanded) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let (known, is_known) = channel();
    let (role, board) = (Role::default(), Arc::<Board>::default());
    let (leadership, queue) = (Arc::<Leadership>::default(), Arc::<Queue>::default());

    let outlets = Outlets {
        commands,
        board: Arc::clone(&board),
        role: role.clone(),
        standby: write_back.standby,
        reporter: write_back.events.then(|| reporter(&options, &queue)),
    };
    let link = Link {
        signals: signals.clone(),
        scope: options.namespaces.clone(),
        config_maps: options.config_maps().into_iter().cloned().collect(),
        back: Back {
            write_back,
            board,
            role: role.clone(),
            leadership: Arc::clone(&leadership),
            queue: Arc::clone(&queue),
        },
    };
    let says = progress.clone();
    let api = thread::Builder::new()
        .name("kubernetes".into())
        .spawn(move || link.run(access, known, says, commanded, stopped))?;
    is_known.recv().unwrap_or_else(|_| {
        Err(ClusterError::Thread(std::io::Error::other("its thread has ended")))
    })?;

    let reviewer = Some(reviewer(signals.clone()));
    let controller = thread::Builder::new().name("controller".into()).spawn(move || {
        if let Some(connection) = connected(&received) {
            Runner::new(options, connection, publish, progress, outlets).run(&received);
        }
    })?;
    let conditions = signals.clone();
    let notes = Notes::new(move |found| {
        // A thread that has ended has nobody to tell.
        let _ = conditions.send(Signal::Conditions(found));
    });
    let stopper = stopper(stop, signals);
    let threads = vec![controller, api];
    Ok(super::Controller { stopper, threads, role, leadership, queue, reviewer, notes })
}

/// Hands cases to the controller's thread.
fn reviewer(signals: Sender<Signal>) -> Reviewer {
    Reviewer::new(move |case| {
        // The thread may have ended, which answers the case, too.
        let _ = signals.send(Signal::Review(case));
    })
}

/// Ends both threads.
fn stopper(stop: oneshot::Sender<()>, signals: Sender<Signal>) -> Stopper {
    Stopper::new(move || {
        // Threads that have ended need no signal. The one that gives back what only one replica has is told first, or it
        // would take the end of the other for a death.
        let _ = stop.send(());
        let _ = signals.send(Signal::Stop);
    })
}

fn reporter(options: &Options, queue: &Arc<Queue>) -> Reporter {
    Reporter::new(Arc::clone(queue), options.configmap.as_ref().map(Key::from))
}

/// The connection, when there is one; `None` is the signal to stop.
fn connected(signals: &Receiver<Signal>) -> Option<Connection> {
    loop {
        match signals.recv().ok()? {
            Signal::Connected(connection) => return Some(connection),
            // Dropped, which answers it: nothing is known yet.
            Signal::Review(_) | Signal::Conditions(_) => {}
            Signal::Fed(_) | Signal::Stop => return None,
        }
    }
}
