//! Authorities, certificates and lists that tests make.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    DistinguishedName as Name, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, SigningKey, date_time_ymd,
};

use super::*;

/// A certificate with its key, and what it issues others by.
pub(super) struct Made {
    pub(super) der: CertificateDer<'static>,
    pub(super) params: CertificateParams,
    pub(super) key: KeyPair,
}

pub(super) fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = Name::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(super) fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(super) fn own(params: CertificateParams) -> Made {
    let key = KeyPair::generate().expect("a key");
    let der = params.self_signed(&key).expect("a certificate").der().clone();
    Made { der, params, key }
}

impl Made {
    pub(super) fn issues(&self, params: CertificateParams) -> Made {
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::from_params(&self.params, &self.key);
        let der = params.signed_by(&key, &issuer).expect("a certificate").der().clone();
        Made { der, params, key }
    }

    pub(super) fn client(&self, name: &str) -> Made {
        self.issues(named(name))
    }

    /// A list with these serial numbers that is valid for these years.
    pub(super) fn revokes(&self, serials: &[u64], years: (i32, i32)) -> Vec<u8> {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(years.0, 1, 1),
            next_update: date_time_ymd(years.1, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = Issuer::from_params(&self.params, &self.key);
        list.signed_by(&issuer).expect("a list").der().to_vec()
    }

    /// A certificate of version 1, as `openssl x509 -req` makes them without extensions.
    pub(super) fn issues_old(&self, name: &str, serial: u8) -> CertificateDer<'static> {
        let template = self.client(name);
        let (_, parsed) = X509Certificate::from_der(&template.der).expect("a certificate");
        let outer = fields(&template.der);
        let inner = fields(outer[0]);
        // version, serial number, algorithm, issuer, validity, subject, key
        let body = [
            &[2, 1, serial][..],
            inner[2],
            inner[3],
            inner[4],
            parsed.subject().as_raw(),
            inner[6],
        ];
        let body = tlv(0x30, &body.concat());
        let signature = tlv(3, &[&[0], &self.key.sign(&body).expect("signed")[..]].concat());
        CertificateDer::from(tlv(0x30, &[&body, outer[1], &signature].concat()))
    }
}

pub(super) fn tlv(tag: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("small");
    let head = match length {
        0..0x80 => vec![tag, length as u8],
        _ => [&[tag, 0x82][..], &length.to_be_bytes()].concat(),
    };
    [head, data.to_vec()].concat()
}

/// The fields of a sequence, with their heads.
pub(super) fn fields(der: &[u8]) -> Vec<&[u8]> {
    use x509_parser::asn1_rs::{Any, FromDer};
    let (_, outer) = Any::from_der(der).expect("a sequence");
    let (mut rest, mut found) = (outer.data, Vec::new());
    while !rest.is_empty() {
        let (left, _) = Any::from_der(rest).expect("a field");
        found.push(&rest[..rest.len() - left.len()]);
        rest = left;
    }
    found
}

pub(super) fn trust(certificates: &[&Made], lists: &[Vec<u8>]) -> Trust {
    let certificates = certificates.iter().map(|made| made.der.to_vec()).collect();
    Trust::new(&Arc::new(Authorities { certificates, revocation_lists: lists.to_vec() }))
        .expect("authorities")
}

pub(super) fn verify(
    trust: &Trust,
    chain: &[&CertificateDer<'static>],
    depth: u32,
) -> Result<(), Failure> {
    let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
    trust.verify(&Identity::new(&chain).expect("a certificate"), depth, UnixTime::now())
}
