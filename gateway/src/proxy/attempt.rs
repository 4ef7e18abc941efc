//! What is remembered of one try.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use http::StatusCode;

use super::tries::Failed;
use crate::{clock, upstream::pool::Endpoint};

/// One try to get an answer from an endpoint.
pub struct Attempt {
    /// Who was asked.
    pub endpoint: Rc<Endpoint>,
    /// When.
    pub started: Instant,
    /// Time until a connection was ready.
    pub connect: Option<Duration>,
    /// Time until the head of the answer was there.
    pub header: Option<Duration>,
    /// Time until the end.
    pub response: Option<Duration>,
    /// Status of the answer, or of the failure.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub length: u64,
    failed: bool,
    stale: bool,
    /// It is the first that asks for what is sent in place of the answer of those before it.
    pub after_redirect: bool,
}

impl Attempt {
    /// A try that began at `started`.
    pub fn new(endpoint: &Rc<Endpoint>, started: Instant) -> Self {
        Self {
            endpoint: Rc::clone(endpoint),
            started,
            connect: None,
            header: None,
            response: None,
            status: None,
            length: 0,
            failed: false,
            stale: false,
            after_redirect: false,
        }
    }

    /// Notes that a connection is ready; `is_old` if it was there before.
    pub fn connected(&mut self, is_old: bool) {
        self.connect = Some(if is_old { Duration::ZERO } else { self.started.elapsed() });
    }

    /// Notes that the head of the answer is there.
    pub fn answered(&mut self, status: StatusCode) {
        self.header = Some(self.started.elapsed());
        self.status = Some(status.as_u16());
    }

    /// Notes that it failed.
    pub fn fail(&mut self, failure: &Failed) {
        self.response = Some(self.started.elapsed());
        self.status = Some(failure.error.status().as_u16());
        (self.failed, self.stale) = (true, failure.stale);
    }

    /// Whether it says something about the endpoint: a connection that had died while it was idle does not.
    pub fn counts(&self) -> bool {
        !self.stale
    }

    /// Lets what is known of how fast the endpoint answers grow by this, at its end or at `now`.
    pub fn teach(&self, now: Instant) {
        if !self.counts() {
            return;
        }
        let whole = || self.response.unwrap_or_else(|| now.duration_since(self.started));
        // A connection that changes its protocol may last for hours.
        let took = match self.header {
            Some(header) if self.status == Some(101) => header,
            _ => whole(),
        };
        let took = self.connect.unwrap_or_default() + took;
        self.endpoint.load.observe(took, self.failed, clock::milliseconds(now) as u32);
    }
}
