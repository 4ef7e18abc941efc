//! How long is waited between two tries.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// Pauses between tries: quick at first, never long, so that a server that is back is noticed soon; spread out, so that
/// many clients do not come at once.
#[derive(Debug, Default)]
pub struct Pauses {
    tries: u32,
}

/// The first pause, before it is spread out.
pub const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
/// The longest one, likewise.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = SHORTEST_PAUSE.saturating_mul(1 << self.tries.min(8)).min(LONGEST_PAUSE);
        self.tries += 1;
        Some(pause.mul_f32(0.75 + fastrand::f32() / 2.0))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_start_over() {
        let mut pauses = Pauses::default();
        let first = pauses.next().unwrap();
        assert!((SHORTEST_PAUSE / 2..=SHORTEST_PAUSE * 3 / 2).contains(&first), "{first:?}");
        let late = pauses.nth(40).unwrap();
        assert!((LONGEST_PAUSE * 3 / 4..=LONGEST_PAUSE * 5 / 4).contains(&late), "{late:?}");
        pauses.reset();
        assert!(pauses.next().unwrap() <= SHORTEST_PAUSE * 3 / 2);
    }
}
