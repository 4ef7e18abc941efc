//! The better of two random endpoints, by a moving average of how long their answers took (annotations §3.13, `ewma`).
//!
//! Every worker has averages of its own: the reference shares them between its processes under a lock, which costs
//! each request more than it tells. With connections spread over the workers all of them see the same endpoints.

use std::{cell::Cell, time::Duration};

use super::Candidates;

/// Time after which a measurement counts for 1/e of what it did.
const DECAY_SECONDS: f32 = 10.0;
/// A failure counts as an answer that took so long, if it did not take longer: who fails fast is not fast.
const FAILURE: Duration = Duration::from_secs(1);

/// How fast an endpoint has been answering, as one worker knows it.
#[derive(Debug, Default)]
pub struct Load {
    /// Average in seconds, and the millisecond in which it was touched last; 0 if never.
    average: Cell<(f32, u32)>,
}

impl Load {
    /// The average as it is now, milliseconds from any beginning on; 0 before the first answer.
    pub fn score(&self, now: u32) -> f32 {
        let (average, touched) = self.average.get();
        average * weight(touched, now)
    }

    /// Takes note of a try that ended after `took`.
    pub fn observe(&self, took: Duration, failed: bool, now: u32) {
        let took = if failed { took.max(FAILURE) } else { took }.as_secs_f32();
        let (average, touched) = self.average.get();
        let weight = if touched == 0 { 0.0 } else { weight(touched, now) };
        self.average.set((average * weight + took * (1.0 - weight), now.max(1)));
    }

    /// Lets a new endpoint begin with the average of the others, so that not everybody runs there.
    pub fn begin<'a>(&self, others: impl Iterator<Item = &'a Self>, now: u32) {
        let known = others.map(|other| other.average.get()).filter(|(_, touched)| *touched != 0);
        let (sum, count) =
            known.fold((0.0, 0.0), |(sum, count), (average, _)| (sum + average, count + 1.0));
        if count > 0.0 {
            self.average.set((sum / count, now.max(1)));
        }
    }
}

fn weight(touched: u32, now: u32) -> f32 {
    // The clock may turn over; it does not go back.
    let milliseconds = now.wrapping_sub(touched) as f32;
    (-milliseconds / (1000.0 * DECAY_SECONDS)).exp()
}

/// Picks one that was not tried in vain, if there is any.
pub fn pick(among: &impl Candidates, random: &mut fastrand::Rng) -> usize {
    let count = among.count();
    let free = |start: usize, other: Option<usize>| {
        let all = (start..count).chain(0..start);
        all.into_iter().find(|at| Some(*at) != other && !(among.has_tried() && among.is_tried(*at)))
    };
    let start = random.usize(..count.max(1));
    let Some(one) = free(start, None) else { return start };
    let Some(other) = free(random.usize(..count.max(1)), Some(one)) else { return one };
    if among.score(other) < among.score(one) { other } else { one }
}
