//! How long a bench measures: long enough to tell factors, short enough to be run at all.

use std::time::Duration;

use criterion::Criterion;

/// Ten samples over `seconds`.
pub fn short(seconds: u64) -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(seconds))
}
