//! Authorities that are their own issuers: where paths end.

use rustls_pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, x509::X509Version};

use crate::client_certificate::Failure;

/// An authority that is its own issuer.
#[derive(Debug)]
pub(super) struct Root {
    /// Its certificate.
    pub(super) der: CertificateDer<'static>,
    /// Its encoded name.
    pub(super) name: Vec<u8>,
    /// Its encoded key.
    pub(super) key: Vec<u8>,
    /// Its place in `anchors`, if it may issue certificates.
    pub(super) anchor: Option<usize>,
    /// It says which names it may give.
    pub(super) limits_names: bool,
    /// How many authorities may be below it.
    pub(super) path_length: Option<u32>,
    /// It may sign lists.
    pub(super) signs_lists: bool,
    /// When it may issue.
    pub(super) validity: Validity,
}

/// In seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    not_before: i64,
    not_after: i64,
}

impl Validity {
    /// That of a certificate.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        }
    }

    /// Whether it is over, or has not begun.
    pub(super) fn check(self, now: i64) -> Result<(), Failure> {
        if now < self.not_before {
            Err(Failure::NotYetValid)
        } else if now > self.not_after {
            Err(Failure::Expired)
        } else {
            Ok(())
        }
    }
}

impl Root {
    /// What a certificate says; `anchor` is its place among those that may issue others.
    pub(super) fn new(
        der: CertificateDer<'static>,
        certificate: &X509Certificate<'_>,
        anchor: Option<usize>,
    ) -> Self {
        let constraints = certificate.basic_constraints().ok().flatten();
        let usage = certificate.key_usage().ok().flatten();
        Self {
            name: certificate.subject().as_raw().to_vec(),
            key: certificate.public_key().raw.to_vec(),
            anchor,
            limits_names: !matches!(certificate.name_constraints(), Ok(None)),
            path_length: constraints.and_then(|constraints| constraints.value.path_len_constraint),
            signs_lists: usage.is_none_or(|usage| usage.value.crl_sign()),
            validity: Validity::of(certificate),
            der,
        }
    }
}

/// Whether a certificate names itself as its issuer.
pub(super) fn is_own_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Whether a certificate that is its own issuer may issue others for clients, as OpenSSL decides it.
pub(super) fn may_issue(certificate: &X509Certificate<'_>) -> bool {
    let (Ok(constraints), Ok(usage), Ok(extended)) = (
        certificate.basic_constraints(),
        certificate.key_usage(),
        certificate.extended_key_usage(),
    ) else {
        return false;
    };
    let signs = usage.map(|usage| usage.value.key_cert_sign());
    let is_authority = match constraints {
        Some(constraints) => constraints.value.ca,
        None => certificate.version() == X509Version::V1 || signs == Some(true),
    };
    is_authority && signs != Some(false) && extended.is_none_or(|usage| usage.value.client_auth)
}
