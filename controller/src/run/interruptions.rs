//! Which watches cannot go on at the moment.
//!
//! A watch that goes on says nothing unless an object changes. So a lost connection counts as mended when the API
//! server answers anything, and a refusal when the watch has not been refused again for a while: it keeps trying.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::source::cluster::WatchId;

/// A watch that is refused tries again sooner than this.
const REFUSED_AGAIN_WITHIN: Duration = Duration::from_secs(8);

/// The watches that cannot go on, and why.
#[derive(Debug, Default)]
pub struct Interruptions(BTreeMap<WatchId, Interruption>);

#[derive(Debug)]
struct Interruption {
    reason: String,
    /// The API server answers, but does not want to.
    is_refusal: bool,
    last: Instant,
}

impl Interruptions {
    /// Notes that a watch cannot go on.
    pub fn note(&mut self, watch: WatchId, reason: String, is_refusal: bool, now: Instant) {
        self.0.insert(watch, Interruption { reason, is_refusal, last: now });
    }

    /// Notes that a watch has said something else.
    pub fn goes_on(&mut self, watch: &WatchId) {
        self.0.remove(watch);
    }

    /// Notes that the API server answers.
    pub fn answering(&mut self) {
        self.0.retain(|_, interruption| interruption.is_refusal);
    }

    /// Forgets refusals that have not been repeated.
    pub fn expire(&mut self, now: Instant) {
        self.0.retain(|_, interruption| {
            !interruption.is_refusal || interruption.last + REFUSED_AGAIN_WITHIN > now
        });
    }

    /// When [`Self::expire`] has something to do at the earliest.
    pub fn deadline(&self) -> Option<Instant> {
        let refusals = self.0.values().filter(|interruption| interruption.is_refusal);
        refusals.map(|interruption| interruption.last + REFUSED_AGAIN_WITHIN).min()
    }

    /// Whether any connection is lost.
    pub fn has_lost_connection(&self) -> bool {
        self.0.values().any(|interruption| !interruption.is_refusal)
    }

    /// One of the watches, and why it cannot go on.
    pub fn first(&self) -> Option<(&WatchId, &str)> {
        let (watch, interruption) = self.0.first_key_value()?;
        Some((watch, &interruption.reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Kind;

    const SLICES: WatchId = WatchId::All(Kind::EndpointSlice);
    const SECRETS: WatchId = WatchId::All(Kind::Secret);

    #[test]
    fn an_answer_mends_lost_connections_and_no_refusal() {
        let (mut interruptions, now) = (Interruptions::default(), Instant::now());
        interruptions.note(SLICES, "forbidden".into(), true, now);
        interruptions.note(SECRETS, "reset".into(), false, now);
        assert!(interruptions.has_lost_connection());
        interruptions.answering();
        assert!(!interruptions.has_lost_connection());
        assert_eq!(interruptions.first(), Some((&SLICES, "forbidden")));
        interruptions.goes_on(&SLICES);
        assert_eq!(interruptions.first(), None);
    }

    #[test]
    fn a_refusal_ends_when_it_is_not_repeated() {
        let (mut interruptions, now) = (Interruptions::default(), Instant::now());
        interruptions.note(SLICES, "forbidden".into(), true, now);
        interruptions.note(SLICES, "forbidden".into(), true, now + Duration::from_secs(2));
        let deadline = interruptions.deadline().unwrap();
        interruptions.expire(deadline - Duration::from_millis(1));
        assert!(interruptions.first().is_some());
        interruptions.expire(deadline);
        assert!(interruptions.first().is_none());
        assert_eq!(interruptions.deadline(), None);
    }
}
