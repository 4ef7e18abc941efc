//! Compares passwords with slow hashes, on few threads of its own: a worker never waits for one.
//!
//! Whoever asks the same at the same time waits for one comparison. What waits is bounded, and lists of users take turns,
//! so that a flood of guesses at one of them holds up nobody else's.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::results::{Fingerprint, Results};
use crate::clock;

/// Comparisons that wait, of one list of users.
const MAX_WAITING_OF_ONE: usize = 32;
/// Comparisons that wait, of all.
const MAX_WAITING: usize = 1024;

/// A comparison to be made.
pub struct Job {
    /// What identifies it.
    pub fingerprint: Fingerprint,
    /// Whose it is; those of one list of users wait for each other.
    pub list: usize,
    /// What it is compared with.
    pub hash: String,
    /// The password.
    pub password: Vec<u8>,
    /// Whether a match counts. Without a user of that name the work is done all the same.
    pub counts: bool,
}

/// What comes of asking.
pub enum Asked {
    /// It has been found out meanwhile.
    Known(bool),
    /// It will be said here; an end without a word is no answer.
    Soon(oneshot::Receiver<bool>),
    /// Too many wait already, or nobody can do it.
    Busy,
}

/// Compares a hash with a password.
type Compare = dyn Fn(&str, &[u8]) -> bool + Send + Sync;

/// The threads, and what waits for them.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    compare: Box<Compare>,
    results: Results,
    most_threads: usize,
    queue: Mutex<Queue>,
    /// Something waits, or it is over.
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Whose turn it is next is in front. None is empty.
    lanes: VecDeque<Lane>,
    waiting: usize,
    /// Who waits for what, whether it waits itself or is being compared.
    listeners: HashMap<Fingerprint, Vec<oneshot::Sender<bool>>>,
    threads: usize,
    idle: usize,
    is_over: bool,
}

struct Lane {
    list: usize,
    jobs: VecDeque<Job>,
}

impl Pool {
    /// A pool without threads: they are started when there is something to do.
    pub fn new(compare: impl Fn(&str, &[u8]) -> bool + Send + Sync + 'static) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            shared: Arc::new(Shared {
                compare: Box::new(compare),
                results: Results::default(),
                most_threads: (cores / 2).clamp(1, 4),
                queue: Mutex::default(),
                work: Condvar::new(),
            }),
        }
    }

    /// What is remembered of a comparison.
    pub fn find(&self, fingerprint: &Fingerprint) -> Option<bool> {
        self.shared.results.find(fingerprint, clock::tick())
    }

    /// Asks for a comparison that nothing was remembered of.
    pub fn ask(&self, job: Job) -> Asked {
        let mut queue = self.shared.queue.lock();
        // What is remembered is written before the listeners are told.
        if let Some(right) = self.find(&job.fingerprint) {
            return Asked::Known(right);
        }
        let (sender, receiver) = oneshot::channel();
        if let Some(listeners) = queue.listeners.get_mut(&job.fingerprint) {
            listeners.retain(|listener| !listener.is_closed());
            listeners.push(sender);
            return Asked::Soon(receiver);
        }
        if queue.is_full(job.list) || !self.staff(&mut queue) {
            return Asked::Busy;
        }
        queue.listeners.insert(job.fingerprint, vec![sender]);
        queue.push(job);
        self.shared.work.notify_one();
        Asked::Soon(receiver)
    }

    /// Starts a thread if all are busy and there may be one more; says whether there is any.
    fn staff(&self, queue: &mut Queue) -> bool {
        if queue.idle <= queue.waiting && queue.threads < self.shared.most_threads {
            let shared = Arc::clone(&self.shared);
            let name = format!("password-{}", queue.threads);
            match thread::Builder::new().name(name).spawn(move || shared.work()) {
                Ok(_) => queue.threads += 1,
                Err(error) => tracing::warn!(%error, "no thread to compare passwords on"),
            }
        }
        queue.threads > 0
    }
}

impl Drop for Pool {
    /// The threads end with the comparison that they are at. Nobody waits for them: there is nobody left to be told.
    fn drop(&mut self) {
        self.shared.queue.lock().is_over = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        let mut queue = self.queue.lock();
        loop {
            if queue.is_over {
                return;
            }
            let Some(job) = queue.pop() else {
                queue.idle += 1;
                self.work.wait(&mut queue);
                queue.idle -= 1;
                continue;
            };
            if queue.is_forgotten(&job.fingerprint) {
                continue;
            }
            drop(queue);
            // A fault in the comparison must cost this answer only.
            let matches =
                catch_unwind(AssertUnwindSafe(|| (self.compare)(&job.hash, &job.password)));
            let right = matches.ok().map(|matches| matches && job.counts);
            if let Some(right) = right {
                self.results.insert(job.fingerprint, right, clock::tick());
            }
            queue = self.queue.lock();
            for listener in queue.listeners.remove(&job.fingerprint).unwrap_or_default() {
                // Without a result it is dropped, which says that there is none.
                if let Some(right) = right {
                    let _ = listener.send(right);
                }
            }
        }
    }
}

impl Queue {
    fn is_full(&self, list: usize) -> bool {
        let of_one = self.lanes.iter().find(|lane| lane.list == list);
        self.waiting >= MAX_WAITING
            || of_one.is_some_and(|lane| lane.jobs.len() >= MAX_WAITING_OF_ONE)
    }

    fn push(&mut self, job: Job) {
        self.waiting += 1;
        match self.lanes.iter_mut().find(|lane| lane.list == job.list) {
            Some(lane) => lane.jobs.push_back(job),
            None => self.lanes.push_back(Lane { list: job.list, jobs: [job].into() }),
        }
    }

    fn pop(&mut self) -> Option<Job> {
        let mut lane = self.lanes.pop_front()?;
        let job = lane.jobs.pop_front();
        if !lane.jobs.is_empty() {
            self.lanes.push_back(lane);
        }
        self.waiting -= usize::from(job.is_some());
        job
    }

    /// Whether nobody listens any more; then nobody will.
    fn is_forgotten(&mut self, fingerprint: &Fingerprint) -> bool {
        let listeners = self.listeners.get(fingerprint);
        let forgotten = listeners.is_none_or(|all| all.iter().all(oneshot::Sender::is_closed));
        if forgotten {
            self.listeners.remove(fingerprint);
        }
        forgotten
    }
}

#[cfg(test)]
mod tests;
