//! What is counted of copies of requests.

use super::{
    Metrics,
    controller::sum,
    text::{Exposition, Kind},
};

/// What came of a copy of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrored {
    /// It was answered, with whatever.
    Answered,
    /// It was not.
    Failed,
    /// It was not sent: there are too many on their way, its body is too large to be held, or it is a copy of a copy.
    Dropped,
}

impl Mirrored {
    /// All of them with their label, in order.
    pub(super) const ALL: [(Self, &'static str); 3] =
        [(Self::Answered, "answered"), (Self::Failed, "failed"), (Self::Dropped, "dropped")];
}

/// Writes what came of them.
pub(super) fn write(text: &mut Exposition, metrics: &Metrics) {
    const NAME: &str = "headgate_mirror_requests_total";
    text.family(NAME, Kind::Counter, "Copies of requests, by what came of them.");
    for (outcome, label) in Mirrored::ALL {
        let value = sum(metrics, |shard| &shard.mirrored[outcome as usize]);
        text.instance_sample(NAME, &[("result", label)], value);
    }
}
