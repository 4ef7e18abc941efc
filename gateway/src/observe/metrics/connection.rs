//! Counting what client connections are doing (operations §3.2).

use std::{cell::Cell, rc::Rc};

use super::{series::Counter, worker::WorkerMetrics};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A handshake or the head of a request is being read.
    Reading,
    /// A request is being served.
    Writing,
    /// Nothing is going on.
    Waiting,
}

/// An accepted connection, counted while it lives.
pub struct Connection {
    worker: Rc<WorkerMetrics>,
    state: Cell<State>,
    /// Requests in flight; more than one with HTTP/2.
    requests: Cell<u64>,
}

impl Connection {
    pub(super) fn new(worker: Rc<WorkerMetrics>) -> Self {
        Self { worker, state: Cell::new(State::Waiting), requests: Cell::new(0) }
    }

    /// Counts the start of a request, whether or not it will reach a location.
    pub fn request_started(&self) {
        self.worker.shard.requests.add(1);
        self.worker.shard.in_flight.add(1);
        self.requests.set(self.requests.get() + 1);
        self.change(State::Writing);
    }

    /// Counts the end of a request that was started.
    pub fn request_finished(&self) {
        debug_assert!(self.requests.get() > 0, "a request ended that never started");
        self.worker.shard.in_flight.subtract(1);
        self.requests.set(self.requests.get() - 1);
        if self.requests.get() == 0 {
            self.change(State::Waiting);
        }
    }

    /// Counts the connection as reading, or as idle again. Without effect while a request is in flight.
    pub fn set_reading(&self, reading: bool) {
        if self.requests.get() == 0 {
            self.change(match reading {
                true => State::Reading,
                false => State::Waiting,
            });
        }
    }

    fn change(&self, state: State) {
        let before = self.state.replace(state);
        if before != state {
            if let Some(gauge) = self.gauge(before) {
                gauge.subtract(1);
            }
            if let Some(gauge) = self.gauge(state) {
                gauge.add(1);
            }
        }
    }

    /// The gauge of a state; there is none for the rest.
    fn gauge(&self, state: State) -> Option<&Counter> {
        match state {
            State::Reading => Some(&self.worker.shard.reading),
            State::Writing => Some(&self.worker.shard.writing),
            State::Waiting => None,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.shard.in_flight.subtract(self.requests.get());
        self.change(State::Waiting);
        self.worker.shard.active.subtract(1);
    }
}
