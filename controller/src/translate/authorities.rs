//! A Secret -> the authorities that certificates may come from: `ca.crt`, and `ca.crl` if there is one (routing §8.5).

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use headgate_config::client_certificates::Authorities;
use k8s_openapi::api::core::v1::Secret;
use parking_lot::Mutex;
use rustls_pki_types::pem::{PemObject, SectionKind};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::objects::Key;

/// The authorities of Secrets. Each version of a Secret is read once, however many Ingresses name it.
#[derive(Debug, Default)]
pub struct KnownAuthorities(Mutex<BTreeMap<Key, Known>>);

#[derive(Debug)]
struct Known {
    version: Weak<Secret>,
    outcome: Result<Arc<Authorities>, String>,
}

impl KnownAuthorities {
    /// What [`read`] says about this version of the Secret.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without any of its content.
    pub fn of(&self, key: &Key, secret: &Arc<Secret>) -> Result<Arc<Authorities>, String> {
        let mut known = self.0.lock();
        if let Some(known) = known.get(key)
            && known.version.as_ptr() == Arc::as_ptr(secret)
        {
            return known.outcome.clone();
        }
        let outcome = read(secret).map(Arc::new);
        known.retain(|_, known| known.version.strong_count() > 0);
        let version = Arc::downgrade(secret);
        known.insert(key.clone(), Known { version, outcome: outcome.clone() });
        outcome
    }
}

/// Reads the authorities of a Secret. `tls.crt` is not among them: it is shown to everybody, and trusted by nobody.
///
/// # Errors
///
/// What is wrong with it, without any of its content.
fn read(secret: &Secret) -> Result<Authorities, String> {
    let certificates = certificates(secret)?;
    let revocation_lists = match item(secret, "ca.crl").filter(|pem| !pem.is_empty()) {
        Some(pem) => sections(pem, SectionKind::Crl, "ca.crl")?,
        None => Vec::new(),
    };
    let is_list = |der: &Vec<u8>| matches!(CertificateRevocationList::from_der(der), Ok((rest, _)) if rest.is_empty());
    if !revocation_lists.iter().all(is_list) {
        return Err("a list of its ca.crl cannot be read".into());
    }
    Ok(Authorities { certificates, revocation_lists })
}

/// Reads the authorities of servers, of which no lists count (annotations §3.14).
///
/// # Errors
///
/// What is wrong with it, without any of its content.
pub fn of_servers(secret: &Secret) -> Result<Authorities, String> {
    Ok(Authorities { certificates: certificates(secret)?, revocation_lists: Vec::new() })
}

fn item<'a>(secret: &'a Secret, name: &str) -> Option<&'a [u8]> {
    secret.data.as_ref()?.get(name).map(|bytes| bytes.0.as_slice())
}

fn certificates(secret: &Secret) -> Result<Vec<Vec<u8>>, String> {
    let pem = item(secret, "ca.crt").ok_or("it holds no ca.crt")?;
    let certificates = sections(pem, SectionKind::Certificate, "ca.crt")?;
    let is_certificate =
        |der: &Vec<u8>| matches!(X509Certificate::from_der(der), Ok((rest, _)) if rest.is_empty());
    if !certificates.iter().all(is_certificate) {
        return Err("a certificate of its ca.crt cannot be read".into());
    }
    Ok(certificates)
}

/// The sections of one kind, at least one.
fn sections(pem: &[u8], wanted: SectionKind, name: &str) -> Result<Vec<Vec<u8>>, String> {
    let all = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|_| format!("its {name} is no PEM; put certificates there in PEM"))?;
    let found: Vec<_> =
        all.into_iter().filter(|(kind, _)| *kind == wanted).map(|(_, der)| der).collect();
    if found.is_empty() {
        let what = if wanted == SectionKind::Crl { "revocation list" } else { "certificate" };
        return Err(format!("its {name} holds no {what} in PEM; put them there"));
    }
    Ok(found)
}
