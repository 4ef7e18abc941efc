//! The error pages of a location, in the form in which requests use them.

use std::sync::Arc;

use headgate_config::{ErrorPages, Location, UpstreamId};

use super::host::{LiveAction, UpstreamRef};

/// Which answers of a location are replaced, and by whose.
pub struct LiveErrorPages {
    /// As configured.
    pub spec: Arc<ErrorPages>,
    /// Who makes the pages: the first that has an endpoint.
    pub backends: Box<[UpstreamRef]>,
}

impl LiveErrorPages {
    /// Compiles those of `location`, which does `action`. `find` knows the upstreams.
    pub(super) fn new(
        location: &Location,
        action: &LiveAction,
        find: impl Fn(&UpstreamId) -> Option<UpstreamRef>,
    ) -> Option<Box<Self>> {
        let spec = location.error_pages.as_ref()?;
        // Of a denied location only what holds for everybody counts (annotations §3.19).
        if matches!(action, LiveAction::Deny) && !spec.for_all {
            return None;
        }
        let backends = spec.backends.iter().filter_map(find).collect();
        Some(Box::new(Self { spec: Arc::clone(spec), backends }))
    }

    /// Whether an answer of this status is replaced; `of_upstream` is whether an upstream gave it.
    pub fn replace(&self, status: u16, of_upstream: bool) -> bool {
        (self.spec.of_upstreams || !of_upstream)
            && self.spec.statuses.binary_search(&status).is_ok()
    }
}
