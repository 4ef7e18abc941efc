//! The webhook's own certificate: making one, and judging one that exists. Pure.
//!
//! Each certificate is signed by an authority of its own whose key is forgotten at once, so that nothing else can ever
//! be signed by what the API server is told to trust.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// From the moment that it is made.
const VALIDITY: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// So long before its end a certificate is replaced: long enough to be noticed by people if that fails.
const RENEW_BEFORE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Clocks that are late must not find a certificate that is not valid yet.
const BACKDATED: Duration = DAY;
/// Authorities that are trusted at a time: the newest, and the one that other replicas still use.
const MOST_AUTHORITIES: usize = 2;
/// The end of a certificate in PEM.
const END: &str = "-----END CERTIFICATE-----\n";

/// A certificate with its key and who signed it, all PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who signed it, and who signed the one before it.
    pub authorities: String,
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("authorities", &self.authorities).finish_non_exhaustive()
    }
}

impl Identity {
    /// Whether it is the same but for who else is trusted.
    pub fn is_same_certificate(&self, other: &Self) -> bool {
        (&self.certificate, &self.key) == (&other.certificate, &other.key)
    }
}

/// The names by which an API server reaches a Service.
pub fn service_names(namespace: &str, name: &str) -> Vec<String> {
    vec![format!("{name}.{namespace}.svc"), format!("{name}.{namespace}"), name.to_owned()]
}

/// Makes a certificate for these names. `before` are authorities that are still in use.
///
/// # Errors
///
/// If a name is none, or the system has no randomness.
pub fn issue(names: &[String], before: &str, now: SystemTime) -> Result<Identity, rcgen::Error> {
    let params = |common_name: &str, names: &[String]| {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::OrganizationName, "headgate");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = (now - BACKDATED).into();
        params.not_after = (now + VALIDITY).into();
        Ok::<_, rcgen::Error>(params)
    };
    let authority_key = KeyPair::generate()?;
    let mut authority = params("headgate webhook authority", &[])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let signed = authority.self_signed(&authority_key)?;

    let key = KeyPair::generate()?;
    let mut certificate = params("headgate webhook", names)?;
    certificate.is_ca = IsCa::ExplicitNoCa;
    certificate.use_authority_key_identifier_extension = true;
    certificate.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate =
        certificate.signed_by(&key, &Issuer::from_params(&authority, authority_key))?;

    let is_in_use = |block: &&str| {
        let certificates = certificates(block).unwrap_or_default();
        certificates.first().and_then(|der| read(der)).is_some_and(|old| is_valid(&old, now))
    };
    let before = before.split_inclusive(END).filter(is_in_use).take(MOST_AUTHORITIES - 1);
    Ok(Identity {
        authorities: before.fold(signed.pem(), |bundle, block| bundle + block.trim_start()),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// Checks that a certificate can be used for these names, and will be for a while.
///
/// # Errors
///
/// Why it has to be replaced.
pub fn check(identity: &Identity, names: &[String], now: SystemTime) -> Result<(), String> {
    let chain = certificates(&identity.certificate).ok_or("tls.crt is no PEM")?;
    let leaf = chain.first().and_then(|der| read(der)).ok_or("tls.crt holds no certificate")?;
    let authorities = certificates(&identity.authorities).ok_or("ca.crt is no PEM")?;
    let key = KeyPair::from_pem(&identity.key).map_err(|_| "tls.key cannot be read")?;
    if *key.public_key_raw() != *leaf.public_key().subject_public_key.data {
        return Err("tls.key is not the key of tls.crt".into());
    }
    let signer = authority_key_id(&leaf);
    let is_signer = |der: &CertificateDer<'_>| {
        read(der).is_some_and(|authority| {
            signer.is_some() && key_id(&authority) == signer && is_valid(&authority, now)
        })
    };
    if !authorities.iter().any(is_signer) {
        return Err("ca.crt does not hold who signed tls.crt".into());
    }
    let covered = dns_names(&leaf);
    if let Some(missing) = names.iter().find(|name| !covered.contains(&name.as_str())) {
        return Err(format!("tls.crt is not for {missing}"));
    }
    if !is_valid(&leaf, now) {
        return Err("tls.crt is not valid now".into());
    }
    if !is_valid(&leaf, now + RENEW_BEFORE) {
        return Err("tls.crt expires soon".into());
    }
    Ok(())
}

/// Whether a certificate has not expired.
pub fn is_usable(identity: &Identity, now: SystemTime) -> bool {
    let chain = certificates(&identity.certificate).unwrap_or_default();
    chain.first().and_then(|der| read(der)).is_some_and(|leaf| is_valid(&leaf, now))
}

/// Whether a bundle of certificates holds all of others.
pub fn holds(bundle: &[u8], others: &str) -> bool {
    let (Some(bundle), Some(others)) =
        (str::from_utf8(bundle).ok().and_then(certificates), certificates(others))
    else {
        return false;
    };
    others.iter().all(|other| bundle.contains(other))
}

/// `None` if it is no PEM.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().ok()
}

fn read<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

fn is_valid(certificate: &X509Certificate<'_>, at: SystemTime) -> bool {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let validity = certificate.validity();
    i64::try_from(seconds).is_ok_and(|now| {
        (validity.not_before.timestamp()..validity.not_after.timestamp()).contains(&now)
    })
}

fn dns_names<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|names| &names.value.general_names).into_iter().flatten();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        })
        .collect()
}

fn key_id<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    })
}

fn authority_key_id<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        service_names("ns", "hook")
    }

    fn now() -> SystemTime {
        SystemTime::now()
    }

    #[test]
    fn a_new_certificate_is_good_for_its_service_until_it_is_due() {
        let made = issue(&names(), "", now()).unwrap();
        assert_eq!(check(&made, &names(), now()), Ok(()));
        assert_eq!(check(&made, &names(), now() + VALIDITY - RENEW_BEFORE - DAY), Ok(()));
        let late = now() + VALIDITY - RENEW_BEFORE + DAY;
        assert_eq!(check(&made, &names(), late), Err("tls.crt expires soon".into()));
        assert!(is_usable(&made, late));
        let expired = now() + VALIDITY + DAY;
        assert!(check(&made, &names(), expired).is_err());
        assert!(!is_usable(&made, expired));
        assert!(check(&made, &names(), now() - 2 * DAY).is_err());
    }

    #[test]
    fn what_does_not_fit_together_is_replaced() {
        let (one, other) =
            (issue(&names(), "", now()).unwrap(), issue(&names(), "", now()).unwrap());
        let nonsense = || "nonsense".to_owned();
        for (what, identity) in [
            ("key of another", Identity { key: other.key.clone(), ..one.clone() }),
            ("signed by another", Identity { authorities: other.authorities, ..one.clone() }),
            ("no certificate", Identity { certificate: nonsense(), ..one.clone() }),
            ("no key", Identity { key: nonsense(), ..one.clone() }),
            ("no authority", Identity { authorities: String::new(), ..one.clone() }),
        ] {
            assert!(check(&identity, &names(), now()).is_err(), "{what}");
        }
        assert!(check(&one, &service_names("ns", "other"), now()).is_err());
    }

    #[test]
    fn the_authority_before_stays_trusted_as_long_as_it_is_valid() {
        let first = issue(&names(), "", now()).unwrap();
        let second = issue(&names(), &first.authorities, now()).unwrap();
        assert_eq!(check(&second, &names(), now()), Ok(()));
        assert!(holds(second.authorities.as_bytes(), &first.authorities));
        assert!(!holds(first.authorities.as_bytes(), &second.authorities));
        let third = issue(&names(), &second.authorities, now()).unwrap();
        assert!(!holds(third.authorities.as_bytes(), &first.authorities));
        assert_eq!(third.authorities.matches(END).count(), MOST_AUTHORITIES);
        let later = issue(&names(), &first.authorities, now() + VALIDITY + DAY).unwrap();
        assert_eq!(later.authorities.matches(END).count(), 1);
        let from_nonsense = issue(&names(), "nonsense", now()).unwrap();
        assert_eq!(from_nonsense.authorities.matches(END).count(), 1);
    }

    #[test]
    fn nothing_shows_the_key() {
        let made = issue(&names(), "", now()).unwrap();
        assert!(!format!("{made:?}").contains("PRIVATE"), "{made:?}");
    }
}
