//! A small authority, certificates of it, and answers about them, for tests and the fuzz target to build on.

#![allow(clippy::unwrap_used, reason = "a sample that cannot be made is a test that fails")]

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SigningKey,
};
use rustls_pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, prelude::FromDer, time::ASN1Time};

use super::question::{Question, sha1, tlv};

/// Where answers of samples begin to hold, in seconds since 1970: 2023-11-14.
pub const THIS_UPDATE: i64 = 1_700_000_000;

/// Whoever signs.
pub struct Signer {
    pub certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Signer {
    /// An authority of its own.
    pub fn authority(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = params(name, true);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Somebody whom the authority has given a certificate, and charged with answers or not.
    pub fn below(&self, name: &str, is_charged: bool) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name, false);
        if is_charged {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// The chain of a server whose responder is there.
    pub fn chain(&self, url: Option<&str>) -> Vec<CertificateDer<'static>> {
        let mut params = params("server", false);
        if let Some(url) = url {
            let ocsp = [6, 8, 0x2b, 6, 1, 5, 5, 7, 48, 1];
            let place = tlv(0x30, &[&ocsp, &tlv(0x86, &[url.as_bytes()])]);
            let places = tlv(0x30, &[&place]);
            let access = [1, 3, 6, 1, 5, 5, 7, 1, 1];
            params.custom_extensions = vec![CustomExtension::from_oid_content(&access, places)];
        }
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        vec![leaf, self.certificate.clone()]
    }

    /// A question about a server.
    pub fn question(&self) -> Question {
        Question::new(&self.chain(Some("http://ocsp.test/"))).unwrap()
    }
}

fn params(name: &str, is_authority: bool) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

/// What an answer says.
pub struct Said<'a> {
    pub question: &'a Question,
    pub signer: &'a Signer,
    /// 0 is good, 1 revoked, 2 unknown.
    pub state: u8,
    pub this_update: i64,
    pub next_update: Option<i64>,
    pub names_key: bool,
    pub certificates: &'a [&'a Signer],
}

impl<'a> Said<'a> {
    /// That it is good for an hour.
    pub fn good(question: &'a Question, signer: &'a Signer) -> Self {
        Self {
            question,
            signer,
            state: 0,
            this_update: THIS_UPDATE,
            next_update: Some(THIS_UPDATE + 3600),
            names_key: false,
            certificates: &[],
        }
    }

    /// The answer in DER.
    pub fn der(&self) -> Vec<u8> {
        let data =
            tlv(0x30, &[&self.responder(), &time(self.this_update), &tlv(0x30, &[&self.single()])]);
        let ecdsa = tlv(0x30, &[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
        let signature = self.signer.issuer.key().sign(&data).unwrap();
        let certificates: Vec<_> =
            self.certificates.iter().flat_map(|signer| signer.certificate.to_vec()).collect();
        let certificates = match certificates.is_empty() {
            true => Vec::new(),
            false => tlv(0xa0, &[&tlv(0x30, &[&certificates])]),
        };
        let basic = tlv(0x30, &[&data, &ecdsa, &tlv(3, &[&[0], &signature]), &certificates]);
        let kind = tlv(6, &[&[0x2b, 6, 1, 5, 5, 7, 48, 1, 1]]);
        let bytes = tlv(0x30, &[&kind, &tlv(4, &[&basic])]);
        tlv(0x30, &[&tlv(10, &[&[0]]), &tlv(0xa0, &[&bytes])])
    }

    fn responder(&self) -> Vec<u8> {
        let (_, certificate) = X509Certificate::from_der(&self.signer.certificate).unwrap();
        match self.names_key {
            true => {
                let hash = sha1(&certificate.public_key().subject_public_key.data);
                tlv(0xa2, &[&tlv(4, &[&hash])])
            }
            false => tlv(0xa1, &[certificate.subject().as_raw()]),
        }
    }

    fn single(&self) -> Vec<u8> {
        let question = self.question;
        let sha1 = tlv(0x30, &[&tlv(6, &[&[0x2b, 14, 3, 2, 26]]), &[5, 0]]);
        let id = tlv(
            0x30,
            &[
                &sha1,
                &tlv(4, &[&question.name_hash]),
                &tlv(4, &[&question.key_hash]),
                &tlv(2, &[&question.serial]),
            ],
        );
        let state = match self.state {
            1 => tlv(0xa1, &[&time(self.this_update)]),
            other => tlv(0x80 | other, &[]),
        };
        let next = self.next_update.map(|next| tlv(0xa0, &[&time(next)])).unwrap_or_default();
        tlv(0x30, &[&id, &state, &time(self.this_update), &next])
    }
}

fn time(seconds: i64) -> Vec<u8> {
    let time = ASN1Time::from_timestamp(seconds).unwrap().to_datetime();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    tlv(0x18, &[text.as_bytes()])
}
