//! Encrypted connections: to upstreams as their locations ask for it ([`client`]), and to services that are asked
//! (annotations §3.7). Certificates of the latter are not verified, as in the reference: whoever can answer for the name
//! can answer for the service. Those of issuers of tokens are.

pub mod client;
mod servers;

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How connections to an endpoint are encrypted.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    /// None: it is neither sent nor verified.
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// As a location asks for it.
    pub fn new(config: &Arc<ClientConfig>, name: Option<ServerName<'static>>) -> Self {
        Self { connector: TlsConnector::from(Arc::clone(config)), name }
    }

    /// Whether it is the same.
    pub fn is(&self, config: &Arc<ClientConfig>, name: Option<&ServerName<'static>>) -> bool {
        Arc::ptr_eq(self.connector.config(), config) && self.name.as_ref() == name
    }

    /// For a server of this name, or address; `None` if it cannot be one.
    pub fn unverified(name: &str) -> Option<Self> {
        static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        let name = Some(server_name(name)?);
        let config = CONFIG.get_or_init(|| Arc::new(unverified()));
        Some(Self { connector: TlsConnector::from(Arc::clone(config)), name })
    }

    /// The same, whose certificate has to be signed by one of `authorities`, each in DER, or by one that everybody trusts
    /// if there are none. `None` if nothing could be verified with them.
    pub fn verified(name: &str, authorities: &[Vec<u8>]) -> Option<Self> {
        static PUBLIC: OnceLock<Arc<RootCertStore>> = OnceLock::new();
        let name = Some(server_name(name)?);
        let roots = if authorities.is_empty() {
            Arc::clone(PUBLIC.get_or_init(|| Arc::new(public_authorities())))
        } else {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(CertificateDer::from(authority.as_slice())).ok()?;
            }
            Arc::new(roots)
        };
        let config = builder().with_root_certificates(roots).with_no_client_auth();
        Some(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// The handshake.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub async fn handshake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => ServerName::from(stream.peer_addr()?.ip()),
        };
        self.connector.connect(name, stream).await
    }
}

fn server_name(name: &str) -> Option<ServerName<'static>> {
    let name = name.strip_suffix('.').unwrap_or(name).trim_matches(['[', ']']);
    ServerName::try_from(name.to_owned()).ok()
}

/// The authorities that this system trusts. An image may have nothing but the program: then those that browsers trust.
fn public_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions")
}

fn unverified() -> ClientConfig {
    builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate::new()))
        .with_no_client_auth()
}

/// Takes any certificate. The peer still proves that it has its key.
#[derive(Debug)]
pub struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyCertificate {
    /// With the signatures that everything here knows.
    pub fn new() -> Self {
        Self { algorithms: aws_lc_rs::default_provider().signature_verification_algorithms }
    }
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
