//! The time of the runtime, which tests may stop. What runs without one takes the system's.

use std::time::Instant;

/// Now, by the clock that the runtime's pauses are measured with.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
