//! TLS from the outside: a client that accepts any certificate and tells which one it was given, and self-signed
//! certificates to give. Verification is deliberately off: the tests compare certificates byte for byte instead.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

use crate::client;

/// A certificate with its key, as PEM for a Secret and as DER for comparison.
pub struct SelfSigned {
    /// Certificate in PEM.
    pub certificate_pem: String,
    /// Private key in PEM.
    pub key_pem: String,
    /// Certificate in DER, as a handshake shows it.
    pub der: Vec<u8>,
}

impl SelfSigned {
    /// A new key on the curve P-256 and a certificate for the names.
    pub fn new(names: &[&str]) -> Result<Self> {
        Self::with_key(names, &rcgen::KeyPair::generate()?)
    }

    /// The same with an Ed25519 key. Its encoding does not tell which certificate it belongs to.
    pub fn ed25519(names: &[&str]) -> Result<Self> {
        Self::with_key(names, &rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?)
    }

    fn with_key(names: &[&str], key: &rcgen::KeyPair) -> Result<Self> {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let certificate = rcgen::CertificateParams::new(names)?.self_signed(key)?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().to_vec(),
        })
    }
}

/// Opens TLS connections; HTTP/1.1 only, since no ALPN is offered.
#[derive(Clone)]
pub struct Client(TlsConnector);

impl Client {
    /// A client that resumes no sessions, so that every handshake shows the current certificate.
    pub fn new() -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Connects with `name` as SNI; the stream and the server's certificate in DER.
    pub async fn connect(
        &self,
        address: SocketAddr,
        name: &str,
    ) -> Result<(TlsStream<TcpStream>, Vec<u8>)> {
        let stream = client::tcp(address).await?;
        let name = ServerName::try_from(name.to_owned())?;
        let handshake = self.0.connect(name, stream);
        let stream = tokio::time::timeout(client::REQUEST_LIMIT, handshake)
            .await
            .context("no handshake in time")??;
        let certificates = stream.get_ref().1.peer_certificates();
        let leaf = certificates
            .and_then(<[_]>::first)
            .context("no certificate in the handshake")?
            .to_vec();
        Ok((stream, leaf))
    }
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{ServerConfig, pki_types::PrivateKeyDer, pki_types::pem::PemObject},
    };

    use super::*;

    #[tokio::test]
    async fn the_client_reports_the_certificate_it_was_given() {
        let given = SelfSigned::new(&["a.example"]).unwrap();
        let key = PrivateKeyDer::from_pem_slice(given.key_pem.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![given.der.clone().into()], key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            TlsAcceptor::from(Arc::new(config)).accept(stream).await
        });
        let (_stream, seen) = Client::new().unwrap().connect(address, "a.example").await.unwrap();
        assert_eq!(seen, given.der);
    }

    #[test]
    fn two_certificates_for_one_name_differ() {
        assert_ne!(SelfSigned::new(&["a"]).unwrap().der, SelfSigned::new(&["a"]).unwrap().der);
    }
}
