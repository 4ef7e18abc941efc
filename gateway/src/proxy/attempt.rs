//! What is remembered of one try.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{error::ProxyError, upstream::pool::Endpoint};

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
            after_redirect: false,
        }
    }

    /// Notes that it failed.
    pub fn fail(&mut self, error: ProxyError) {
        self.response = Some(self.started.elapsed());
        self.status = Some(error.status().as_u16());
    }
}
