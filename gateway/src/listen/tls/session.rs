//! What a TLS handshake has settled, in the words of the reference's log variables.

use std::sync::Arc;

use rustls::{CipherSuite, ProtocolVersion, ServerConnection};

use crate::client_certificate::Identity;

/// The outcome of a handshake (`$ssl_protocol`, `$ssl_cipher`, `$ssl_server_name`).
#[derive(Clone, Debug)]
pub struct Session {
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: &'static str,
    /// The cipher suite as OpenSSL calls it; that of TLS 1.3 has one name everywhere.
    pub cipher: &'static str,
    /// The name that the client asked for, in lower case.
    pub server_name: Option<Box<str>>,
    /// Whether the client was asked for a certificate.
    pub(crate) asked: bool,
    /// The certificate that it has shown.
    pub(crate) client: Option<Arc<Identity>>,
}

impl Session {
    /// The outcome of a handshake that is complete, in which the client was asked for a certificate or not.
    pub fn of(tls: &ServerConnection, asked: bool) -> Self {
        let chain = tls.peer_certificates().filter(|_| asked);
        Self {
            protocol: match tls.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "",
            },
            cipher: tls.negotiated_cipher_suite().map_or("", |suite| cipher_name(suite.suite())),
            server_name: tls.server_name().map(Into::into),
            asked,
            client: chain.and_then(Identity::new).map(Arc::new),
        }
    }
}

fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_that_may_be_negotiated_has_a_name() {
        for suite in &rustls::crypto::aws_lc_rs::default_provider().cipher_suites {
            assert_ne!(cipher_name(suite.suite()), "", "{suite:?}");
        }
    }
}
