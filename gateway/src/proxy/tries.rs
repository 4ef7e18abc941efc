//! Whether a request may be tried again (annotations §3.16).

use std::time::Instant;

use headgate_config::ProxySettings;
use http::Method;

use crate::{error::ProxyError, filter::body::Prepared};

/// A failed try.
#[derive(Clone, Copy)]
pub struct Failed {
    /// What it is answered with if there is no other try.
    pub error: ProxyError,
    /// Nothing of the request left us.
    pub unsent: bool,
    /// The connection had been idle and was closed before any answer: this does not count as a try.
    pub stale: bool,
}

/// Why a try is not the last.
pub enum Failure {
    /// There is no answer.
    Error(Failed),
    /// There is one, with a status that asks for another try.
    Status,
}

/// Tries of one request at most, whatever is configured: "unlimited" must not keep a worker busy for ever.
const MAX_TRIES: u32 = 16;

/// How many tries there may still be.
pub struct Tries<'a> {
    left: u32,
    started: Instant,
    settings: &'a ProxySettings,
    /// Idle connections have proved to be dead: no other one is used.
    pub only_new: bool,
}

impl<'a> Tries<'a> {
    /// Before the first try of a request that was complete, as far as it is held, at `started`.
    pub fn new(settings: &'a ProxySettings, started: Instant) -> Self {
        let tries = match settings.retry.tries {
            0 => MAX_TRIES,
            tries => tries.min(MAX_TRIES),
        };
        Self { left: tries - 1, started, settings, only_new: false }
    }

    /// Whether another try is allowed and safe; if so it is counted.
    pub fn again(&mut self, failure: Failure, method: &Method, body: &mut Prepared) -> bool {
        let retry = &self.settings.retry;
        let (wanted, unsent, free) = match failure {
            Failure::Error(failed) => {
                (failed.error.retryable(&retry.on), failed.unsent, failed.stale)
            }
            Failure::Status => (true, false, false),
        };
        // A dead idle connection that handed the request back says nothing about the endpoint.
        if !(wanted || (free && unsent)) || !body.can_resend() {
            return false;
        }
        let idempotent = !matches!(method.as_str(), "POST" | "LOCK" | "PATCH");
        if !(idempotent || unsent || retry.on.non_idempotent) {
            return false;
        }
        if !retry.budget.is_zero() && self.started.elapsed() >= retry.budget {
            return false;
        }
        if free {
            self.only_new = true;
            return true;
        }
        match self.left.checked_sub(1) {
            None => false,
            Some(left) => {
                self.left = left;
                true
            }
        }
    }
}
