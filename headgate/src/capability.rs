//! Makes use of the one capability that the image's executable may have: binding ports below 1024 without being root.
//!
//! The file only permits it (`cap_net_bind_service=p`). A file that also put it into effect would not start at all where
//! a container drops every capability.

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// Puts the capability into effect, if it is permitted, for this thread and those that it starts. Whether ports can be bound
/// is seen, and told, when they are bound.
pub fn raise() {
    let needed = CapabilitySet::NET_BIND_SERVICE;
    if let Ok(mut sets) = capabilities(None)
        && sets.permitted.contains(needed)
        && !sets.effective.contains(needed)
    {
        sets.effective |= needed;
        // It is permitted, so the kernel has no reason to refuse.
        let _ = set_capabilities(None, sets);
    }
}
