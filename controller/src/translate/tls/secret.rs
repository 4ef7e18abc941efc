//! A TLS Secret -> a certificate with its key (routing §8.5).

use std::sync::Arc;

use headgate_config::{Certificate, CertificateId, PrivateKey, certificate::KeyFormat};
use k8s_openapi::api::core::v1::Secret;
use rustls_pki_types::{
    PrivateKeyDer,
    pem::{PemObject, SectionKind},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::key;
use crate::{objects::Key, options::CertificateCheck};

/// A certificate that can be served.
#[derive(Debug)]
pub struct Good {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// Whether its names come from a subjectAltName, and not from the common name.
    has_san: bool,
}

impl Good {
    /// Whether the certificate is for a host: one of its names is, or is a wildcard for the host's first label.
    pub fn covers(&self, host: &str) -> bool {
        let parent =
            host.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, parent)| parent);
        self.certificate.names.iter().any(|name| {
            let wildcard = name.strip_prefix("*.").filter(|_| !host.starts_with("*."));
            name.eq_ignore_ascii_case(host)
                || wildcard.is_some_and(|wildcard| {
                    parent.is_some_and(|parent| parent.eq_ignore_ascii_case(wildcard))
                })
        })
    }

    /// The same, as long as the names come from a subjectAltName.
    pub fn names_in_san(&self, host: &str) -> bool {
        self.has_san && self.covers(host)
    }
}

/// Reads the certificate of a Secret.
///
/// # Errors
///
/// What is wrong with it, without any of its content.
pub fn read(id: &Key, secret: &Secret, check: Option<CertificateCheck>) -> Result<Good, String> {
    let item = |name: &str| {
        let data = secret.data.as_ref().and_then(|data| data.get(name));
        data.map(|bytes| bytes.0.as_slice()).ok_or_else(|| format!("{name} is missing; add it"))
    };
    let chain = chain(item("tls.crt")?)?;
    let key = private_key(item("tls.key")?)?;
    let leaf = chain.first().ok_or("tls.crt holds no certificate")?;
    let (names, has_san) = {
        let (_, leaf) = X509Certificate::from_der(leaf)
            .map_err(|_| "the first certificate of tls.crt cannot be read".to_owned())?;
        key::belongs_to(&key, leaf.public_key())?;
        names(&leaf)
    };
    if let Some(check) = check {
        check(&chain, &key)?;
    }
    let certificate = Certificate { id: CertificateId(id.to_string()), chain, key, names };
    Ok(Good { certificate: Arc::new(certificate), has_san })
}

fn chain(pem: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem);
    let sections: Vec<_> =
        sections.collect::<Result<_, _>>().map_err(|_| "tls.crt is no PEM".to_owned())?;
    match sections.first() {
        None => return Err("tls.crt is no PEM".into()),
        Some((SectionKind::Certificate, _)) => {}
        Some(_) => return Err("tls.crt does not begin with a certificate".into()),
    }
    let certificates = sections.into_iter().filter(|(kind, _)| *kind == SectionKind::Certificate);
    Ok(certificates.map(|(_, der)| der).collect())
}

fn private_key(pem: &[u8]) -> Result<PrivateKey, String> {
    let key = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| "tls.key holds no unencrypted private key in PEM".to_owned())?;
    let format = match &key {
        PrivateKeyDer::Pkcs1(_) => KeyFormat::Pkcs1,
        PrivateKeyDer::Sec1(_) => KeyFormat::Sec1,
        PrivateKeyDer::Pkcs8(_) => KeyFormat::Pkcs8,
        _ => return Err("tls.key is of a kind that is not supported".into()),
    };
    Ok(PrivateKey::new(key.secret_der().to_vec(), format))
}

/// The DNS names of a certificate. The common name only counts where there is no subjectAltName.
fn names(leaf: &X509Certificate<'_>) -> (Vec<String>, bool) {
    let san = leaf.subject_alternative_name().ok().flatten();
    let names = match &san {
        Some(san) => san
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                _ => None,
            })
            .collect(),
        None => leaf
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok())
            .map(str::to_ascii_lowercase)
            .collect(),
    };
    (names, san.is_some())
}
