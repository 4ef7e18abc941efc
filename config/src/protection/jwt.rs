//! Tokens that clients bring from somewhere else (RFC 7519, RFC 6750).

use std::{fmt, str::FromStr, time::Duration};

use serde::{Serialize, Serializer};

use crate::UpstreamId;

/// A token is asked for, signed by one of the keys that an issuer publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenAuth {
    /// Where the keys are.
    pub keys: KeySource,
    /// What `iss` has to be; none is anything (`jwt-issuer`).
    pub issuer: Option<String>,
    /// What `aud` has to name one of; empty is anything (`jwt-audience`).
    pub audiences: Vec<String>,
    /// How tokens may be signed; sorted, each once (`jwt-algorithms`).
    pub algorithms: Vec<TokenAlgorithm>,
    /// Claims that the upstream gets as headers (`jwt-claims-to-headers`). No header is named twice.
    pub claim_headers: Vec<ClaimHeader>,
    /// How far the clock of the issuer may be off (`jwt-clock-skew`).
    pub clock_skew: Duration,
}

/// Where the keys of an issuer are published, as a JWK set (RFC 7517). Locations with equal ones share the keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct KeySource {
    /// URL, without variables (`jwt-jwks-url`).
    pub url: String,
    /// The endpoints of its host, where that is not a name to be resolved. The snapshot holds an upstream of this id.
    pub upstream: Option<UpstreamId>,
    /// Whose signature the certificate of an `https` URL has to bear, each in DER; empty are the authorities that
    /// everybody trusts (`jwt-ca-secret`).
    #[serde(serialize_with = "count")]
    pub authorities: Vec<Vec<u8>>,
}

/// A header made of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimHeader {
    /// The claim: its name, or the names on the way to it with dots between them.
    pub claim: String,
    /// The header.
    pub header: String,
}

/// A signature with a key of which only half is published. There are no others here: with a shared secret whoever can
/// verify can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TokenAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// … with SHA-384.
    Rs384,
    /// … with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// … with SHA-384.
    Ps384,
    /// … with SHA-512.
    Ps512,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl TokenAlgorithm {
    /// All of them, sorted.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// Its name in tokens and keys (RFC 7518 §3.1, RFC 8037 §3.1).
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TokenAlgorithm {
    type Err = ();

    /// The algorithm of this name, which has to be written exactly so.
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or(())
    }
}

fn count<S: Serializer>(authorities: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{} certificates", authorities.len()))
}
