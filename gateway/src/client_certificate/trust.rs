//! Whom certificates have to come from, and whether one does.
//!
//! A path is built by `webpki`, from a certificate over those that came along to an authority that is its own issuer.

mod direct;
mod known;
mod root;
#[cfg(test)]
mod tests;

use std::{cell::Cell, sync::Arc};

use headgate_config::client_certificates::Authorities;
use rustls::DistinguishedName;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

pub use self::known::Trusts;
use self::root::{Root, Validity, is_own_issuer, may_issue};
use super::{
    Failure, Identity, purpose,
    revocation::{self, IssuerKey, RevocationList},
};

/// Largest list of names that a handshake tells clients, in bytes; a longer one has no place in it.
const MOST_HINTS: usize = 32 * 1024;

/// The authorities of a host, ready to verify by.
#[derive(Debug, Default)]
pub struct Trust {
    /// What it was made of.
    authorities: Arc<Authorities>,
    /// Those of `roots` that may issue certificates, in their order.
    anchors: Vec<TrustAnchor<'static>>,
    /// Authorities that are their own issuers: a path has to end at one of them.
    roots: Vec<Root>,
    /// Others: a path may lead over them.
    others: Vec<CertificateDer<'static>>,
    lists: Vec<RevocationList>,
    hints: Arc<[DistinguishedName]>,
}

impl Trust {
    /// Prepares authorities.
    ///
    /// # Errors
    ///
    /// What cannot be used. Nobody may come then.
    pub fn new(authorities: &Arc<Authorities>) -> Result<Self, String> {
        let mut trust = Self { authorities: Arc::clone(authorities), ..Self::default() };
        let mut hints = Vec::new();
        for der in &authorities.certificates {
            let (_, certificate) = X509Certificate::from_der(der)
                .map_err(|_| "a certificate of an authority cannot be read".to_owned())?;
            trust.add(der, &certificate);
            hints.push(DistinguishedName::from(certificate.subject().as_raw().to_vec()));
        }
        let lists = authorities.revocation_lists.iter().map(|der| RevocationList::new(der));
        trust.lists = lists.collect::<Result<_, _>>()?;
        if hints.iter().map(|hint| hint.as_ref().len() + 2).sum::<usize>() <= MOST_HINTS {
            trust.hints = hints.into();
        }
        Ok(trust)
    }

    fn add(&mut self, der: &[u8], certificate: &X509Certificate<'_>) {
        let der = CertificateDer::from(der.to_vec());
        if !is_own_issuer(certificate) {
            self.others.push(der);
            return;
        }
        let anchor = webpki::anchor_from_trusted_cert(&der).ok().filter(|_| may_issue(certificate));
        let anchor = anchor.map(|anchor| {
            self.anchors.push(anchor.to_owned());
            self.anchors.len() - 1
        });
        self.roots.push(Root::new(der, certificate, anchor));
    }

    /// The names of the authorities, for the client to choose a certificate by.
    pub fn hints(&self) -> &Arc<[DistinguishedName]> {
        &self.hints
    }

    /// Verifies a certificate, with at most `depth` others between it and an authority.
    ///
    /// # Errors
    ///
    /// The last that OpenSSL would find wrong with it.
    pub fn verify(&self, identity: &Identity, depth: u32, now: UnixTime) -> Result<(), Failure> {
        let seconds = i64::try_from(now.as_secs()).map_err(|_| Failure::Unspecified)?;
        let (_, leaf) =
            X509Certificate::from_der(&identity.leaf).map_err(|_| Failure::Unspecified)?;
        let found = self.path(identity, &leaf, depth, now, seconds);
        let outcome = match found {
            Err(failure) if failure.is_only_untrusted() && self.misses_list(failure) => {
                Err(Failure::NoRevocationList)
            }
            outcome => outcome,
        };
        // These are worse than that nobody vouches for it.
        if outcome.map_or_else(Failure::is_only_untrusted, |()| true) {
            purpose::check(&leaf)?;
            Validity::of(&leaf).check(seconds)?;
        }
        outcome
    }

    /// Whether OpenSSL, after it found a chain untrusted, goes on to miss a list; of a single certificate whose issuer
    /// is not known it says once more that it is not.
    fn misses_list(&self, failure: Failure) -> bool {
        !self.lists.is_empty() && failure != Failure::UnknownIssuerOfOne
    }

    fn path(
        &self,
        identity: &Identity,
        leaf: &X509Certificate<'_>,
        depth: u32,
        now: UnixTime,
        seconds: i64,
    ) -> Result<(), Failure> {
        if is_own_issuer(leaf) {
            let root = self.roots.iter().find(|root| root.der == identity.leaf);
            let root = root.ok_or(Failure::SelfSigned)?;
            purpose::check_critical(leaf)?;
            return self.check_list(leaf.raw_serial(), root, seconds);
        }
        let taken = EndEntityCert::try_from(&identity.leaf).ok().filter(|_| !leaf.is_ca());
        let outcome = match taken {
            Some(taken) => self.build(identity, &taken, depth, now, seconds),
            None => self.issued_nearby(identity, leaf, depth, seconds),
        };
        match outcome {
            Err(Failure::UnknownIssuer) => Err(self.untrusted(identity, leaf)),
            outcome => outcome,
        }
    }

    /// Builds a path with `webpki`.
    fn build(
        &self,
        identity: &Identity,
        leaf: &EndEntityCert<'_>,
        depth: u32,
        now: UnixTime,
        seconds: i64,
    ) -> Result<(), Failure> {
        let refused = Cell::new(None);
        let judge = |path: &VerifiedPath<'_>| {
            let judged = self.judge(path, depth, seconds);
            judged.map_err(|failure| {
                refused.set(Some(failure));
                // Stands for all that is noted.
                webpki::Error::CertRevoked
            })
        };
        let others = identity.others.iter().chain(&self.others);
        let others: Vec<_> = others.map(|der| CertificateDer::from(&**der)).collect();
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &self.anchors,
            &others,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&judge),
        )
        .map(drop)
        .map_err(|error| match error {
            webpki::Error::CertRevoked => refused.get().unwrap_or(Failure::Unspecified),
            error => error.into(),
        })
    }

    /// What is asked of a path besides what `webpki` asks.
    fn judge(&self, path: &VerifiedPath<'_>, depth: u32, now: i64) -> Result<(), Failure> {
        let length = path.intermediate_certificates().count();
        if length > depth as usize {
            return Err(Failure::TooLong);
        }
        let is_end = |root: &&Root| {
            let anchor = root.anchor.and_then(|index| self.anchors.get(index));
            anchor.is_some_and(|anchor| std::ptr::eq(anchor, path.anchor()))
        };
        let root = self.roots.iter().find(is_end).ok_or(Failure::Unspecified)?;
        if root.path_length.is_some_and(|most| length > most as usize) {
            return Err(Failure::PathLength);
        }
        let mut below = path.end_entity().serial();
        for authority in path.intermediate_certificates() {
            let der = authority.der();
            let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| Failure::Unspecified)?;
            let usage = parsed.key_usage().map_err(|_| Failure::NotAnAuthority)?;
            if usage.as_ref().is_some_and(|usage| !usage.value.key_cert_sign()) {
                return Err(Failure::NotAnAuthority);
            }
            if !self.lists.is_empty() {
                if usage.is_some_and(|usage| !usage.value.crl_sign()) {
                    return Err(Failure::NoRevocationList);
                }
                let (name, key) = (parsed.subject().as_raw(), parsed.public_key().raw);
                revocation::check(&self.lists, below, IssuerKey { name, key }, now)?;
            }
            below = authority.serial();
        }
        self.check_list(below, root, now)
    }

    /// Looks a certificate of a root up in its lists.
    fn check_list(&self, serial: &[u8], root: &Root, now: i64) -> Result<(), Failure> {
        root.validity.check(now)?;
        if self.lists.is_empty() {
            return Ok(());
        }
        if !root.signs_lists {
            return Err(Failure::NoRevocationList);
        }
        revocation::check(&self.lists, serial, IssuerKey { name: &root.name, key: &root.key }, now)
    }

    /// In what way a certificate is untrusted: how far its issuers are known by name.
    fn untrusted(&self, identity: &Identity, leaf: &X509Certificate<'_>) -> Failure {
        let candidates = || {
            let sent = identity.others.iter().map(|der| (der, false));
            sent.chain(self.others.iter().map(|der| (der, true)))
        };
        let mut wanted = leaf.issuer().as_raw().to_vec();
        let (mut is_ours, mut length) = (false, 0);
        while length <= identity.others.len() + self.others.len() {
            let issuer = candidates().find_map(|(der, ours)| {
                let (_, parsed) = X509Certificate::from_der(der).ok()?;
                (parsed.subject().as_raw() == wanted).then_some((parsed, ours))
            });
            let Some((issuer, ours)) = issuer else { break };
            if is_own_issuer(&issuer) {
                return Failure::UnknownRoot;
            }
            is_ours |= ours;
            length += 1;
            wanted = issuer.issuer().as_raw().to_vec();
        }
        match length {
            _ if is_ours => Failure::IssuerOfIssuer,
            0 => Failure::UnknownIssuerOfOne,
            _ => Failure::UnknownIssuer,
        }
    }
}
