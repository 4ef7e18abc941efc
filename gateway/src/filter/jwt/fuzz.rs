//! What the fuzz target of tokens runs, and what has to hold for any bytes. A test runs the same on random bytes, so that it
//! keeps compiling and holding without the fuzzer.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use headgate_config::protection::{ClaimHeader, KeySource, TokenAlgorithm, TokenAuth};
use serde_json::Value;

use super::{Bearer, Token, claims, keys::KeySet};
use crate::{base64, filter::request_headers::is_value};

/// Keys that nobody can sign with any more.
const KEYS: &str = r#"{"keys":[
{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
{"kty":"EC","crv":"P-256","kid":"2","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

static TOKEN: LazyLock<(Token, KeySet)> = LazyLock::new(|| {
    let spec = TokenAuth {
        keys: KeySource { url: String::new(), upstream: None, authorities: Vec::new() },
        issuer: None,
        audiences: Vec::new(),
        algorithms: TokenAlgorithm::ALL.to_vec(),
        claim_headers: vec![ClaimHeader { claim: "a.b".into(), header: "X-A".into() }],
        clock_skew: Duration::from_secs(60),
    };
    let keys = KeySet::parse(KEYS.as_bytes()).expect("it is a set");
    (Token::new(&Arc::new(spec), "a.test", &Arc::default()), keys)
});

/// The value of a header, the claims of a token, or a set of keys.
pub fn jwt(data: &[u8]) {
    let (token, keys) = &*TOKEN;
    assert_eq!(keys.count(), 2);
    if let Bearer::Token(text) = Bearer::read([data].into_iter()) {
        assert!(!text.is_empty() && text.len() < data.len());
        // Nobody here can sign.
        let outcome = token.verify(text, keys, 1, 1_700_000_000);
        let flaw = outcome.expect_err("a token without a signature counts");
        assert!(token.challenge(Some(flaw)).to_str().is_ok());
    }
    if let Ok(set) = KeySet::parse(data) {
        assert!(set.count() + set.skipped() <= 100);
        assert_eq!(KeySet::parse(data).as_ref(), Ok(&set));
    }
    if let Ok(Value::Object(claims)) = serde_json::from_slice(data) {
        let until = claims::check(&claims, &spec_for_any(), 1_700_000_000);
        assert!(until.is_err() || claims.contains_key("exp"));
        for name in claims.keys().map(String::as_str).chain(["a.b", "a", ""]) {
            let Some(value) = claims::header(&claims, name) else { continue };
            assert!(is_value(&value) && !value.is_empty() && value.trim_ascii() == &*value);
        }
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(bytes) = base64::decode_url(text)
    {
        assert_eq!(bytes.len(), text.len() * 3 / 4);
    }
}

fn spec_for_any() -> TokenAuth {
    TokenAuth {
        keys: KeySource { url: String::new(), upstream: None, authorities: Vec::new() },
        issuer: None,
        audiences: Vec::new(),
        algorithms: Vec::new(),
        claim_headers: Vec::new(),
        clock_skew: Duration::from_secs(60),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::issuer::encode;

    /// Heads, claims and sets of pieces that mean something, and a little noise.
    fn inputs() -> impl Strategy<Value = Vec<u8>> {
        let json = prop::sample::select(vec![
            r#"{"alg":"EdDSA","kid":"1"}"#,
            r#"{"alg":"ES256","kid":"2"}"#,
            r#"{"alg":"ES256"}"#,
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256","kid":"1"}"#,
            r#"{"exp":1700000100,"a":{"b":["x","y"]}}"#,
            r#"{"exp":1700000100,"a":{"b":" \u0000"},"a.b":"\n"}"#,
            r#"{"exp":-1,"nbf":1e400}"#,
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
            r#"{"keys":[{"kty":"RSA","n":"AAAA","e":"AQAB"},{"kty":"EC"},1]}"#,
        ]);
        let signature = prop::sample::select(vec![vec![], vec![0; 64], vec![0xff; 64], vec![1; 3]]);
        let token =
            (json.clone(), json.clone(), signature).prop_map(|(head, claims, signature)| {
                let parts = [head.as_bytes(), claims.as_bytes(), &*signature].map(encode);
                format!("Bearer {}", parts.join("."))
            });
        let noise = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
        (prop_oneof![token, json.prop_map(str::to_owned)], noise).prop_map(|(text, noise)| {
            let mut data = text.into_bytes();
            if let Some((at, byte)) = noise {
                let at = at.index(data.len());
                data[at] = byte;
            }
            data
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn the_fuzz_target_holds_for_random_input(data in inputs()) {
            super::jwt(&data);
        }

        #[test]
        fn the_fuzz_target_holds_for_random_bytes(data in prop::collection::vec(any::<u8>(), 0..200)) {
            super::jwt(&data);
        }
    }
}
