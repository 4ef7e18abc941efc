//! The runners: source -> objects -> translation -> publish, on threads of their own.

mod cluster;
mod difference;
mod directory;
mod duty;
mod inbox;
mod interruptions;
mod ledger;
mod notes;
mod publish;
#[cfg(test)]
mod replica;
mod taken;

use std::{sync::Arc, thread::JoinHandle};

pub use cluster::{Progress, run_cluster};
pub use directory::run_directory;
pub use duty::WriteBack;
use duty::{Part, Role};
pub use notes::Notes;
use publish::Publisher;

use crate::{admission::Reviewer, events::Queue, leader::Leadership};

/// A running control plane. Dropping it stops it and waits for its threads.
#[derive(Debug)]
pub struct Controller {
    stopper: Stopper,
    threads: Vec<JoinHandle<()>>,
    role: Role,
    leadership: Arc<Leadership>,
    queue: Arc<Queue>,
    reviewer: Option<Reviewer>,
    notes: Notes,
}

impl Controller {
    fn new(stopper: Stopper, threads: Vec<JoinHandle<()>>) -> Self {
        Self {
            stopper,
            threads,
            role: Role::default(),
            leadership: Arc::default(),
            queue: Arc::default(),
            reviewer: None,
            notes: Notes::default(),
        }
    }

    /// Gives up for good what only one replica does: statuses are left as a replica leaves them that stops, and the
    /// Lease is released. Does not wait for that; changes are followed as before.
    pub fn resign(&self) {
        self.role.set(Part::Resigns);
    }

    /// Whether this replica leads.
    pub fn leadership(&self) -> Arc<Leadership> {
        Arc::clone(&self.leadership)
    }

    /// The events that wait to be posted.
    pub fn events(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    /// Who answers reviews of Ingresses. None for folders of manifests, which nobody asks before they change.
    pub fn reviewer(&self) -> Option<&Reviewer> {
        self.reviewer.as_ref()
    }

    /// Whom to tell what is wrong at the moment with what is served. For folders of manifests nobody wants to know.
    pub fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// Whether one of its threads has ended although nobody has asked it to stop. Then changes are not followed any more
    /// and never will be: what was published last is all there is.
    pub fn has_died(&self) -> bool {
        // Whoever asks it to stop gives it away, so that nobody can ask this afterwards.
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Stops it and waits for its threads.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.stopper.stop();
        for thread in self.threads.drain(..) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!("the thread {name:?} has panicked");
            }
        }
    }
}

/// Tells threads once that they are to end.
struct Stopper(Option<Box<dyn FnOnce() + Send>>);

impl Stopper {
    fn new(stop: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(stop)))
    }

    fn stop(&mut self) {
        if let Some(stop) = self.0.take() {
            stop();
        }
    }
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stopper")
    }
}

#[cfg(test)]
mod tests;
