//! The public keys of an issuer (RFC 7517, RFC 7518 §6, RFC 8037), and signatures that they verify.

use std::str::FromStr;

use headgate_config::protection::TokenAlgorithm::{self, *};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Map, Value};

use super::{
    Flaw,
    parts::{Head, Parts},
};
use crate::base64;

/// A set with more keys is none.
const MOST_KEYS: usize = 100;
/// Keys of one name that are tried for a token.
const MOST_TRIED: usize = 8;
/// A token that names no key may have two to be tried with, the old one and the new: each costs time, whoever sends it.
const MOST_UNNAMED: usize = 2;
/// An RSA key of fewer bytes is too weak (RFC 7518 §3.3), one of more too slow.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of an issuer that tokens may be signed with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
}

struct Key {
    id: Option<String>,
    /// What it may verify.
    algorithms: &'static [TokenAlgorithm],
    /// The only one of them, where the key says so.
    only: Option<TokenAlgorithm>,
    /// What it consists of, to be compared.
    material: Vec<Vec<u8>>,
    key: DecodingKey,
}

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// It is no JSON object with an array `keys`.
    #[error("it is no JWK set")]
    Malformed,
    /// There are too many.
    #[error("it has more than 100 keys")]
    TooMany,
}

impl KeySet {
    /// Reads a JWK set. Keys that are of no use here are left out: a set may hold some for other purposes, or of kinds
    /// that are not known yet.
    pub fn parse(json: &[u8]) -> Result<Self, SetError> {
        let set: Value = serde_json::from_slice(json).map_err(|_| SetError::Malformed)?;
        let all = set.get("keys").and_then(Value::as_array).ok_or(SetError::Malformed)?;
        if all.len() > MOST_KEYS {
            return Err(SetError::TooMany);
        }
        let keys: Vec<Key> = all.iter().filter_map(|key| Key::read(key.as_object()?)).collect();
        Ok(Self { skipped: all.len() - keys.len(), keys })
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// How many were left out.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Verifies the signature of a token with the key that it names, or with those that fit if it names none: where more than
    /// two do, none is known to be meant.
    pub fn verify(&self, head: &Head, parts: &Parts<'_>) -> Result<(), Flaw> {
        let named = self.keys.iter().filter(|key| head.key_id.is_none() || key.id == head.key_id);
        if named.clone().next().is_none() {
            return Err(Flaw::UnknownKey);
        }
        let fitting = named.filter(|key| key.fits(head.algorithm));
        match (&head.key_id, fitting.clone().count()) {
            (Some(_), 0) => return Err(Flaw::Algorithm),
            (None, count) if count > MOST_UNNAMED => return Err(Flaw::UnknownKey),
            _ => {}
        }
        let mut tried = fitting.take(MOST_TRIED);
        if tried.any(|key| key.has_signed(head.algorithm, parts)) {
            Ok(())
        } else if head.key_id.is_some() {
            Err(Flaw::Signature)
        } else {
            // Nobody can tell a wrong signature from one with a new key.
            Err(Flaw::UnknownKey)
        }
    }
}

impl Key {
    /// A key that signatures can be verified with; none if this is another.
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).map(|value| value.as_str().ok_or(()));
        let optional = |name: &str| text(name).transpose().ok();
        let bytes = |name: &str| base64::decode_url(jwk.get(name)?.as_str()?);
        // Whoever publishes this as well lets everybody sign.
        if jwk.contains_key("d") || jwk.contains_key("k") {
            return None;
        }
        if optional("use")?.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let verifies = |operations: &Value| {
            operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"))
        };
        if !jwk.get("key_ops").is_none_or(verifies) {
            return None;
        }
        let only = optional("alg")?.map(TokenAlgorithm::from_str).transpose().ok()?;
        let (algorithms, material, key): (&'static [_], _, _) =
            match (text("kty")?.ok()?, optional("crv")?) {
                ("RSA", _) => {
                    let (n, e) = (bytes("n")?, bytes("e")?);
                    let first = n.iter().position(|byte| *byte != 0)?;
                    let is_fit = RSA_BYTES.contains(&(n.len() - first)) && e.len() <= 8;
                    let key = is_fit.then(|| DecodingKey::from_rsa_raw_components(&n[first..], &e));
                    (&[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512], vec![n, e], key?)
                }
                ("EC", Some(curve)) => {
                    let (length, algorithms): (_, &[_]) = match curve {
                        "P-256" => (32, &[Es256]),
                        "P-384" => (48, &[Es384]),
                        _ => return None,
                    };
                    let (x, y) = (bytes("x")?, bytes("y")?);
                    let is_fit = x.len() == length && y.len() == length;
                    let point = [&[4], &*x, &*y].concat();
                    let key = is_fit.then(|| DecodingKey::from_ec_der(&point));
                    (algorithms, vec![x, y], key?)
                }
                ("OKP", Some("Ed25519")) => {
                    let x = bytes("x")?;
                    let key = (x.len() == 32).then(|| DecodingKey::from_ed_der(&x));
                    (&[EdDsa], vec![x], key?)
                }
                _ => return None,
            };
        if only.is_some_and(|only| !algorithms.contains(&only)) {
            return None;
        }
        let id = optional("kid")?.map(str::to_owned);
        Some(Self { id, algorithms, only, material, key })
    }

    fn fits(&self, algorithm: TokenAlgorithm) -> bool {
        self.algorithms.contains(&algorithm) && self.only.is_none_or(|only| only == algorithm)
    }

    fn has_signed(&self, algorithm: TokenAlgorithm, parts: &Parts<'_>) -> bool {
        let algorithm = library_name(algorithm);
        let Parts { signed, signature, .. } = *parts;
        crypto::verify(signature, signed.as_bytes(), &self.key, algorithm).unwrap_or(false)
    }
}

fn library_name(algorithm: TokenAlgorithm) -> Algorithm {
    match algorithm {
        Rs256 => Algorithm::RS256,
        Rs384 => Algorithm::RS384,
        Rs512 => Algorithm::RS512,
        Ps256 => Algorithm::PS256,
        Ps384 => Algorithm::PS384,
        Ps512 => Algorithm::PS512,
        Es256 => Algorithm::ES256,
        Es384 => Algorithm::ES384,
        EdDsa => Algorithm::EdDSA,
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let of = |key: &Self| (key.id.clone(), key.algorithms, key.only);
        of(self) == of(other) && self.material == other.material
    }
}

impl Eq for Key {}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("algorithms", &self.algorithms).finish()
    }
}

#[cfg(test)]
mod tests;
