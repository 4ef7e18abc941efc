//! What protects a location, in the form in which requests use it.

use std::sync::Arc;

use headgate_config::{Protection, protection::PasswordScheme};
use smallvec::SmallVec;

use crate::filter::{
    access::Access,
    password::{Password, Passwords},
};

/// What protects a location.
pub struct LiveProtection {
    /// As configured.
    pub spec: Arc<Protection>,
    /// Who is asked whether a client may come, in this order.
    pub checks: SmallVec<[Check; 3]>,
    /// Which addresses may come.
    pub access: Option<Access>,
    /// The question for user name and password.
    pub password: Option<Password>,
}

/// A check of who may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// By its address.
    Access,
    /// By user name and password.
    Password,
    /// By another service.
    External,
}

impl LiveProtection {
    /// Compiles `spec`; `passwords` is what all locations share that ask for one.
    pub(super) fn new(spec: &Arc<Protection>, passwords: &Arc<Passwords>) -> Self {
        let password = spec.password.as_ref().map(|password| password.scheme);
        // Where all have to pass, a digest is asked for before the address is looked at (annotations §3.0, step 11).
        let digest_first = password == Some(PasswordScheme::Digest) && !spec.any_is_enough;
        let access = spec.access.as_ref().map(|_| Check::Access);
        let password = password.map(|_| Check::Password);
        let external = spec.external.as_ref().map(|_| Check::External);
        let order =
            if digest_first { [password, access, external] } else { [access, password, external] };
        Self {
            spec: Arc::clone(spec),
            checks: order.into_iter().flatten().collect(),
            access: spec.access.as_deref().map(Access::new),
            password: spec.password.as_deref().map(|spec| Password::new(spec, passwords)),
        }
    }
}
