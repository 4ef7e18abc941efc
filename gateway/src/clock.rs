//! A coarse clock for time limits: it costs a load instead of a system call, and is right to a tenth of a second.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Length of a tick.
pub const TICK: Duration = Duration::from_millis(100);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
static NOW: AtomicU32 = AtomicU32::new(1);

/// Ticks since the process began, as of the last [`advance`]. Never 0.
pub fn tick() -> u32 {
    NOW.load(Relaxed)
}

/// Reads the real clock. Every worker calls it once per tick; it is harmless to call it more often.
pub fn advance() {
    let ticks = START.elapsed().as_millis() / TICK.as_millis();
    NOW.store(u32::try_from(ticks).unwrap_or(u32::MAX).saturating_add(1), Relaxed);
}

/// Milliseconds from the beginning of the process to a moment of the real clock, and at least 1.
pub fn milliseconds(moment: Instant) -> u64 {
    let passed = moment.saturating_duration_since(*START).as_millis();
    u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1)
}

/// Time between two ticks.
pub fn elapsed(from: u32, to: u32) -> Duration {
    TICK * to.saturating_sub(from)
}
