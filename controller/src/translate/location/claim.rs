//! Who serves a location: which Ingress, and which of its paths.

use headgate_config::UpstreamId;

use crate::{
    objects::{Backend, Path},
    translate::ingress::Accepted,
};

/// A path of a rule or an implicit `/`, with who serves it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    /// The Ingress that makes it.
    pub(super) ingress: Option<&'a Accepted>,
    /// The rule's path; none for an implicit `/`.
    pub(super) path: Option<&'a Path>,
}

impl<'a> Claim<'a> {
    /// The `/` that an Ingress has without declaring it.
    pub fn root(ingress: &'a Accepted) -> Self {
        Self { ingress: Some(ingress), path: None }
    }

    /// A declared path, if its backend is a Service: others are skipped (routing §2.4).
    pub fn path(ingress: &'a Accepted, path: &'a Path) -> Option<Self> {
        let is_service = matches!(path.backend, Backend::Service { .. });
        is_service.then_some(Self { ingress: Some(ingress), path: Some(path) })
    }

    /// The upstream that serves it; none is the default backend of the whole installation.
    pub(super) fn upstream(&self) -> Option<UpstreamId> {
        match self.path {
            Some(path) => self.ingress?.upstream(&path.backend),
            None => self.ingress?.default_backend(),
        }
    }

    /// Whether it names a Service: others go to the default backend of the whole installation.
    pub(super) fn is_service(&self) -> bool {
        self.upstream().is_some()
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_ingress =
            self.ingress.map(std::ptr::from_ref) == other.ingress.map(std::ptr::from_ref);
        same_ingress && self.path.map(std::ptr::from_ref) == other.path.map(std::ptr::from_ref)
    }
}
