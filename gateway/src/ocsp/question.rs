//! What is asked about a certificate, and whom (RFC 6960 §4.1, in the form of RFC 5019).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls_pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    oid_registry::asn1_rs::{Oid, oid},
    prelude::FromDer,
};

use crate::{client_certificate::signed::Signed, upstream::errand::Place};

/// `id-ad-ocsp`.
const OCSP: Oid<'static> = oid!(1.3.6.1.5.5.7.48.1);
/// The algorithm of the hashes: SHA-1, which is all that every responder knows (RFC 5019 §2.1.1). It protects nothing here.
const SHA1: &[u8] = &[0x30, 9, 6, 5, 0x2b, 14, 3, 2, 26, 5, 0];
/// Certificates of a chain that are looked at for the issuer.
const MOST_OTHERS: usize = 8;

/// A question about one certificate.
#[derive(Debug)]
pub struct Question {
    /// Where it is asked.
    pub url: String,
    /// The certificate of the issuer, in DER.
    pub issuer: Vec<u8>,
    /// SHA-1 of the issuer's name.
    pub name_hash: [u8; 20],
    /// SHA-1 of the issuer's key.
    pub key_hash: [u8; 20],
    /// The serial number, as it stands in the certificate.
    pub serial: Vec<u8>,
}

impl Question {
    /// About the first certificate of a chain; none if that names no responder, or was issued by none of the others.
    pub fn new(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (der, others) = chain.split_first()?;
        let (_, leaf) = X509Certificate::from_der(der).ok()?;
        let url = responder(&leaf)?.to_owned();
        let signed = Signed::parse(der)?;
        others.iter().take(MOST_OTHERS).find_map(|other| {
            let (_, issuer) = X509Certificate::from_der(other).ok()?;
            let is_it = issuer.subject().as_raw() == leaf.issuer().as_raw()
                && signed.is_by(issuer.public_key().raw);
            is_it.then(|| Self {
                url: url.clone(),
                issuer: other.to_vec(),
                name_hash: sha1(issuer.subject().as_raw()),
                key_hash: sha1(&issuer.public_key().subject_public_key.data),
                serial: leaf.raw_serial().to_vec(),
            })
        })
    }

    /// The question in DER.
    pub fn request(&self) -> Vec<u8> {
        let certificate = tlv(
            0x30,
            &[
                SHA1,
                &tlv(4, &[&self.name_hash]),
                &tlv(4, &[&self.key_hash]),
                &tlv(2, &[&self.serial]),
            ],
        );
        let request = tlv(0x30, &[&certificate]);
        let list = tlv(0x30, &[&request]);
        let body = tlv(0x30, &[&list]);
        tlv(0x30, &[&body])
    }

    /// The same for the same certificate by the same issuer, and for no others.
    pub fn identity(&self, leaf: &CertificateDer<'_>) -> [u8; 32] {
        super::sha256(&[&super::sha256(&[leaf]), &super::sha256(&[&self.issuer])])
    }
}

/// The first responder that a certificate names with a URL of HTTP. What is no URL is skipped: it may hold anything, and
/// would be shown to people.
fn responder<'a>(leaf: &X509Certificate<'a>) -> Option<&'a str> {
    let mut extensions = leaf.iter_extensions();
    let access = extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => Some(access),
        _ => None,
    })?;
    let mut places = access.accessdescs.iter().filter(|place| place.access_method == OCSP);
    places.find_map(|place| match place.access_location {
        GeneralName::URI(url) => Place::parse(url).map(|_| url),
        _ => None,
    })
}

/// SHA-1.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut value = [0; 20];
    value.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    value
}

/// A value of DER with its tag and length.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..128) => der.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[length.leading_zeros() as usize / 8..];
            // At most eight.
            der.push(0x80 | bytes.len() as u8);
            der.extend_from_slice(bytes);
        }
    }
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocsp::sample::Signer;

    #[test]
    fn a_question_needs_a_responder_and_the_issuer() {
        let (authority, namesake) = (Signer::authority("ca"), Signer::authority("ca"));
        let chain = authority.chain(Some("http://ocsp.test/a"));
        let question = Question::new(&chain).unwrap();
        assert_eq!(question.url, "http://ocsp.test/a");
        assert_eq!(question.issuer, &*authority.certificate);
        assert!(Question::new(&chain[..1]).is_none(), "the issuer is missing");
        let other = [chain[0].clone(), namesake.certificate.clone()];
        assert!(Question::new(&other).is_none(), "it has the name only");
        let behind = [chain[0].clone(), namesake.certificate.clone(), chain[1].clone()];
        assert!(Question::new(&behind).is_some(), "the order does not matter");
        for url in [None, Some("ldap://ocsp.test/"), Some("http://a b/"), Some("http://a\r\nb/")] {
            assert!(Question::new(&authority.chain(url)).is_none(), "{url:?}");
        }
    }

    #[test]
    fn lengths_of_der() {
        for (length, head) in
            [(0, &[4, 0][..]), (127, &[4, 127]), (128, &[4, 0x81, 128]), (256, &[4, 0x82, 1, 0])]
        {
            let value = tlv(4, &[&vec![7; length]]);
            assert_eq!((&value[..head.len()], value.len()), (head, head.len() + length));
        }
    }
}
