//! Whether a private key belongs to a certificate, told by comparing public keys.
//!
//! Only encodings are read, nothing is computed: a key that does not carry its public half (possible for elliptic
//! curves) passes here, and is left to the check of whoever runs the gateway.

use headgate_config::{PrivateKey, certificate::KeyFormat};
use x509_parser::{
    asn1_rs::{Any, Class, FromDer, Oid, oid},
    x509::SubjectPublicKeyInfo,
};

/// Checks that a key is the one of a certificate.
///
/// # Errors
///
/// If it certainly is not, or cannot be read.
pub fn belongs_to(key: &PrivateKey, certificate: &SubjectPublicKeyInfo<'_>) -> Result<(), String> {
    let held = match key.format() {
        KeyFormat::Pkcs1 => rsa(key.der()),
        KeyFormat::Sec1 => elliptic(key.der()),
        KeyFormat::Pkcs8 => pkcs8(key.der()),
    };
    let held = held.ok_or("tls.key cannot be read")?;
    let bits: &[u8] = &certificate.subject_public_key.data;
    let is_rsa = certificate.algorithm.algorithm == RSA;
    let fits = match &held {
        Public::Rsa { modulus, exponent } => {
            is_rsa && integers(bits).is_some_and(|numbers| numbers == [*modulus, *exponent])
        }
        Public::Point(point) => !is_rsa && point.is_none_or(|point| point == bits),
        Public::Unknown => true,
    };
    fits.then_some(())
        .ok_or_else(|| "tls.key is not the key of the first certificate of tls.crt".into())
}

const RSA: Oid<'static> = oid!(1.2.840.113549.1.1.1);
const ELLIPTIC: Oid<'static> = oid!(1.2.840.10045.2.1);

/// The public half of a private key, as far as its encoding holds it.
enum Public<'a> {
    Rsa { modulus: &'a [u8], exponent: &'a [u8] },
    Point(Option<&'a [u8]>),
    Unknown,
}

/// RFC 5958: version, algorithm, key in an octet string.
fn pkcs8(der: &[u8]) -> Option<Public<'_>> {
    let fields = sequence(der)?;
    let [_, algorithm, key, ..] = fields.as_slice() else { return None };
    let (_, algorithm) = Oid::from_der(algorithm.data).ok()?;
    match algorithm {
        algorithm if algorithm == RSA => rsa(key.data),
        algorithm if algorithm == ELLIPTIC => elliptic(key.data),
        _ => Some(Public::Unknown),
    }
}

/// RFC 8017: version, modulus, public exponent, and the private rest.
fn rsa(der: &[u8]) -> Option<Public<'_>> {
    let fields = sequence(der)?;
    let [_, modulus, exponent, ..] = fields.as_slice() else { return None };
    Some(Public::Rsa { modulus: modulus.data, exponent: exponent.data })
}

/// RFC 5915: version, private key, `[0]` curve, `[1]` public key in a bit string.
fn elliptic(der: &[u8]) -> Option<Public<'_>> {
    let fields = sequence(der)?;
    let is_public = |field: &&Any<'_>| {
        field.header.class() == Class::ContextSpecific && field.header.tag().0 == 1
    };
    let public = fields.iter().find(is_public).map(|field| Any::from_der(field.data).ok());
    match public {
        None => Some(Public::Point(None)),
        // The first octet of a bit string counts its unused bits.
        Some(bits) => Some(Public::Point(Some(bits?.1.data.get(1..)?))),
    }
}

/// The contents of a sequence of two integers.
fn integers(der: &[u8]) -> Option<Vec<&[u8]>> {
    Some(sequence(der)?.into_iter().map(|field| field.data).collect())
}

fn sequence(der: &[u8]) -> Option<Vec<Any<'_>>> {
    let (_, outer) = Any::from_der(der).ok()?;
    let (mut rest, mut fields) = (outer.data, Vec::new());
    while !rest.is_empty() {
        let (left, field) = Any::from_der(rest).ok()?;
        fields.push(field);
        rest = left;
    }
    Some(fields)
}
