//! Certificates of clients (annotations §3.5): what they say, whether they are trusted, and what a host makes of that.
//!
//! A handshake takes any certificate whose key the client has; it is parsed once, then. Whether it is trusted is asked
//! by the host of a request, and remembered by the connection for a while. The life of a request is left to
//! [`crate::proxy`], the handshake to [`crate::listen::tls`].

pub mod failure;
pub mod identity;
pub mod name;
pub mod policy;
mod purpose;
mod revocation;
pub(crate) mod signed;
pub mod trust;

#[cfg(fuzzing)]
pub mod fuzz {
    //! What the fuzz target runs.

    use rustls_pki_types::CertificateDer;

    use super::identity::Identity;

    /// Reads a certificate as it comes in a handshake.
    ///
    /// # Panics
    ///
    /// If a name is no text for a header.
    pub fn client_certificate(data: &[u8]) {
        let Some(identity) = Identity::new(&[CertificateDer::from(data.to_vec())]) else { return };
        for name in [identity.subject(), identity.issuer()] {
            assert!(name.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
        assert!(identity.escaped().starts_with("-----BEGIN%20CERTIFICATE-----%0A"));
    }
}

pub use self::{failure::Failure, identity::Identity, policy::Policy};
