//! Lists of revoked certificates. With any, every certificate below an authority needs one of its issuer, as
//! OpenSSL has it with `CRL_CHECK_ALL`.

use std::collections::HashSet;

use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::{Failure, signed::Signed};

/// A list of one issuer.
#[derive(Debug)]
pub struct RevocationList {
    der: Vec<u8>,
    issuer: Vec<u8>,
    serials: HashSet<Box<[u8]>>,
    /// In seconds since 1970.
    not_before: i64,
    not_after: Option<i64>,
}

/// Who has issued a certificate.
#[derive(Clone, Copy, Debug)]
pub struct IssuerKey<'a> {
    /// The encoded name.
    pub name: &'a [u8],
    /// The encoded key.
    pub key: &'a [u8],
}

impl RevocationList {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// Why it cannot be used: lists for some certificates only, or that change others, are not.
    pub fn new(der: &[u8]) -> Result<Self, &'static str> {
        const UNREADABLE: &str = "a revocation list cannot be read";
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| UNREADABLE)?;
        if !rest.is_empty() || Signed::parse(der).is_none() {
            return Err(UNREADABLE);
        }
        let revoked = || list.iter_revoked_certificates();
        let is_critical = list.extensions().iter().any(|extension| extension.critical)
            || revoked().flat_map(|entry| entry.extensions()).any(|extension| extension.critical);
        if is_critical {
            return Err("a revocation list has critical extensions, which are not supported");
        }
        Ok(Self {
            der: der.to_vec(),
            issuer: list.issuer().as_raw().to_vec(),
            serials: revoked().map(|entry| number(entry.raw_serial()).into()).collect(),
            not_before: list.last_update().timestamp(),
            not_after: list.next_update().map(|time| time.timestamp()),
        })
    }

    fn judge(&self, serial: &[u8], issuer: IssuerKey<'_>, now: i64) -> Result<(), Failure> {
        if !Signed::parse(&self.der).is_some_and(|signed| signed.is_by(issuer.key)) {
            return Err(Failure::ListSignature);
        }
        if self.serials.contains(number(serial)) {
            return Err(Failure::Revoked);
        }
        if self.not_before > now {
            return Err(Failure::NoRevocationList);
        }
        if self.not_after.is_some_and(|end| end < now) {
            return Err(Failure::ListExpired);
        }
        Ok(())
    }
}

/// Checks a certificate, by its serial number, against the lists of its issuer.
///
/// # Errors
///
/// If one of them has it, or none of them counts.
pub fn check(
    lists: &[RevocationList],
    serial: &[u8],
    issuer: IssuerKey<'_>,
    now: i64,
) -> Result<(), Failure> {
    let mut outcome = Err(Failure::NoRevocationList);
    for list in lists.iter().filter(|list| list.issuer == issuer.name) {
        match list.judge(serial, issuer, now) {
            Err(Failure::Revoked) => return Err(Failure::Revoked),
            Ok(()) => outcome = Ok(()),
            Err(failure) if outcome.is_err() => outcome = Err(failure),
            Err(_) => {}
        }
    }
    outcome
}

/// A serial number without what an encoder may put in front of it.
fn number(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    &serial[zeros..]
}
