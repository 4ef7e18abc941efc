//! Sends the body of an answer no faster than its location allows (annotations §3.9, `limit-rate`).

use std::{
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use headgate_config::protection::Throttle;
use http_body::Frame;

use super::response_body::Source;
use crate::{deadline::Deadline, error::ProxyError};

/// So many times a second something is sent, where there is enough of it.
const PORTIONS: u64 = 10;

/// An answer's allowance, and what waits for it.
pub struct Throttled {
    allowance: Allowance,
    /// Bytes that were read and may not be sent yet.
    held: Bytes,
    /// When there is enough for the next portion.
    next: Deadline,
    is_waiting: bool,
}

/// Bytes that may be sent.
struct Allowance {
    /// Bytes per second.
    rate: u64,
    /// Bytes that may be sent now.
    credit: u64,
    /// The moment up to which time has been made bytes.
    counted: Instant,
}

impl Throttled {
    /// For a new answer; `next` is any limit of the worker's.
    pub fn new(throttle: Throttle, next: Deadline) -> Self {
        let allowance = Allowance::new(throttle, Instant::now());
        Self { allowance, held: Bytes::new(), next, is_waiting: false }
    }

    /// The next frame of `source`, or a part of one, as soon as it may be sent.
    pub fn poll(
        &mut self,
        source: &mut Source,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        if self.held.is_empty() {
            match ready!(source.poll(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.held = data,
                Some(Err(trailers)) => return Poll::Ready(Some(Ok(trailers))),
                None => return Poll::Ready(None),
            }
        }
        let wait = match self.allowance.take(self.held.len(), Instant::now()) {
            Ok(count) => return Poll::Ready(Some(Ok(Frame::data(self.release(count, source))))),
            Err(wait) => wait,
        };
        // Begun once: whoever asks in between does not put it off.
        if !std::mem::replace(&mut self.is_waiting, true) {
            self.next.reset(wait);
        }
        ready!(self.next.poll_expired(cx));
        // By the coarse clock it is time, and by the exact one nearly: asks again with the next tick.
        self.next.reset(Duration::ZERO);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn release(&mut self, count: usize, source: &mut Source) -> Bytes {
        self.is_waiting = false;
        let data = self.held.split_to(count);
        if self.held.is_empty() {
            source.was_held_up();
        }
        data
    }

    /// Bytes that are held back.
    pub fn held(&self) -> u64 {
        self.held.len() as u64
    }
}

impl Allowance {
    fn new(Throttle { rate, after }: Throttle, now: Instant) -> Self {
        // A little at once: a small answer is not kept waiting.
        Self { rate, credit: after.saturating_add(rate / PORTIONS), counted: now }
    }

    /// How many of `wanted` bytes may be sent now; they are on their way.
    ///
    /// # Errors
    /// None, and how long it takes until a portion of them may.
    fn take(&mut self, wanted: usize, now: Instant) -> Result<usize, Duration> {
        let wanted = wanted as u64;
        let passed = now.saturating_duration_since(self.counted).as_micros();
        let earned = passed.saturating_mul(u128::from(self.rate)) / 1_000_000;
        if earned > 0 {
            let earned = u64::try_from(earned).unwrap_or(u64::MAX);
            // What nobody took is not saved up for longer than a second.
            let most = self.credit.max(self.rate);
            self.credit = self.credit.saturating_add(earned).min(most);
            self.counted = now;
        }
        let portion = wanted.min((self.rate / PORTIONS).max(1));
        if self.credit < portion {
            let micros =
                u128::from(portion - self.credit) * 1_000_000 / u128::from(self.rate.max(1));
            return Err(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)));
        }
        let count = self.credit.min(wanted);
        self.credit -= count;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many bytes were sent at each of these moments (milliseconds) by somebody who has as many as may be sent.
    fn sent(throttle: Throttle, moments: impl IntoIterator<Item = u64>) -> Vec<usize> {
        let begin = Instant::now();
        let mut allowance = Allowance::new(throttle, begin);
        let mut at = |moment| {
            let now = begin + Duration::from_millis(moment);
            std::iter::from_fn(|| allowance.take(1 << 20, now).ok()).sum()
        };
        moments.into_iter().map(&mut at).collect()
    }

    #[test]
    fn the_first_bytes_are_free_and_the_rest_comes_at_the_rate() {
        let throttle = Throttle { rate: 1000, after: 500 };
        assert_eq!(sent(throttle, [0, 50, 100, 200, 1200]), [600, 0, 100, 100, 1000]);
        assert_eq!(sent(throttle, [0, 60_000]), [600, 1000], "a pause is not made up for");
        assert_eq!(sent(Throttle { rate: 1, after: 0 }, [0, 999, 1000]), [0, 0, 1]);
    }

    #[test]
    fn it_is_said_how_long_the_next_portion_takes() {
        let begin = Instant::now();
        let mut allowance = Allowance::new(Throttle { rate: 1000, after: 0 }, begin);
        assert_eq!(allowance.take(5000, begin), Ok(100));
        assert_eq!(allowance.take(5000, begin), Err(Duration::from_millis(100)));
        assert_eq!(allowance.take(10, begin), Err(Duration::from_millis(10)));
        assert_eq!(allowance.take(10, begin + Duration::from_millis(10)), Ok(10));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_never_much_less(
            rate in 10_u64..1_000_000, after in 0_u64..10_000, pauses in prop::collection::vec(1_u64..900, 1..50),
        ) {
            let mut now = 0;
            let later = pauses.iter().map(|pause| { now += pause; now });
            let moments: Vec<u64> = std::iter::once(0).chain(later).collect();
            let total: u64 = sent(Throttle { rate, after }, moments).iter().map(|count| *count as u64).sum();
            let most = after + rate / PORTIONS + rate * now / 1000;
            prop_assert!(total <= most, "{total} of {most}");
            // A portion may not be complete yet; of each moment a part of a byte is lost.
            let least = most - rate / PORTIONS - 1 - pauses.len() as u64;
            prop_assert!(total >= least.min(most), "{total} of {most}");
        }
    }
}
