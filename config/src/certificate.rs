//! Certificates and which name is served with which of them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// Identity of a certificate: the Secret that holds it, as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CertificateId(pub String);

/// A certificate chain with its key. The control plane has checked that both parse and belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Identity.
    pub id: CertificateId,
    /// The chain, leaf first, each in DER.
    #[serde(serialize_with = "chain_length")]
    pub chain: Vec<Vec<u8>>,
    /// The leaf's key.
    pub key: PrivateKey,
    /// Lower-case DNS names of the leaf (subjectAltName, or the common name where there is none).
    pub names: Vec<String>,
}

/// A private key in DER (PKCS#8, PKCS#1 or SEC1). Neither `Debug` nor serialisation show any of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    der: Vec<u8>,
    format: KeyFormat,
}

/// Encoding of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFormat {
    /// PKCS#8, RFC 5958.
    Pkcs8,
    /// PKCS#1, RFC 8017 (RSA).
    Pkcs1,
    /// SEC1, RFC 5915 (elliptic curves).
    Sec1,
}

impl PrivateKey {
    /// Wraps DER bytes.
    pub fn new(der: Vec<u8>, format: KeyFormat) -> Self {
        Self { der, format }
    }

    /// The DER bytes, for the TLS library only.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The encoding of [`Self::der`].
    pub fn format(&self) -> KeyFormat {
        self.format
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(hidden)")
    }
}

impl Serialize for PrivateKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("hidden")
    }
}

/// Which certificate answers which server name (routing §8.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TlsTable {
    /// Lower-case names, `*.` + parent for wildcards. `None` is the default certificate: such a name still "has a
    /// certificate" for the HTTPS redirect (routing §8.1).
    pub names: BTreeMap<String, Option<CertificateId>>,
    /// The default certificate; `None` is the gateway's self-signed one.
    pub default: Option<CertificateId>,
    /// All certificates that `names` and `default` mention.
    pub certificates: BTreeMap<CertificateId, Arc<Certificate>>,
}

fn chain_length<S: Serializer>(chain: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{} certificates", chain.len()))
}
