//! The certificate of last resort (routing §8.4). It is made once per process, for the first client that needs it and on a
//! thread of its own, because an RSA key takes a good part of a second on a slow machine.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, SystemTime},
};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256,
};
use rustls::{crypto::aws_lc_rs::sign::any_supported_type, sign::CertifiedKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::sync::{OnceCell, oneshot};

const VALIDITY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

static CERTIFICATE: OnceLock<Option<Arc<CertifiedKey>>> = OnceLock::new();

/// Whether it is there already.
pub(super) fn is_made() -> bool {
    CERTIFICATE.get().is_some()
}

/// Returns when it is there.
pub(super) async fn made() {
    static MAKING: OnceCell<()> = OnceCell::const_new();
    let make = || async {
        let (done, made) = oneshot::channel();
        let thread = thread::Builder::new().name("self-signed".into());
        // Without the thread the handshake makes it.
        let _ = thread.spawn(move || {
            certificate();
            let _ = done.send(());
        });
        let _ = made.await;
    };
    MAKING.get_or_init(make).await;
}

/// The certificate, made now if it is not there; none if that failed.
pub(super) fn certificate() -> Option<Arc<CertifiedKey>> {
    CERTIFICATE
        .get_or_init(|| match generate() {
            Ok(certificate) => Some(Arc::new(certificate)),
            Err(error) => {
                tracing::error!(%error, "no self-signed certificate can be made");
                None
            }
        })
        .clone()
}

fn generate() -> Result<CertifiedKey, Box<dyn std::error::Error>> {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::new(vec!["ingress.local".to_owned()])?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationName, "Acme Co");
    params
        .distinguished_name
        .push(DnType::CommonName, "Kubernetes Ingress Controller Fake Certificate");
    let now = SystemTime::now();
    params.not_before = now.into();
    params.not_after = (now + VALIDITY).into();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = any_supported_type(&key)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

#[cfg(test)]
mod tests {
    use x509_parser::parse_x509_certificate;

    use super::*;

    #[test]
    fn it_is_the_references_fake_certificate() {
        let certified = certificate().unwrap();
        let (_, certificate) = parse_x509_certificate(&certified.cert[0]).unwrap();
        let subject = certificate.subject();
        let name = subject.iter_common_name().next().unwrap().as_str().unwrap();
        let organization = subject.iter_organization().next().unwrap().as_str().unwrap();
        assert_eq!(name, "Kubernetes Ingress Controller Fake Certificate");
        assert_eq!(organization, "Acme Co");
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(format!("{:?}", names.value.general_names), "[DNSName(\"ingress.local\")]");
        let validity = certificate.validity();
        let lifetime = validity.not_after.timestamp() - validity.not_before.timestamp();
        assert_eq!(lifetime, 365 * 24 * 3600);
        assert!(validity.is_valid());
        assert_eq!(certificate.public_key().parsed().unwrap().key_size(), 2048);
    }

    #[tokio::test]
    async fn it_is_made_once() {
        tokio::join!(made(), made());
        assert!(is_made());
        assert!(Arc::ptr_eq(&certificate().unwrap(), &certificate().unwrap()));
    }
}
