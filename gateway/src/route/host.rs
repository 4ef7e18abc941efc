//! Finds the virtual host of a request (routing §3.2).

use headgate_config::Host;

/// Hosts by the names that they answer to.
pub struct HostTable<T> {
    default: Option<T>,
}

impl<T> HostTable<T> {
    /// Builds the table. `hosts` come in the order of the snapshot, which is ascending by name; where names overlap
    /// that order decides.
    pub fn new<'a>(hosts: impl IntoIterator<Item = (&'a Host, T)>) -> Self {
        let _ = hosts.into_iter();
        loop {}
    }

    /// The host that takes requests for `name`, a [`HostName`](super::name::HostName).
    pub fn find(&self, name: &[u8]) -> Option<&T> {
        let _ = name;
        self.default.as_ref()
    }
}
