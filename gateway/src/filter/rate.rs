//! How many requests a client may make: the leaky bucket of the reference (annotations §3.9). No I/O, no clock.
//!
//! All in whole numbers, as there: time in milliseconds, requests in thousandths. The same arrival times give the same
//! answers.

#[cfg(test)]
mod tests;

use headgate_config::protection::Rate;

/// A request, in thousandths.
const REQUEST: u64 = 1000;
/// Moments count from here, so that none is 0.
pub const FIRST_MOMENT: u64 = 1;

/// How fast a bucket leaks, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Thousandths of a request per second.
    leak: u64,
    /// Thousandths of a request.
    burst: u64,
}

impl Pace {
    /// So many requests a second.
    pub fn per_second(rate: Rate) -> Self {
        let leak = u64::from(rate.requests.get()) * REQUEST;
        Self { leak, burst: u64::from(rate.burst) * REQUEST }
    }

    /// So many requests a minute. What is left of the division is lost, as in the reference.
    pub fn per_minute(rate: Rate) -> Self {
        let Self { leak, burst } = Self::per_second(rate);
        Self { leak: leak / 60, burst }
    }

    /// A pace that lets everything pass.
    pub fn of_probes() -> Self {
        Self { leak: 1_000_000 * REQUEST, burst: 1_000_000 * REQUEST }
    }

    /// What leaks in a second, in thousandths of a request.
    pub fn leak(&self) -> u64 {
        self.leak
    }

    /// What may come ahead of time, in thousandths of a request.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// What leaks in so many milliseconds.
    fn leaked(&self, milliseconds: u64) -> u64 {
        self.leak.saturating_mul(milliseconds) / 1000
    }
}

/// What is remembered of one client. The default is of one that never came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Thousandths of a request that came ahead of time.
    excess: u64,
    /// The moment of the last request that was let through; 0 if there was none.
    last: u64,
}

impl Bucket {
    /// What it is after a request at `now` (milliseconds, from [`FIRST_MOMENT`]), if the request may pass. One that may
    /// not changes nothing.
    #[must_use]
    pub fn after(self, pace: &Pace, now: u64) -> Option<Self> {
        if self.last < FIRST_MOMENT {
            return Some(Self { excess: 0, last: now });
        }
        // Of two threads one may look at the clock first and come second.
        let passed = now.saturating_sub(self.last);
        let excess = (self.excess + REQUEST).saturating_sub(pace.leaked(passed));
        (excess <= pace.burst).then(|| Self { excess, last: self.last.max(now) })
    }

    /// Whether a request may pass, which is counted if so.
    pub fn take(&mut self, pace: &Pace, now: u64) -> bool {
        let after = self.after(pace, now);
        *self = after.unwrap_or(*self);
        after.is_some()
    }

    /// Whether it makes no difference any more that the client has been here.
    pub fn is_forgettable(&self, pace: &Pace, now: u64) -> bool {
        self.excess + REQUEST <= pace.leaked(now.saturating_sub(self.last))
            || self.last < FIRST_MOMENT
    }
}
