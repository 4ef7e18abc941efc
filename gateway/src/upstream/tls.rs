//! Encrypted connections to services that are asked (annotations §3.7). Their certificates are not verified, as in the
//! reference: whoever can answer for the name can answer for the service.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::error::ProxyError;

/// How connections to an endpoint are encrypted.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// For a server of this name, or address; `None` if it cannot be one.
    pub fn unverified(name: &str) -> Option<Self> {
        static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        let name = name.strip_suffix('.').unwrap_or(name).trim_matches(['[', ']']);
        let name = ServerName::try_from(name.to_owned()).ok()?;
        let config = CONFIG.get_or_init(|| Arc::new(unverified()));
        Some(Self { connector: TlsConnector::from(Arc::clone(config)), name })
    }

    /// The handshake.
    pub async fn connect(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, ProxyError> {
        let encrypted = self.connector.connect(self.name.clone(), stream).await;
        encrypted.map_err(|_| ProxyError::Connect)
    }
}

fn unverified() -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate { algorithms }))
        .with_no_client_auth()
}

/// Takes any certificate. The peer still proves that it has its key.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
