//! Loading one certificate with its key.

use std::sync::Arc;

use headgate_config::{Certificate, PrivateKey, certificate::KeyFormat};
use rustls::{
    crypto::aws_lc_rs::sign::any_supported_type,
    sign::{CertifiedKey, SigningKey},
};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use x509_parser::{
    certificate::X509Certificate, parse_x509_certificate, prelude::FromDer,
    x509::SubjectPublicKeyInfo,
};

/// A certificate that can be served, and what the metrics tell about it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) facts: Facts,
}

/// What the metrics tell about a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// End of its validity, in seconds since 1970.
    pub(super) not_after: i64,
    /// Serial number, decimal.
    pub(super) serial: String,
    /// `serialNumber` of the issuer's name; usually empty.
    pub(super) issuer_serial: String,
    /// First organization of the issuer.
    pub(super) issuer_organization: String,
    /// Common name of the issuer.
    pub(super) issuer_common_name: String,
    /// `RSA`, `ECDSA`, `Ed25519` or empty.
    pub(super) key_algorithm: &'static str,
}

/// Says whether a chain (leaf first, DER) can be served with a key. The control plane asks, so that it can keep what was
/// good before.
///
/// # Errors
///
/// Why not; never contains key material.
pub fn check_certificate(chain: &[Vec<u8>], key: &PrivateKey) -> Result<(), String> {
    parse(chain, key).map(drop)
}

impl Loaded {
    /// Parses the key, and makes sure that the certificate is for it. The error says why that failed.
    pub(super) fn new(certificate: &Certificate) -> Result<Self, String> {
        let (leaf, key) = load(certificate)?;
        Ok(Self { key, facts: Facts::of(&leaf) })
    }
}

/// A certificate with its key, ready to be shown.
///
/// # Errors
///
/// Why not; never contains key material.
pub(crate) fn certified(certificate: &Certificate) -> Result<Arc<CertifiedKey>, String> {
    load(certificate).map(|(_, key)| key)
}

fn load(certificate: &Certificate) -> Result<(X509Certificate<'_>, Arc<CertifiedKey>), String> {
    let (leaf, key) = parse(&certificate.chain, &certificate.key)?;
    let chain = certificate.chain.iter();
    let chain = chain.map(|der| CertificateDer::from(der.clone())).collect();
    Ok((leaf, Arc::new(CertifiedKey::new(chain, key))))
}

fn parse<'a>(
    chain: &'a [Vec<u8>],
    key: &PrivateKey,
) -> Result<(X509Certificate<'a>, Arc<dyn SigningKey>), String> {
    let leaf = chain.first().ok_or("the chain is empty")?;
    let (_, leaf) = parse_x509_certificate(leaf)
        .map_err(|error| format!("the certificate cannot be parsed: {error}"))?;
    let key = any_supported_type(&der(key))
        .map_err(|error| format!("the private key cannot be used: {error}"))?;
    if !belong_together(&*key, &leaf) {
        return Err("the private key does not belong to the certificate".to_owned());
    }
    Ok((leaf, key))
}

impl Facts {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        use x509_parser::oid_registry as oid;

        let issuer = certificate.issuer();
        let first = |name: Option<&x509_parser::x509::AttributeTypeAndValue<'_>>| {
            let text = name.and_then(|name| name.as_str().ok());
            text.unwrap_or_default().to_owned()
        };
        let algorithm = &certificate.public_key().algorithm.algorithm;
        let key_algorithm = if *algorithm == oid::OID_PKCS1_RSAENCRYPTION {
            "RSA"
        } else if *algorithm == oid::OID_KEY_TYPE_EC_PUBLIC_KEY {
            "ECDSA"
        } else if *algorithm == oid::OID_SIG_ED25519 {
            "Ed25519"
        } else {
            ""
        };
        Self {
            not_after: certificate.validity().not_after.timestamp(),
            serial: certificate.tbs_certificate.serial.to_string(),
            issuer_serial: first(issuer.iter_by_oid(&oid::OID_X509_SERIALNUMBER).next()),
            issuer_organization: first(issuer.iter_organization().next()),
            issuer_common_name: first(issuer.iter_common_name().next()),
            key_algorithm,
        }
    }
}

fn der(key: &PrivateKey) -> PrivateKeyDer<'_> {
    match key.format() {
        KeyFormat::Pkcs8 => PrivatePkcs8KeyDer::from(key.der()).into(),
        KeyFormat::Pkcs1 => PrivatePkcs1KeyDer::from(key.der()).into(),
        KeyFormat::Sec1 => PrivateSec1KeyDer::from(key.der()).into(),
    }
}

/// Whether the key's public half is the certificate's. `rustls` has a check of its own, but that one refuses X.509 v1
/// certificates, which the reference serves.
fn belong_together(key: &dyn SigningKey, leaf: &X509Certificate<'_>) -> bool {
    let Some(public) = key.public_key() else {
        return true;
    };
    SubjectPublicKeyInfo::from_der(&public)
        .is_ok_and(|(_, public)| public.subject_public_key == leaf.public_key().subject_public_key)
}
