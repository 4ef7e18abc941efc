//! Waiting times between attempts: exponential with jitter, so that services that lost the same peer do not return in step.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// Low enough that a returned peer is noticed at once by a person who watches.
const LONGEST: Duration = Duration::from_secs(2);

/// The state of one series of attempts.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after one more failure: between half and all of 50 ms × 2ⁿ, at most 2 s.
    pub fn next_delay(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(2u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Forgets the failures, and says how many there were.
    pub fn reset(&mut self) -> u32 {
        std::mem::take(&mut self.failures)
    }

    /// Whether the attempt that just failed was the first of an outage: the one worth a warning.
    pub fn is_first(&self) -> bool {
        self.failures == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_ceiling_and_stay_there() {
        let mut backoff = Backoff::default();
        for exponent in 0..100 {
            let ceiling = FIRST.saturating_mul(2u32.saturating_pow(exponent)).min(LONGEST);
            let delay = backoff.next_delay();
            assert!(delay >= ceiling / 2 && delay <= ceiling, "attempt {exponent}: {delay:?}");
        }
    }

    #[test]
    fn reset_starts_from_the_beginning() {
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.next_delay();
        }
        assert_eq!(backoff.reset(), 10);
        assert!(backoff.next_delay() <= FIRST);
    }
}
