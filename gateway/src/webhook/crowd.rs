//! The connections that are open, and which of them is ended when there is no room for one more.
//!
//! Whoever can reach the port may open connections and send nothing, or little. None of these may keep out an API server
//! that has something to ask: they make room, and only what is asked in full does not.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::{self, AbortHandle},
    time::Instant,
};

use super::connection::Phase;

/// Between two words about connections that were ended or refused, at least.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// The open connections, up to a limit.
pub(super) struct Crowd {
    open: Vec<Open>,
    most: usize,
    /// Connections that were ended before their request was read, and that were refused, since it was said last.
    ended: u64,
    refused: u64,
    said: Option<Instant>,
}

struct Open {
    task: AbortHandle,
    phase: watch::Receiver<Phase>,
}

impl Crowd {
    pub(super) fn new(most: usize) -> Self {
        Self { open: Vec::new(), most, ended: 0, refused: 0, said: None }
    }

    /// Adds a connection for which room was made.
    pub(super) fn add(&mut self, task: AbortHandle, phase: watch::Receiver<Phase>) {
        self.open.push(Open { task, phase });
    }

    /// Forgets connections that have ended, and ends another one if there are too many; says whether there is room now.
    pub(super) async fn make_room(&mut self) -> bool {
        if self.open.len() < self.most {
            return true;
        }
        // Those whose request has come meanwhile get to notice it.
        task::yield_now().await;
        self.open.retain(|open| !open.task.is_finished());
        if self.open.len() < self.most {
            return true;
        }
        let least = self
            .open
            .iter()
            .enumerate()
            .filter_map(|(at, open)| Some((worth(*open.phase.borrow())?, at)))
            .min();
        match least {
            Some((_, at)) => {
                let open = self.open.remove(at);
                self.ended += u64::from(!matches!(*open.phase.borrow(), Phase::Idle(_)));
                open.task.abort();
            }
            None => self.refused += 1,
        }
        self.say();
        least.is_some()
    }

    /// Says how many had to go or were not let in, now and then. That idle ones make room is nothing to speak of.
    fn say(&mut self) {
        let has_said = self.said.is_some_and(|said| said.elapsed() < SAY_AGAIN);
        if has_said || self.ended + self.refused == 0 {
            return;
        }
        tracing::warn!(
            most = self.most,
            ended = self.ended,
            refused = self.refused,
            "too many connections to the webhook: the oldest that have not sent a whole request are ended for new ones"
        );
        (self.ended, self.refused, self.said) = (0, 0, Some(Instant::now()));
    }
}

/// How much there is to lose, the least first, and since when; `None` if a whole request has come, which is answered.
fn worth(phase: Phase) -> Option<(u8, Instant)> {
    match phase {
        Phase::Idle(since) => Some((0, since)),
        Phase::Handshake(since) => Some((1, since)),
        Phase::Head(since) => Some((2, since)),
        Phase::Body(since) => Some((3, since)),
        Phase::Awaited | Phase::Answer(_) => None,
    }
}
