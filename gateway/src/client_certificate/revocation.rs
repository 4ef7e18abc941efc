//! Lists of revoked certificates. With any, every certificate below an authority needs one of its issuer, as
//! OpenSSL has it with `CRL_CHECK_ALL`.

use std::collections::HashSet;

use parking_lot::Mutex;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::{Failure, signed::Signed};

/// Keys of an issuer whose part in a list is remembered. An issuer has one, or two while it changes them.
const MOST_KEYS: usize = 8;

/// A list of one issuer.
#[derive(Debug)]
pub struct RevocationList {
    der: Vec<u8>,
    issuer: Vec<u8>,
    serials: HashSet<Box<[u8]>>,
    /// In seconds since 1970.
    not_before: i64,
    not_after: Option<i64>,
    /// Encoded keys of its issuer, and whether it is signed with them: to find that out all of the list is read.
    signers: Mutex<Vec<(Box<[u8]>, bool)>>,
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
            signers: Mutex::default(),
        })
    }

    fn judge(&self, serial: &[u8], issuer: IssuerKey<'_>, now: i64) -> Result<(), Failure> {
        if !self.is_by(issuer.key) {
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

    /// Whether the owner of a key has signed it. Asked once for each key.
    fn is_by(&self, key: &[u8]) -> bool {
        let known = |signers: &[(Box<[u8]>, bool)]| {
            signers.iter().find(|(signer, _)| **signer == *key).map(|(_, is_by)| *is_by)
        };
        if let Some(is_by) = known(&self.signers.lock()) {
            return is_by;
        }
        // Nobody waits meanwhile: who asks at the same time finds it out as well.
        let is_by = Signed::parse(&self.der).is_some_and(|signed| signed.is_by(key));
        let mut signers = self.signers.lock();
        if known(&signers).is_none() {
            if signers.len() == MOST_KEYS {
                // The key that it is signed with stays; there is hardly ever more than one.
                signers.retain(|(_, is_by)| *is_by);
                signers.truncate(MOST_KEYS - 1);
            }
            signers.push((key.into(), is_by));
        }
        is_by
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

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
        KeyUsagePurpose, PublicKeyData, SerialNumber, date_time_ymd,
    };

    use super::*;

    /// A list without entries, with the encoded key that it is signed with.
    fn signed() -> (RevocationList, Vec<u8>) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let der = list.signed_by(&Issuer::from_params(&params, &key)).expect("a list");
        (RevocationList::new(der.der()).expect("a list"), key.subject_public_key_info())
    }

    #[test]
    fn a_list_is_read_once_for_each_key() {
        let (mut list, key) = signed();
        let (_, other) = signed();
        assert!(list.is_by(&key) && !list.is_by(&other));
        // Nothing of it can be verified any more.
        list.der.fill(0);
        assert!(list.is_by(&key) && !list.is_by(&other), "it has been read again");
        assert!(!list.is_by(&signed().1), "what is known of one key is said of another");
    }

    #[test]
    fn a_crowd_of_keys_takes_bounded_room() {
        let (mut list, key) = signed();
        assert!(list.is_by(&key));
        for number in 0..100_u8 {
            assert!(!list.is_by(&[number]));
            assert!(list.signers.lock().len() <= MOST_KEYS);
        }
        list.der.fill(0);
        assert!(list.is_by(&key), "the right one is forgotten");
    }
}
