//! Why a service could not be asked. It is counted, and said in the log, but not for each of a thousand requests.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::Guarded;
use crate::{
    clock, error::ProxyError, live::LiveExternal, observe::metrics::Asked, worker::Worker,
};

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// What the client sent does not fit into the URL or the headers.
    #[error("the request does not fit into the URL or a header of the question")]
    Request,
    /// It is asked about a question to itself.
    #[error("it is behind a location that it is asked about")]
    Loop,
    /// Its name has no address.
    #[error("its name has no address")]
    Unresolved,
    /// No connection could be made.
    #[error("no connection could be made")]
    Unreachable,
    /// It hung up.
    #[error("it closed the connection")]
    Closed,
    /// It took too long.
    #[error("it did not answer in time")]
    Timeout,
    /// Its answer violates HTTP.
    #[error("its answer is malformed")]
    Invalid,
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::Connect => Self::Unreachable,
            ProxyError::ConnectTimeout | ProxyError::UpstreamTimeout => Self::Timeout,
            ProxyError::InvalidAnswer => Self::Invalid,
            _ => Self::Closed,
        }
    }
}

impl Failure {
    /// Counts it, and says it now and then.
    pub fn note(self, worker: &Worker, guarded: &Guarded<'_>, service: &LiveExternal) {
        /// Ticks between two lines of the log.
        const PAUSE: u32 = 100;
        static SAID: AtomicU32 = AtomicU32::new(0);
        worker.metrics.asked(match self {
            Self::Request | Self::Loop => Asked::BadRequest,
            Self::Unresolved | Self::Unreachable => Asked::Unreachable,
            Self::Timeout => Asked::Timeout,
            Self::Closed | Self::Invalid => Asked::Broken,
        });
        let (now, said) = (clock::tick(), SAID.load(Relaxed));
        let is_time = said == 0 || now.saturating_sub(said) >= PAUSE;
        if is_time && SAID.compare_exchange(said, now, Relaxed, Relaxed).is_ok() {
            let origin = &guarded.location.spec.origin;
            let object = origin.object.as_ref().map(ToString::to_string);
            tracing::warn!(
                object = object.unwrap_or_default(),
                url = service.policy.spec.url,
                reason = %self,
                "a service that has to be asked cannot be: its locations answer 500"
            );
        }
    }
}
