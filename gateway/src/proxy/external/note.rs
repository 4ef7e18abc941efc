//! That a service could not be asked is counted, and said in the log, but not for each of a thousand requests.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{super::ask::Failure, Guarded};
use crate::{clock, live::LiveExternal, observe::metrics::Asked, worker::Worker};

/// Counts a failure, and says it now and then.
pub fn note(failure: Failure, worker: &Worker, guarded: &Guarded<'_>, service: &LiveExternal) {
    /// Ticks between two lines of the log.
    const PAUSE: u32 = 100;
    static SAID: AtomicU32 = AtomicU32::new(0);
    worker.metrics.asked(match failure {
        Failure::Request | Failure::Loop => Asked::BadRequest,
        Failure::Unresolved | Failure::Unreachable => Asked::Unreachable,
        Failure::Timeout => Asked::Timeout,
        Failure::Closed | Failure::Invalid => Asked::Broken,
    });
    let (now, said) = (clock::tick(), SAID.load(Relaxed));
    let is_time = said == 0 || now.saturating_sub(said) >= PAUSE;
    if is_time && SAID.compare_exchange(said, now, Relaxed, Relaxed).is_ok() {
        let origin = &guarded.location.spec.origin;
        let object = origin.object.as_ref().map(ToString::to_string);
        tracing::warn!(
            object = object.unwrap_or_default(),
            url = service.policy.spec.place(),
            reason = %failure,
            "a service that has to be asked cannot be: its locations answer 500"
        );
    }
}
