//! What certificates and revocation lists have in common: a body and its signature (RFC 5280 §4.1.1, §5.1.1).

use rustls_pki_types::SubjectPublicKeyInfoDer;
use x509_parser::asn1_rs::{Any, FromDer};

/// A signed structure, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    body: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes a certificate or a list apart.
    pub fn parse(der: &'a [u8]) -> Option<Self> {
        let (_, outer) = Any::from_der(der).ok()?;
        let (rest, _) = Any::from_der(outer.data).ok()?;
        let body = outer.data.get(..outer.data.len() - rest.len())?;
        let (rest, algorithm) = Any::from_der(rest).ok()?;
        let (_, signature) = Any::from_der(rest).ok()?;
        // The first octet of a bit string counts its unused bits.
        let signature = signature.data.strip_prefix(&[0])?;
        Some(Self { body, algorithm: algorithm.data, signature })
    }

    /// Whether the owner of a key has signed it.
    pub fn is_by(&self, key: &[u8]) -> bool {
        let key = SubjectPublicKeyInfoDer::from(key);
        let Ok(key) = webpki::RawPublicKeyEntity::try_from(&key) else { return false };
        let mut algorithms = webpki::ALL_VERIFICATION_ALGS
            .iter()
            .filter(|algorithm| algorithm.signature_alg_id().as_ref() == self.algorithm);
        algorithms
            .any(|algorithm| key.verify_signature(*algorithm, self.body, self.signature).is_ok())
    }
}
