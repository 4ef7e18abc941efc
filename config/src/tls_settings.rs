//! How TLS is spoken with clients, for all hosts and for single ones.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, Serializer};

/// How TLS is spoken with clients. The defaults are the reference's (configmap-and-flags §8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TlsSettings {
    /// The versions that are offered (`ssl-protocols`).
    pub versions: TlsVersions,
    /// The suites of hosts that do not say anything else.
    pub ciphers: HostCiphers,
    /// Groups of the key exchange in order of preference; empty are the TLS library's (`ssl-ecdh-curve`).
    pub groups: Vec<KeyGroup>,
    /// Remember sessions, so that clients can resume them (`ssl-session-cache`).
    pub session_cache: bool,
    /// Give clients tickets to resume their sessions with (`ssl-session-tickets`).
    pub tickets: bool,
    /// What tickets are encrypted with, if that is shared with others (`ssl-session-ticket-key`).
    pub ticket_key: Option<TicketKey>,
    /// How long sessions can be resumed (`ssl-session-timeout`).
    pub session_timeout: Duration,
    /// The largest record that is sent, in bytes; `None` is the largest there is (`ssl-buffer-size`).
    pub record_size: Option<usize>,
    /// End handshakes without a server name, or with one that no host has (`ssl-reject-handshake`).
    pub rejects_unknown_names: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            versions: TlsVersions::Both,
            ciphers: HostCiphers::default(),
            groups: Vec::new(),
            session_cache: true,
            tickets: false,
            ticket_key: None,
            session_timeout: Duration::from_secs(600),
            record_size: None,
            rejects_unknown_names: false,
        }
    }
}

/// The versions of TLS that are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2 only.
    Tls12,
    /// 1.3 only.
    Tls13,
}

/// The suites of TLS 1.2 that a host offers. Those of TLS 1.3 are always all there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HostCiphers {
    /// In order of preference; without any there is no TLS 1.2 (`ssl-ciphers`).
    pub suites: Arc<[TlsSuite]>,
    /// Our order counts, not that of the client (`ssl-prefer-server-ciphers`).
    pub own_order: bool,
}

impl Default for HostCiphers {
    fn default() -> Self {
        Self { suites: TlsSuite::REFERENCE.into(), own_order: true }
    }
}

/// A suite of TLS 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsSuite {
    /// `ECDHE-ECDSA-AES256-GCM-SHA384`.
    EcdheEcdsaAes256GcmSha384,
    /// `ECDHE-RSA-AES256-GCM-SHA384`.
    EcdheRsaAes256GcmSha384,
    /// `ECDHE-ECDSA-CHACHA20-POLY1305`.
    EcdheEcdsaChacha20Poly1305,
    /// `ECDHE-RSA-CHACHA20-POLY1305`.
    EcdheRsaChacha20Poly1305,
    /// `ECDHE-ECDSA-AES128-GCM-SHA256`.
    EcdheEcdsaAes128GcmSha256,
    /// `ECDHE-RSA-AES128-GCM-SHA256`.
    EcdheRsaAes128GcmSha256,
}

impl TlsSuite {
    /// All there are, in the order of OpenSSL.
    pub const ALL: [Self; 6] = [
        Self::EcdheEcdsaAes256GcmSha384,
        Self::EcdheRsaAes256GcmSha384,
        Self::EcdheEcdsaChacha20Poly1305,
        Self::EcdheRsaChacha20Poly1305,
        Self::EcdheEcdsaAes128GcmSha256,
        Self::EcdheRsaAes128GcmSha256,
    ];
    /// Those of the reference's default list, in its order. Its two others, with DHE, do nothing there without parameters.
    pub const REFERENCE: [Self; 6] = [
        Self::EcdheEcdsaAes128GcmSha256,
        Self::EcdheRsaAes128GcmSha256,
        Self::EcdheEcdsaAes256GcmSha384,
        Self::EcdheRsaAes256GcmSha384,
        Self::EcdheEcdsaChacha20Poly1305,
        Self::EcdheRsaChacha20Poly1305,
    ];
}

/// A group of the key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyGroup {
    /// X25519.
    X25519,
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// X25519 and ML-KEM 768 together.
    X25519MlKem768,
    /// NIST P-256 and ML-KEM 768 together.
    P256MlKem768,
}

/// What tickets are encrypted with. Neither `Debug` nor serialisation show any of it.
#[derive(Clone, PartialEq, Eq)]
pub struct TicketKey(Arc<[u8]>);

impl TicketKey {
    /// Wraps the secret bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The secret bytes, for the TLS library only.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(hidden)")
    }
}

impl Serialize for TicketKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("hidden")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_key_is_not_shown() {
        let settings =
            TlsSettings { ticket_key: Some(TicketKey::new(b"secret")), ..TlsSettings::default() };
        assert!(format!("{settings:?}").contains("TicketKey(hidden)"));
    }
}
