//! Percentiles of durations, for people and as JSON.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

/// A sorted sample of durations.
#[derive(Debug, Clone, Default)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Sorts the durations.
    pub fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest duration that at least `percent` percent of the sample do not exceed (nearest rank); zero for an empty sample.
    pub fn percentile(&self, percent: usize) -> Duration {
        self.of_thousand(percent * 10)
    }

    /// The same for a share in thousandths.
    pub fn of_thousand(&self, share: usize) -> Duration {
        let rank = (self.0.len() * share).div_ceil(1000).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// The largest duration; zero for an empty sample.
    pub fn max(&self) -> Duration {
        self.percentile(100)
    }

    /// Count and percentiles in milliseconds.
    pub fn json(&self) -> Value {
        let [p50, p90, p99, max] =
            [50, 90, 99, 100].map(|percent| milliseconds(self.percentile(percent)));
        json!({ "count": self.count(), "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "max_ms": max })
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, max] =
            [50, 90, 99, 100].map(|percent| milliseconds(self.percentile(percent)));
        write!(
            f,
            "n {:5}  p50 {p50:7.2} ms  p90 {p90:7.2} ms  p99 {p99:7.2} ms  max {max:7.2} ms",
            self.count()
        )
    }
}

/// A duration in milliseconds.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hundred() -> Sample {
        Sample::new((1..=100).rev().map(Duration::from_millis).collect())
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let sample = hundred();
        assert_eq!(
            [50, 99, 100].map(|percent| sample.percentile(percent).as_millis()),
            [50, 99, 100]
        );
    }

    #[test]
    fn one_outlier_in_ten_shows_in_the_p99() {
        let mut durations = vec![Duration::from_millis(1); 9];
        durations.push(Duration::from_millis(50));
        assert_eq!(Sample::new(durations).percentile(99).as_millis(), 50);
    }

    #[test]
    fn an_empty_sample_is_zero() {
        assert_eq!(Sample::default().max(), Duration::ZERO);
    }
}
