//! Where copies of a location's requests go, in the form in which requests use it.

use headgate_config::{Location, UpstreamId};

use super::host::UpstreamRef;
use crate::filter::mirror::Mirror;

/// Where copies go.
pub struct LiveMirror {
    /// What they look like.
    pub policy: Mirror,
    /// The endpoints, if they are not those of a name.
    pub upstream: Option<UpstreamRef>,
}

impl LiveMirror {
    /// Compiles that of `location`; `None` if there is nowhere to send copies to. `find` knows the upstreams.
    pub(super) fn new(
        location: &Location,
        find: impl Fn(&UpstreamId) -> Option<UpstreamRef>,
    ) -> Option<Box<Self>> {
        let spec = location.mirror.as_ref()?;
        let upstream = match &spec.upstream {
            Some(id) => Some(find(id)?),
            None => None,
        };
        Some(Box::new(Self { policy: Mirror::new(spec)?, upstream }))
    }
}
