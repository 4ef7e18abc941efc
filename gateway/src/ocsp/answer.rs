//! Reads and checks what a responder says (RFC 6960 §3.2, §4.2): a good answer about the certificate that was asked about,
//! signed by its issuer or by whom that has charged with it, and neither too old nor from the future.

mod der;

use x509_parser::{
    asn1_rs::{Class, FromDer, Tag},
    certificate::X509Certificate,
    time::ASN1Time,
};

use self::der::{Reader, time};
use super::question::{Question, sha1};
use crate::client_certificate::signed::Signed;

/// Clocks may differ by so much, in seconds.
const SKEW: i64 = 300;
/// An answer that does not say how long it holds is used for so long, in seconds.
const UNDATED: i64 = 3600;
/// … and may be so old when it comes.
const UNDATED_AGE: i64 = 24 * 3600;
/// Certificates beside an answer that are looked at.
const MOST_CERTIFICATES: usize = 4;

/// `id-pkix-ocsp-basic`.
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
/// SHA-1 as the algorithm of a hash.
const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is no answer of the kind that is understood.
    #[error("its answer is not understood")]
    Malformed,
    /// The responder does not answer such questions, or not now.
    #[error("it answers with the error {0}")]
    Unsuccessful(&'static str),
    /// It is about another certificate.
    #[error("its answer is about another certificate")]
    Other,
    /// The issuer has neither signed it nor charged anybody with it who has.
    #[error(
        "its answer is not signed by the certificate's issuer, or by whom that has charged with it"
    )]
    Signature,
    /// It does not hold yet.
    #[error("its answer does not hold yet")]
    Early,
    /// It does not hold any more.
    #[error("its answer does not hold any more")]
    Late,
    /// The responder does not know the certificate.
    #[error("it does not know the certificate")]
    Unknown,
    /// The certificate was revoked.
    #[error("the certificate is revoked")]
    Revoked,
}

/// What is said of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    Revoked,
    Unknown,
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer<'a> {
    signed: Signed<'a>,
    responder: Responder<'a>,
    singles: Vec<Single<'a>>,
    /// In DER, one after the other.
    certificates: &'a [u8],
}

/// Who says that he has signed an answer.
#[derive(Debug)]
enum Responder<'a> {
    /// A name in DER.
    Name(&'a [u8]),
    /// SHA-1 of a key.
    Key(&'a [u8]),
}

/// What is said about one certificate; times in seconds since 1970.
#[derive(Debug)]
struct Single<'a> {
    is_sha1: bool,
    name_hash: &'a [u8],
    key_hash: &'a [u8],
    serial: &'a [u8],
    state: State,
    this_update: i64,
    next_update: Option<i64>,
}

impl<'a> Answer<'a> {
    /// Takes an answer apart. Nothing is checked but its form.
    ///
    /// # Errors
    ///
    /// [`Flaw::Malformed`] and [`Flaw::Unsuccessful`].
    pub fn parse(der: &'a [u8]) -> Result<Self, Flaw> {
        let mut outer = Reader(Reader(der).sequence_only()?);
        let status = outer.take(Class::Universal, Tag::Enumerated)?;
        match status {
            [0] => {}
            [1] => return Err(Flaw::Unsuccessful("malformedRequest")),
            [2] => return Err(Flaw::Unsuccessful("internalError")),
            [3] => return Err(Flaw::Unsuccessful("tryLater")),
            [5] => return Err(Flaw::Unsuccessful("sigRequired")),
            [6] => return Err(Flaw::Unsuccessful("unauthorized")),
            _ => return Err(Flaw::Malformed),
        }
        let explicit = outer.take(Class::ContextSpecific, Tag(0))?;
        let mut bytes = Reader(Reader(explicit).sequence_only()?);
        if bytes.take(Class::Universal, Tag::Oid)? != BASIC {
            return Err(Flaw::Malformed);
        }
        let basic = bytes.take(Class::Universal, Tag::OctetString)?;
        Self::parse_basic(basic)
    }

    fn parse_basic(der: &'a [u8]) -> Result<Self, Flaw> {
        let signed = Signed::parse(der).ok_or(Flaw::Malformed)?;
        let mut basic = Reader(Reader(der).sequence_only()?);
        let mut data = Reader(basic.take(Class::Universal, Tag::Sequence)?);
        basic.take(Class::Universal, Tag::Sequence)?;
        basic.take(Class::Universal, Tag::BitString)?;
        let certificates = match basic.optional(0)? {
            Some(list) => Reader(list).sequence_only()?,
            None => &[],
        };
        data.optional(0)?;
        let responder = match data.optional(1)? {
            Some(name) => Responder::Name(name),
            None => {
                let key = data.take(Class::ContextSpecific, Tag(2))?;
                Responder::Key(Reader(key).take(Class::Universal, Tag::OctetString)?)
            }
        };
        data.take(Class::Universal, Tag::GeneralizedTime)?;
        let mut list = Reader(data.take(Class::Universal, Tag::Sequence)?);
        let mut singles = Vec::new();
        while !list.0.is_empty() {
            singles.push(Single::parse(list.take(Class::Universal, Tag::Sequence)?)?);
        }
        Ok(Self { signed, responder, singles, certificates })
    }

    /// Whether it says that the certificate is good; until when, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Why it does not, or does not count.
    pub fn check(&self, question: &Question, now: i64) -> Result<i64, Flaw> {
        let mut singles = self.singles.iter();
        let single = singles.find(|single| single.answers(question)).ok_or(Flaw::Other)?;
        // Before anything else is believed.
        self.check_signature(&question.issuer, now)?;
        let until = single.holds_until(now)?;
        match single.state {
            State::Good => Ok(until),
            State::Revoked => Err(Flaw::Revoked),
            State::Unknown => Err(Flaw::Unknown),
        }
    }

    /// The hashes of name and key and the serial number of the first certificate that it is about.
    #[cfg(any(test, fuzzing))]
    pub fn asked(&self) -> Option<([u8; 20], [u8; 20], &'a [u8])> {
        let first = self.singles.first().filter(|first| first.is_sha1)?;
        Some((first.name_hash.try_into().ok()?, first.key_hash.try_into().ok()?, first.serial))
    }

    fn check_signature(&self, issuer: &[u8], now: i64) -> Result<(), Flaw> {
        let (_, issuer) = X509Certificate::from_der(issuer).map_err(|_| Flaw::Signature)?;
        if self.responder.is(&issuer) && self.signed.is_by(issuer.public_key().raw) {
            return Ok(());
        }
        let mut rest = self.certificates;
        for _ in 0..MOST_CERTIFICATES {
            let Ok((behind, certificate)) = X509Certificate::from_der(rest) else { break };
            let der = &rest[..rest.len() - behind.len()];
            if self.responder.is(&certificate)
                && is_delegate(&certificate, der, &issuer, now)
                && self.signed.is_by(certificate.public_key().raw)
            {
                return Ok(());
            }
            rest = behind;
        }
        Err(Flaw::Signature)
    }
}

/// Whether an issuer has charged the owner of a certificate with its answers (RFC 6960 §4.2.2.2).
fn is_delegate(
    certificate: &X509Certificate<'_>,
    der: &[u8],
    issuer: &X509Certificate<'_>,
    now: i64,
) -> bool {
    let extended = certificate.extended_key_usage();
    let usage = certificate.key_usage();
    let is_charged = matches!(extended, Ok(Some(extended)) if extended.value.ocsp_signing)
        && usage.is_ok_and(|usage| usage.is_none_or(|usage| usage.value.digital_signature()));
    let is_current =
        ASN1Time::from_timestamp(now).is_ok_and(|now| certificate.validity().is_valid_at(now));
    is_charged
        && is_current
        && certificate.issuer().as_raw() == issuer.subject().as_raw()
        && certificate.signature_algorithm == certificate.tbs_certificate.signature
        && Signed::parse(der).is_some_and(|signed| signed.is_by(issuer.public_key().raw))
}

impl Responder<'_> {
    fn is(&self, certificate: &X509Certificate<'_>) -> bool {
        match self {
            Self::Name(name) => *name == certificate.subject().as_raw(),
            Self::Key(hash) => {
                *hash == sha1(&certificate.public_key().subject_public_key.data).as_slice()
            }
        }
    }
}

impl<'a> Single<'a> {
    fn parse(der: &'a [u8]) -> Result<Self, Flaw> {
        let mut single = Reader(der);
        let mut id = Reader(single.take(Class::Universal, Tag::Sequence)?);
        let mut algorithm = Reader(id.take(Class::Universal, Tag::Sequence)?);
        let is_sha1 = algorithm.take(Class::Universal, Tag::Oid)? == SHA1;
        let name_hash = id.take(Class::Universal, Tag::OctetString)?;
        let key_hash = id.take(Class::Universal, Tag::OctetString)?;
        let serial = id.take(Class::Universal, Tag::Integer)?;
        let state = single.next()?;
        let state = match (state.header.class(), state.header.tag()) {
            (Class::ContextSpecific, Tag(0)) => State::Good,
            (Class::ContextSpecific, Tag(1)) => State::Revoked,
            (Class::ContextSpecific, Tag(2)) => State::Unknown,
            _ => return Err(Flaw::Malformed),
        };
        let this_update = time(single.take(Class::Universal, Tag::GeneralizedTime)?)?;
        let next_update = match single.optional(0)? {
            Some(next) => Some(time(Reader(next).take(Class::Universal, Tag::GeneralizedTime)?)?),
            None => None,
        };
        Ok(Self { is_sha1, name_hash, key_hash, serial, state, this_update, next_update })
    }

    fn answers(&self, question: &Question) -> bool {
        self.is_sha1
            && self.name_hash == question.name_hash
            && self.key_hash == question.key_hash
            && self.serial == question.serial
    }

    /// Until when it holds.
    fn holds_until(&self, now: i64) -> Result<i64, Flaw> {
        if self.this_update > now.saturating_add(SKEW) {
            return Err(Flaw::Early);
        }
        match self.next_update {
            Some(next) if next > now && next > self.this_update => Ok(next),
            None if now.saturating_sub(self.this_update) <= UNDATED_AGE => Ok(now + UNDATED),
            _ => Err(Flaw::Late),
        }
    }
}

#[cfg(test)]
mod tests;
