//! Certificates that `webpki` does not take: of version 1, which simple tools still make, and of authorities. They are
//! fine if an authority of the configuration, or one directly below such, has issued them, and nothing is said about
//! names.

use x509_parser::{certificate::X509Certificate, prelude::FromDer, x509::X509Version};

use super::{
    Trust,
    root::{Validity, is_own_issuer, may_issue},
};
use crate::client_certificate::{
    Failure, Identity, purpose,
    revocation::{self, IssuerKey},
    signed::Signed,
};

impl Trust {
    /// Verifies a certificate with at most `depth` others, and at most one, between it and an authority.
    pub(super) fn issued_nearby(
        &self,
        identity: &Identity,
        leaf: &X509Certificate<'_>,
        depth: u32,
        now: i64,
    ) -> Result<(), Failure> {
        let mut outcome = self.issued_by_root(&identity.leaf, leaf, 0, now);
        if outcome != Err(Failure::UnknownIssuer) {
            return outcome;
        }
        for der in identity.others.iter().chain(&self.others) {
            let Ok((_, middle)) = X509Certificate::from_der(der) else { continue };
            if middle.subject().as_raw() != leaf.issuer().as_raw() || is_own_issuer(&middle) {
                continue;
            }
            match self.issued_by(identity, leaf, (der, &middle), depth, now) {
                Ok(()) => return Ok(()),
                Err(failure) => outcome = Err(failure),
            }
        }
        outcome
    }

    /// Verifies what an authority below one that is its own issuer has issued.
    fn issued_by(
        &self,
        identity: &Identity,
        leaf: &X509Certificate<'_>,
        (der, middle): (&[u8], &X509Certificate<'_>),
        depth: u32,
        now: i64,
    ) -> Result<(), Failure> {
        // What it is issued by comes first: without that nobody here vouches for anything.
        self.issued_by_root(der, middle, 1, now)?;
        let key = middle.public_key().raw;
        if middle.version() != X509Version::V3 || !middle.is_ca() || !may_issue(middle) {
            return Err(Failure::NotAnAuthority);
        }
        if !matches!(middle.name_constraints(), Ok(None)) {
            return Err(Failure::Name);
        }
        if !signature(&identity.leaf, leaf)?.is_by(key) {
            return Err(Failure::Signature);
        }
        if depth == 0 {
            return Err(Failure::TooLong);
        }
        Validity::of(middle).check(now)?;
        if self.lists.is_empty() {
            return Ok(());
        }
        let usage = middle.key_usage().map_err(|_| Failure::NotAnAuthority)?;
        if usage.is_some_and(|usage| !usage.value.crl_sign()) {
            return Err(Failure::NoRevocationList);
        }
        let issuer = IssuerKey { name: middle.subject().as_raw(), key };
        revocation::check(&self.lists, leaf.raw_serial(), issuer, now)
    }

    /// Verifies what an authority that is its own issuer has issued, with `between` others below it.
    fn issued_by_root(
        &self,
        der: &[u8],
        leaf: &X509Certificate<'_>,
        between: u32,
        now: i64,
    ) -> Result<(), Failure> {
        purpose::check_critical(leaf)?;
        let signed = signature(der, leaf)?;
        let mut outcome = Err(Failure::UnknownIssuer);
        for root in self.roots.iter().filter(|root| root.name == leaf.issuer().as_raw()) {
            if root.anchor.is_none() {
                outcome = Err(Failure::NotAnAuthority);
            } else if !signed.is_by(&root.key) {
                outcome = Err(Failure::Signature);
            } else if root.path_length.is_some_and(|most| between > most) {
                outcome = Err(Failure::PathLength);
            } else if root.limits_names {
                return Err(Failure::Name);
            } else {
                return self.check_list(leaf.raw_serial(), root, now);
            }
        }
        outcome
    }
}

/// The signature of a certificate, which says in two places how it was made.
fn signature<'a>(der: &'a [u8], certificate: &X509Certificate<'_>) -> Result<Signed<'a>, Failure> {
    if certificate.signature_algorithm != certificate.tbs_certificate.signature {
        return Err(Failure::Signature);
    }
    Signed::parse(der).ok_or(Failure::Unspecified)
}
