//! Clients with certificates, and the authorities that issue them.

use std::{net::SocketAddr, sync::Arc};

use headgate_config::{Certificate, CertificateId, PrivateKey, certificate::KeyFormat};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, RootCertStore,
    ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};

use super::Client;

/// An authority.
pub struct Authority {
    pub der: Vec<u8>,
    params: CertificateParams,
    key: KeyPair,
}

/// A certificate with those that it comes with, and its key.
pub struct Visitor {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

/// What a certificate is like, besides its name.
pub fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    /// A new one.
    pub fn new(name: &str) -> Self {
        Self::made(name, None)
    }

    /// One below this one.
    pub fn below(&self, name: &str) -> Self {
        Self::made(name, Some(self))
    }

    fn made(name: &str, issuer: Option<&Self>) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let made = match issuer {
            Some(issuer) => params.signed_by(&key, &issuer.issuer()),
            None => params.self_signed(&key),
        };
        Self { der: made.expect("a certificate").der().to_vec(), params, key }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    /// A client of this name.
    pub fn client(&self, name: &str) -> Visitor {
        self.issues(named(name))
    }

    /// A client with this certificate.
    pub fn issues(&self, params: CertificateParams) -> Visitor {
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &self.issuer()).expect("a certificate");
        Visitor { chain: vec![made.der().clone()], key }
    }

    /// A list of revoked serial numbers.
    pub fn revokes(&self, serials: &[u64]) -> Vec<u8> {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer()).expect("a list").der().to_vec()
    }
}

impl Visitor {
    /// One that vouches for itself.
    pub fn stranger(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let made = named(name).self_signed(&key).expect("a certificate");
        Self { chain: vec![made.der().clone()], key }
    }

    /// Sends these along.
    pub fn with(mut self, authorities: &[&Authority]) -> Self {
        let others = authorities.iter().map(|one| CertificateDer::from(one.der.clone()));
        self.chain.extend(others);
        self
    }

    /// For the gateway to show it.
    pub fn certificate(&self) -> Arc<Certificate> {
        Arc::new(Certificate {
            id: CertificateId("default/shown".to_owned()),
            chain: self.chain.iter().map(|der| der.to_vec()).collect(),
            key: PrivateKey::new(self.key.serialize_der(), KeyFormat::Pkcs8),
            names: Vec::new(),
        })
    }

    /// Servers that show it. Their clients need a certificate of `clients`, if that is said.
    pub fn server(&self, clients: Option<&Authority>) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der.clone().into()).expect("an authority");
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        Arc::new(builder.with_single_cert(self.chain.clone(), key.into()).expect("a key"))
    }

    /// Shows another's certificate with a key that does not belong to it.
    pub fn pretends_to_be(&self, other: &Self) -> Self {
        let key = KeyPair::try_from(self.key.serialize_der()).expect("a key");
        Self { chain: other.chain.clone(), key }
    }
}

/// How connections are made. Whatever certificate the gateway shows is taken.
#[derive(Clone)]
pub struct Door(pub ClientConfig);

impl Door {
    /// With the certificate of `visitor`, if any.
    pub fn of(visitor: Option<&Visitor>, protocol: &str) -> Self {
        Self::speaking(visitor, protocol, false)
    }

    /// The same in TLS 1.2.
    pub fn old(visitor: Option<&Visitor>) -> Self {
        Self::speaking(visitor, "http/1.1", true)
    }

    fn speaking(visitor: Option<&Visitor>, protocol: &str, old: bool) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = if old { &TLS12 } else { &TLS13 };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[versions])
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider)));
        let mut config = match visitor {
            Some(visitor) => {
                let key = PrivatePkcs8KeyDer::from(visitor.key.serialize_der());
                let resolver = Fixed::new(visitor.chain.clone(), &key);
                builder.with_client_cert_resolver(Arc::new(resolver))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.into()];
        Self(config)
    }

    /// A connection that names a host.
    pub fn connect(&self, address: SocketAddr, host: &str) -> Client {
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let tls = ClientConnection::new(Arc::new(self.0.clone()), name).expect("a client");
        Client::connect(address).encrypted(tls)
    }

    /// A connection that names none.
    pub fn connect_without_name(&self, address: SocketAddr) -> Client {
        let mut door = self.clone();
        door.0.enable_sni = false;
        door.connect(address, "a.test")
    }
}

/// Whether a connection was made of what an earlier one has left.
pub fn is_resumed(client: &Client) -> bool {
    client.handshake_kind() == Some(HandshakeKind::Resumed)
}

/// A certificate that is shown whoever asks, with a key that may be another's.
#[derive(Debug)]
struct Fixed(Arc<rustls::sign::CertifiedKey>);

impl Fixed {
    fn new(chain: Vec<CertificateDer<'static>>, key: &PrivatePkcs8KeyDer<'_>) -> Self {
        let key = aws_lc_rs::sign::any_supported_type(&key.clone_key().into()).expect("a key");
        Self(Arc::new(rustls::sign::CertifiedKey::new(chain, key)))
    }
}

impl rustls::client::ResolvesClientCert for Fixed {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Takes any certificate of a server.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
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
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
