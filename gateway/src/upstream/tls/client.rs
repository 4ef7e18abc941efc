//! What `proxy-ssl-*` come to: how connections to upstreams are encrypted (annotations §3.14). Made once for all locations
//! that say the same, so that they share connections, and kept while one of them does.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::BuildHasher,
    sync::{Arc, Weak},
};

use foldhash::fast::RandomState;
use headgate_config::{Certificate, TlsSuite, TlsVersions, UpstreamTls};
use parking_lot::Mutex;
use rustls::{
    ClientConfig, ProtocolVersion, SignatureScheme, SupportedCipherSuite,
    client::{ResolvesClientCert, danger::ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use rustls_pki_types::ServerName;

use super::{AnyCertificate, server_name, servers::Servers};
use crate::{filter::variables::Variables, listen::tls::certified};

/// The name of an upstream that none is given for: no certificate has it (annotations §3.14).
const NO_NAME: &str = "upstream_balancer";

/// How connections of a location are encrypted.
#[derive(Clone)]
pub struct LiveTls {
    config: Arc<ClientConfig>,
    name: Name,
}

/// The name of an upstream.
#[derive(Clone)]
enum Name {
    /// It does not matter: it is neither sent nor verified.
    Any,
    /// Always this.
    Fixed(ServerName<'static>),
    /// With variables.
    Text(Box<str>),
}

/// How the connections of one request are encrypted.
#[derive(Clone)]
pub struct Encryption<'a> {
    /// All but the name. Connections with the same one are the same.
    pub config: &'a Arc<ClientConfig>,
    /// The name, if it matters; an error if there can be no such server.
    pub name: Result<Option<Cow<'a, ServerName<'static>>>, ()>,
}

impl LiveTls {
    /// For one request.
    pub fn of<'a>(&'a self, variables: &Variables<'_>) -> Encryption<'a> {
        let name = match &self.name {
            Name::Any => Ok(None),
            Name::Fixed(name) => Ok(Some(Cow::Borrowed(name))),
            Name::Text(text) => {
                let name = String::from_utf8(variables.expand(text)).ok();
                let name = name.and_then(|name| server_name(without_port(&name)));
                name.map(|name| Some(Cow::Owned(name))).ok_or(())
            }
        };
        Encryption { config: &self.config, name }
    }
}

/// All of them that a table has.
#[derive(Default)]
pub struct TlsClients {
    hasher: RandomState,
    /// By a hash of what they were made of. Where two have the same, only the later one is shared.
    known: Mutex<HashMap<u64, Known>>,
}

struct Known {
    spec: Arc<UpstreamTls>,
    config: Weak<ClientConfig>,
}

impl TlsClients {
    /// What connections are made with; `http2` for those that speak it.
    ///
    /// # Errors
    ///
    /// What cannot be used.
    pub fn find(&self, spec: &Arc<UpstreamTls>, http2: bool) -> Result<LiveTls, String> {
        let name = match &spec.name {
            _ if spec.verify.is_none() && !spec.send_name => Name::Any,
            Some(text) if text.contains('$') => Name::Text(text.as_str().into()),
            text => {
                let text = text.as_deref().unwrap_or(NO_NAME);
                let name = server_name(without_port(text));
                Name::Fixed(name.ok_or_else(|| format!("{text:?} is no name of a server"))?)
            }
        };
        Ok(LiveTls { config: self.config(spec, http2)?, name })
    }

    fn config(&self, spec: &Arc<UpstreamTls>, http2: bool) -> Result<Arc<ClientConfig>, String> {
        let authorities = spec.verify.as_ref().map(|verify| &verify.authorities.certificates);
        let certificate = spec.certificate.as_ref().map(|certificate| &certificate.chain);
        let hash = self.hasher.hash_one((authorities, certificate, &spec.name, http2));
        let mut known = self.known.lock();
        let found = known.get(&hash).filter(|known| known.spec == *spec);
        if let Some(config) = found.and_then(|known| known.config.upgrade()) {
            return Ok(config);
        }
        let config = Arc::new(configure(spec, http2)?);
        if known.len() == known.capacity() {
            known.retain(|_, known| known.config.strong_count() > 0);
        }
        known.insert(hash, Known { spec: Arc::clone(spec), config: Arc::downgrade(&config) });
        Ok(config)
    }
}

fn configure(spec: &UpstreamTls, http2: bool) -> Result<ClientConfig, String> {
    let versions: &[_] = match spec.versions {
        TlsVersions::Tls12 => &[&TLS12],
        TlsVersions::Tls13 => &[&TLS13],
        TlsVersions::Both => &[&TLS13, &TLS12],
    };
    let verifier: Arc<dyn ServerCertVerifier> = match &spec.verify {
        Some(verify) => Servers::new(verify)?,
        None => Arc::new(AnyCertificate::new()),
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider(spec)))
        .with_protocol_versions(versions)
        .map_err(|error| format!("nothing can be spoken: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &spec.certificate {
        Some(certificate) => builder.with_client_cert_resolver(Shown::new(certificate)?),
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = spec.send_name;
    if http2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(config)
}

/// The suites that may be spoken. Those of TLS 1.3 are not chosen from.
fn provider(spec: &UpstreamTls) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(suites) = &spec.suites {
        let is_new =
            |suite: &SupportedCipherSuite| suite.version().version == ProtocolVersion::TLSv1_3;
        let chosen = suites.iter().map(|suite| supported(*suite));
        provider.cipher_suites =
            provider.cipher_suites.into_iter().filter(is_new).chain(chosen).collect();
    }
    provider
}

fn supported(suite: TlsSuite) -> SupportedCipherSuite {
    use aws_lc_rs::cipher_suite as suites;
    match suite {
        TlsSuite::EcdheEcdsaAes256GcmSha384 => suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TlsSuite::EcdheRsaAes256GcmSha384 => suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TlsSuite::EcdheEcdsaChacha20Poly1305 => {
            suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        TlsSuite::EcdheRsaChacha20Poly1305 => suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        TlsSuite::EcdheEcdsaAes128GcmSha256 => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TlsSuite::EcdheRsaAes128GcmSha256 => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    }
}

/// The certificate that is shown to every upstream that asks for one.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl Shown {
    fn new(certificate: &Certificate) -> Result<Arc<Self>, String> {
        certified(certificate).map(|key| Arc::new(Self(key)))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A name may be a host with a port, whose port does not count.
fn without_port(name: &str) -> &str {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.rsplit_once(':') {
        Some((host, port)) if is_port(port) && (!host.contains(':') || host.ends_with(']')) => host,
        _ => name,
    }
}
