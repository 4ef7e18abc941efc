//! The three parts of a token (RFC 7515 §7.1), and what its head says.

use std::str::FromStr;

use headgate_config::protection::TokenAlgorithm;
use serde_json::{Map, Value};

use super::Flaw;
use crate::base64;

/// A token, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// What is signed: the first two parts with the dot between them.
    pub signed: &'a str,
    /// The signature, encoded.
    pub signature: &'a str,
    head: &'a str,
    payload: &'a str,
}

/// What the head of a token says about its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How it is signed.
    pub algorithm: TokenAlgorithm,
    /// With which key, if it says so.
    pub key_id: Option<String>,
}

impl<'a> Parts<'a> {
    /// Takes a token apart. Encrypted ones have five parts.
    pub fn split(token: &'a str) -> Result<Self, Flaw> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Flaw::Malformed)?;
        let (head, payload) = signed.split_once('.').ok_or(Flaw::Malformed)?;
        let parts = [head, payload, signature];
        if payload.contains('.') || parts.iter().any(|part| part.is_empty()) {
            return Err(Flaw::Malformed);
        }
        Ok(Self { signed, signature, head, payload })
    }

    /// Reads the head.
    pub fn head(&self) -> Result<Head, Flaw> {
        let head = object(self.head)?;
        // None is known here, so that all that are critical are unknown; with `b64` the signed bytes would be others
        // (RFC 7797).
        if head.contains_key("crit") || head.contains_key("b64") {
            return Err(Flaw::Extension);
        }
        let algorithm = head.get("alg").and_then(Value::as_str).ok_or(Flaw::Malformed)?;
        let key_id = match head.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Flaw::Malformed),
        };
        let algorithm = TokenAlgorithm::from_str(algorithm).map_err(|()| Flaw::Algorithm)?;
        Ok(Head { algorithm, key_id })
    }

    /// Reads the claims. Only for tokens whose signature is right.
    pub fn claims(&self) -> Result<Map<String, Value>, Flaw> {
        object(self.payload)
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Flaw> {
    let json = base64::decode_url(part).ok_or(Flaw::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Flaw::Malformed)
}

#[cfg(test)]
mod tests {
    use super::{super::issuer::encode, *};

    #[test]
    fn a_token_has_three_parts() {
        let parts = Parts::split("a.b.c").unwrap();
        assert_eq!((parts.signed, parts.signature), ("a.b", "c"));
        for token in ["", "a", "a.b", "a.b.", ".b.c", "a..c", "..", "a.b.c.d", "a.b.c.d.e"] {
            assert_eq!(Parts::split(token).err(), Some(Flaw::Malformed), "{token}");
        }
    }

    fn head(json: &str) -> Result<Head, Flaw> {
        let token = format!("{}.b.c", encode(json.as_bytes()));
        Parts::split(&token)?.head()
    }

    #[test]
    fn the_head_names_a_key_and_an_algorithm() {
        let algorithm = TokenAlgorithm::Es256;
        assert_eq!(head(r#"{"alg":"ES256"}"#), Ok(Head { algorithm, key_id: None }));
        let with_more = r#"{"typ":"at+jwt","jku":"https://x/","alg":"ES256","kid":"1"}"#;
        assert_eq!(head(with_more), Ok(Head { algorithm, key_id: Some("1".into()) }));
    }

    #[test]
    fn heads_that_are_refused() {
        for (json, flaw) in [
            (r#"{"alg":"none"}"#, Flaw::Algorithm),
            (r#"{"alg":"NONE"}"#, Flaw::Algorithm),
            (r#"{"alg":""}"#, Flaw::Algorithm),
            (r#"{"alg":"HS256"}"#, Flaw::Algorithm),
            (r#"{"alg":"HS512"}"#, Flaw::Algorithm),
            (r#"{"alg":"ES256K"}"#, Flaw::Algorithm),
            (r#"{"alg":"es256"}"#, Flaw::Algorithm),
            (r#"{"alg":"ES256","crit":["exp"]}"#, Flaw::Extension),
            (r#"{"alg":"ES256","crit":[]}"#, Flaw::Extension),
            (r#"{"alg":"ES256","crit":null}"#, Flaw::Extension),
            (r#"{"alg":"ES256","b64":false}"#, Flaw::Extension),
            (r#"{"alg":"ES256","kid":1}"#, Flaw::Malformed),
            (r#"{"alg":"ES256","kid":null}"#, Flaw::Malformed),
            (r#"{"alg":["ES256"]}"#, Flaw::Malformed),
            (r#"{"kid":"1"}"#, Flaw::Malformed),
            (r#"["ES256"]"#, Flaw::Malformed),
            ("ES256", Flaw::Malformed),
            ("", Flaw::Malformed),
            (&"[".repeat(10_000), Flaw::Malformed),
        ] {
            assert_eq!(head(json), Err(flaw), "{json:.60}");
        }
    }
}
