//! Asking clients for a certificate. The handshake takes any whose key the client has; whether it is trusted is judged
//! request by request ([`crate::client_certificate`]).
//!
//! Sessions of such handshakes are never resumed, and none of another host is here: each of them shows its certificate,
//! and proves to have the key, anew.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::client_certificate::trust::Trust;

/// The configuration of a handshake that asks for a certificate of these authorities; all else is as in `plain`.
pub(super) fn asking(
    plain: &ServerConfig,
    versions: &[&'static SupportedProtocolVersion],
    trust: &Arc<Trust>,
) -> ServerConfig {
    let provider = plain.crypto_provider();
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .expect("the suites cover these versions")
        .with_client_cert_verifier(Arc::new(Possession {
            hints: Arc::clone(trust.hints()),
            algorithms,
        }))
        .with_cert_resolver(Arc::clone(&plain.cert_resolver));
    config.ignore_client_order = plain.ignore_client_order;
    config.alpn_protocols.clone_from(&plain.alpn_protocols);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_fragment_size = plain.max_fragment_size;
    config
}

/// Checks that a client has the key of its certificate, and nothing else.
#[derive(Debug)]
struct Possession {
    /// The names of the authorities. What else is known of those goes with the hosts that name them.
    hints: Arc<[DistinguishedName]>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        key_of(end_entity).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = key_of(certificate)?;
        let key = webpki::RawPublicKeyEntity::try_from(&key)
            .map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let mut fitting =
            self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        // A scheme leaves the curve open in this version.
        let is_real = fitting.any(|(_, algorithms)| {
            algorithms
                .iter()
                .any(|one| key.verify_signature(*one, message, signed.signature()).is_ok())
        });
        if is_real {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = key_of(certificate)?;
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The key that a certificate is for, of whatever version it is.
fn key_of<'a>(certificate: &'a CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'a>, Error> {
    let (rest, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    if !rest.is_empty() {
        return Err(CertificateError::BadEncoding.into());
    }
    Ok(SubjectPublicKeyInfoDer::from(parsed.tbs_certificate.subject_pki.raw))
}
