//! Where copies of a location's requests go, in the form in which requests use it.

use std::sync::Arc;

use headgate_config::{Mirror as Spec, UpstreamId};

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
    /// Compiles `spec`; `None` if there is nowhere to send copies to. `find` knows the upstreams.
    pub(super) fn new(
        spec: &Arc<Spec>,
        find: impl Fn(&UpstreamId) -> Option<UpstreamRef>,
    ) -> Option<Self> {
        let upstream = match &spec.upstream {
            Some(id) => Some(find(id)?),
            None => None,
        };
        Some(Self { policy: Mirror::new(spec)?, upstream })
    }
}
