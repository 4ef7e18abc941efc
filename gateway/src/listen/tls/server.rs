//! The `rustls` configuration of the listeners (configmap-and-flags §8): TLS 1.2 and 1.3, the reference's suites in
//! its order, session tickets, no early data.

use std::sync::Arc;

use rustls::{
    ServerConfig, SupportedCipherSuite,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, Ticketer, cipher_suite as suite},
    },
    version::{TLS12, TLS13},
};

use super::names::Names;

/// In order of preference. The reference's two DHE suites do not exist in `rustls`; they do nothing there either,
/// without a `ssl-dh-param`.
static SUITES: [SupportedCipherSuite; 9] = [
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// What the configurations of all tables have in common: ticket keys and session cache among others, so that clients
/// can resume their sessions.
pub(super) fn base() -> ServerConfig {
    let provider =
        CryptoProvider { cipher_suites: SUITES.to_vec(), ..aws_lc_rs::default_provider() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the suites cover both versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Names::default()));
    config.ignore_client_order = true;
    match Ticketer::new() {
        Ok(ticketer) => config.ticketer = ticketer,
        Err(error) => tracing::warn!(%error, "no session tickets"),
    }
    config
}

/// The configuration of a table.
pub(super) fn of_table(base: &ServerConfig, names: Arc<Names>, http2: bool) -> ServerConfig {
    let mut config = base.clone();
    config.cert_resolver = names;
    config.alpn_protocols = protocols(http2);
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
