//! What the metrics tell about reviews (operations §3.3, §3.4).

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;

use super::Outcome;
use crate::objects::Key;

/// Ingresses whose reviews are counted one by one, at most. Names come from whoever reaches the webhook, so that there
/// must be an end to them; the one that was reviewed longest ago makes room.
const MOST: usize = 2000;

/// Numbers about reviews. Written by the reviewer, read by a scrape.
#[derive(Debug, Default)]
pub struct Tally {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: Option<LastReview>,
    by_ingress: HashMap<Key, Counts>,
    reviews: u64,
}

#[derive(Debug, Default)]
struct Counts {
    passed: u64,
    failed: u64,
    /// Number of the review that counted last.
    latest: u64,
}

/// The last review that passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LastReview {
    /// Ingresses that the new one was tested with, itself included.
    pub tested: usize,
    /// How long that took.
    pub testing: Duration,
    /// Ingresses that are served, the new one included.
    pub ingresses: usize,
    /// How long reading the new one took.
    pub reading: Duration,
    /// Bytes that were reviewed.
    pub bytes: usize,
    /// From the bytes of the review to its answer.
    pub total: Duration,
}

/// How often an Ingress was reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressReviews {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Reviews that passed.
    pub passed: u64,
    /// Reviews that failed at an annotation or at a path that another Ingress has.
    pub failed: u64,
}

impl Tally {
    /// The last review that passed.
    pub fn last(&self) -> Option<LastReview> {
        self.inner.lock().last
    }

    /// Reviews by Ingress, sorted.
    pub fn by_ingress(&self) -> Vec<IngressReviews> {
        let inner = self.inner.lock();
        let reviews = inner.by_ingress.iter().map(|(key, counts)| IngressReviews {
            namespace: key.namespace().into(),
            name: key.name().into(),
            passed: counts.passed,
            failed: counts.failed,
        });
        let mut reviews: Vec<_> = reviews.collect();
        drop(inner);
        reviews.sort_by(|one, other| {
            (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name))
        });
        reviews
    }

    pub(super) fn note(&self, key: &Key, outcome: &Outcome, total: Duration, bytes: usize) {
        let Some(passed) = outcome.counts else { return };
        let mut inner = self.inner.lock();
        inner.reviews += 1;
        let latest = inner.reviews;
        if inner.by_ingress.len() >= MOST && !inner.by_ingress.contains_key(key) {
            let oldest = inner.by_ingress.iter().min_by_key(|(_, counts)| counts.latest);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                inner.by_ingress.remove(&oldest);
            }
        }
        let counts = inner.by_ingress.entry(key.clone()).or_default();
        counts.latest = latest;
        if passed {
            counts.passed += 1;
            inner.last = Some(LastReview {
                tested: outcome.tested,
                testing: outcome.comparing,
                ingresses: outcome.ingresses,
                reading: outcome.reading,
                bytes,
                total,
            });
        } else {
            counts.failed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(counts: Option<bool>) -> Outcome {
        Outcome {
            decision: Default::default(),
            counts,
            ingresses: 3,
            tested: 1,
            reading: Duration::ZERO,
            comparing: Duration::ZERO,
        }
    }

    #[test]
    fn what_counts_is_counted_by_ingress() {
        let tally = Tally::default();
        let (key, other) = (Key::new("a", "x"), Key::new("a", "y"));
        for counts in [Some(false), None, Some(true), Some(true)] {
            tally.note(&key, &outcome(counts), Duration::ZERO, 1);
        }
        tally.note(&other, &outcome(Some(false)), Duration::ZERO, 1);
        let counts: Vec<_> = tally
            .by_ingress()
            .into_iter()
            .map(|reviews| (reviews.name, reviews.passed, reviews.failed))
            .collect();
        assert_eq!(counts, [("x".to_owned(), 2, 1), ("y".to_owned(), 0, 1)]);
        assert_eq!(tally.last().map(|last| last.ingresses), Some(3));
    }

    #[test]
    fn names_do_not_pile_up() {
        let tally = Tally::default();
        for number in 0..MOST + 10 {
            let key = Key::new("a", &number.to_string());
            tally.note(&key, &outcome(Some(false)), Duration::ZERO, 1);
            tally.note(&Key::new("a", "kept"), &outcome(Some(true)), Duration::ZERO, 1);
        }
        let counted = tally.by_ingress();
        assert_eq!(counted.len(), MOST);
        let kept = counted.iter().find(|reviews| reviews.name == "kept");
        assert_eq!(kept.map(|reviews| reviews.passed), Some(MOST as u64 + 10));
    }
}
