//! The `rustls` configurations of the listeners (configmap-and-flags §8): TLS 1.2 and 1.3, the reference's suites in
//! its order unless the settings or a host say otherwise, no early data.

use std::sync::Arc;

use headgate_config::{HostCiphers, KeyGroup, Settings, TlsSettings, TlsSuite, TlsVersions};
use rustls::{
    ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{self, cipher_suite as suite, kx_group},
    },
    server::{NoServerSessionStorage, ResolvesServerCert},
    version::{TLS12, TLS13},
};

use super::{names::Names, sessions::SessionCache, tickets};

/// Those of TLS 1.3, which no setting changes.
static NEW_SUITES: [SupportedCipherSuite; 3] = [
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS13_AES_128_GCM_SHA256,
];

/// What clients are offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// HTTP/2.
    pub http2: bool,
    /// All about TLS.
    pub tls: TlsSettings,
}

impl Offer {
    /// What the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self { http2: settings.http2, tls: settings.tls.clone() }
    }
}

/// What the configurations of all tables have in common: ticket keys and session cache among others, so that clients
/// can resume their sessions.
pub(super) fn base(settings: &TlsSettings) -> ServerConfig {
    let mut config = bare(settings, &settings.ciphers);
    config.session_storage = match settings.session_cache {
        true => Arc::new(SessionCache::new(settings.session_timeout)),
        false => Arc::new(NoServerSessionStorage {}),
    };
    match tickets::ticketer(settings) {
        Ok(Some(ticketer)) => config.ticketer = ticketer,
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "no session tickets"),
    }
    if !settings.session_cache && !config.ticketer.enabled() {
        config.send_tls13_tickets = 0;
    }
    config.max_fragment_size = settings.record_size;
    config
}

fn bare(settings: &TlsSettings, ciphers: &HostCiphers) -> ServerConfig {
    let library = aws_lc_rs::default_provider();
    let suites = NEW_SUITES.into_iter().chain(ciphers.suites.iter().map(|suite| known(*suite)));
    let groups: Vec<_> = settings.groups.iter().map(|known| group(*known)).collect();
    let provider = CryptoProvider {
        cipher_suites: suites.collect(),
        kx_groups: if groups.is_empty() { library.kx_groups.clone() } else { groups },
        ..library
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions(settings.versions, ciphers))
        .expect("the suites cover these versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Names::default()));
    config.ignore_client_order = ciphers.own_order;
    config
}

/// The versions that can be spoken. Without a suite for 1.2 it is 1.3, which is never weaker than what was asked for.
pub(super) fn versions(
    wanted: TlsVersions,
    ciphers: &HostCiphers,
) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    static OLD: [&SupportedProtocolVersion; 1] = [&TLS12];
    static NEW: [&SupportedProtocolVersion; 1] = [&TLS13];
    match wanted {
        _ if ciphers.suites.is_empty() => &NEW,
        TlsVersions::Both => &BOTH,
        TlsVersions::Tls12 => &OLD,
        TlsVersions::Tls13 => &NEW,
    }
}

/// The configuration of a table.
pub(super) fn of_table(
    base: &ServerConfig,
    certificates: Arc<dyn ResolvesServerCert>,
    http2: bool,
) -> ServerConfig {
    let mut config = base.clone();
    config.cert_resolver = certificates;
    config.alpn_protocols = protocols(http2);
    config
}

/// The same as `plain` with other suites.
pub(super) fn with_ciphers(
    plain: &ServerConfig,
    settings: &TlsSettings,
    ciphers: &HostCiphers,
) -> ServerConfig {
    let mut config = bare(settings, ciphers);
    config.cert_resolver = Arc::clone(&plain.cert_resolver);
    config.alpn_protocols.clone_from(&plain.alpn_protocols);
    config.session_storage = Arc::clone(&plain.session_storage);
    config.ticketer = Arc::clone(&plain.ticketer);
    config.send_tls13_tickets = plain.send_tls13_tickets;
    config.max_fragment_size = plain.max_fragment_size;
    config
}

fn protocols(http2: bool) -> Vec<Vec<u8>> {
    let mut protocols = Vec::new();
    if http2 {
        protocols.push(b"h2".to_vec());
    }
    protocols.push(b"http/1.1".to_vec());
    protocols
}

fn known(suite: TlsSuite) -> SupportedCipherSuite {
    match suite {
        TlsSuite::EcdheEcdsaAes256GcmSha384 => suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TlsSuite::EcdheRsaAes256GcmSha384 => suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        TlsSuite::EcdheEcdsaChacha20Poly1305 => {
            suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        TlsSuite::EcdheRsaChacha20Poly1305 => suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        TlsSuite::EcdheEcdsaAes128GcmSha256 => suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TlsSuite::EcdheRsaAes128GcmSha256 => suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    }
}

fn group(group: KeyGroup) -> &'static dyn SupportedKxGroup {
    match group {
        KeyGroup::X25519 => kx_group::X25519,
        KeyGroup::P256 => kx_group::SECP256R1,
        KeyGroup::P384 => kx_group::SECP384R1,
        KeyGroup::X25519MlKem768 => kx_group::X25519MLKEM768,
        KeyGroup::P256MlKem768 => kx_group::SECP256R1MLKEM768,
    }
}
