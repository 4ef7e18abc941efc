//! Events that wait to be posted: warnings first, not too many, not too fast.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::draft::{Draft, Weight};

/// Events that wait, at most. What comes then is lost.
pub const CAPACITY: usize = 4096;
/// Why an event is lost for which there is no room.
pub const TOO_MANY: &str = "there are too many";

/// The waiting events. Filled by the controller's thread, which never waits.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    added: Notify,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    warnings: VecDeque<Draft>,
    normal: VecDeque<Draft>,
}

impl Queue {
    /// Adds an event. When there is no room, the latest normal one is lost.
    pub fn push(&self, draft: Draft) {
        let mut waiting = self.waiting.lock();
        let is_full = waiting.warnings.len() + waiting.normal.len() >= CAPACITY;
        let has_room = match draft.weight {
            Weight::Warning => !is_full || waiting.normal.pop_back().is_some(),
            Weight::Normal => !is_full,
        };
        if has_room {
            match draft.weight {
                Weight::Warning => waiting.warnings.push_back(draft),
                Weight::Normal => waiting.normal.push_back(draft),
            }
        }
        drop(waiting);
        if is_full {
            self.lose(TOO_MANY);
        }
        self.added.notify_one();
    }

    /// Returns when there is an event.
    pub async fn filled(&self) {
        loop {
            let added = self.added.notified();
            if !self.is_empty() {
                return;
            }
            added.await;
        }
    }

    fn is_empty(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.warnings.is_empty() && waiting.normal.is_empty()
    }

    /// Counts an event that nobody will see; the first one is logged.
    pub fn lose(&self, reason: &str) {
        if self.lost.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(reason, "an event is lost; others that will be are only counted");
        }
    }

    /// Events that were lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// The next event, if there is one.
    pub(super) fn pop(&self) -> Option<Draft> {
        let mut waiting = self.waiting.lock();
        waiting.warnings.pop_front().or_else(|| waiting.normal.pop_front())
    }
}

/// What a pause takes at least.
const SHORTEST: Duration = Duration::from_millis(1);

/// A token bucket.
#[derive(Debug)]
pub struct Bucket {
    tokens: f64,
    burst: f64,
    per_second: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self { tokens: burst, burst, per_second: f64::from(per_second), at: now }
    }

    /// Takes a token, or says how long it takes until there is one.
    pub fn take(&mut self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        // Not 0, whatever was rounded on the way.
        Some(Duration::from_secs_f64((1.0 - self.tokens) / self.per_second).max(SHORTEST))
    }
}

#[cfg(test)]
mod tests {
    use headgate_config::ObjectRef;

    use super::*;
    use crate::source::cluster::Meta;

    fn draft(weight: Weight, number: usize) -> Draft {
        let object = ObjectRef { kind: "Ingress".into(), namespace: "a".into(), name: "i".into() };
        let reason = number.to_string();
        Draft { object, meta: Meta::default(), content: 0, weight, reason, message: String::new() }
    }

    fn reasons(queue: &Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.pop()).map(|draft| draft.reason).collect()
    }

    #[test]
    fn warnings_come_first() {
        let queue = Queue::default();
        for (number, weight) in [Weight::Normal, Weight::Warning, Weight::Normal, Weight::Warning]
            .into_iter()
            .enumerate()
        {
            queue.push(draft(weight, number));
        }
        assert_eq!(reasons(&queue), ["1", "3", "0", "2"]);
    }

    #[test]
    fn a_full_queue_loses_normal_events_and_counts_them() {
        let queue = Queue::default();
        for number in 0..CAPACITY + 2 {
            queue.push(draft(Weight::Normal, number));
        }
        assert_eq!(queue.lost(), 2);
        queue.push(draft(Weight::Warning, 7));
        assert_eq!(queue.lost(), 3);
        let left = reasons(&queue);
        assert_eq!((left.len(), left[0].as_str()), (CAPACITY, "7"));

        for number in 0..CAPACITY + 2 {
            queue.push(draft(Weight::Warning, number));
        }
        assert_eq!((queue.lost(), reasons(&queue).len()), (5, CAPACITY));
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let now = Instant::now();
        let mut bucket = Bucket::new(3, 2, now);
        assert_eq!([(); 3].map(|()| bucket.take(now)), [None; 3]);
        let half = Duration::from_millis(500);
        assert_eq!(bucket.take(now), Some(half));
        assert_eq!(bucket.take(now + half), None);
        assert!(bucket.take(now + half).is_some());
        let later = now + Duration::from_secs(3600);
        assert_eq!([(); 3].map(|()| bucket.take(later)), [None; 3]);
        assert!(bucket.take(later).is_some());
    }
}
