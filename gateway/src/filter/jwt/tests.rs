use std::time::Duration;

use headgate_config::protection::{ClaimHeader, KeySource, TokenAlgorithm};
use serde_json::json;

use super::{
    issuer::{Signer, encode, set, unsigned, with_secret},
    *,
};

const NOW: u64 = 1_700_000_000;

pub fn spec() -> TokenAuth {
    TokenAuth {
        keys: KeySource { url: "http://i.test/keys".into(), upstream: None, authorities: vec![] },
        issuer: Some("https://i.test".into()),
        audiences: vec!["shop".into()],
        algorithms: TokenAlgorithm::ALL.to_vec(),
        claim_headers: vec![
            ClaimHeader { claim: "sub".into(), header: "X-User".into() },
            ClaimHeader { claim: "realm.roles".into(), header: "X-Roles".into() },
        ],
        clock_skew: Duration::from_secs(60),
    }
}

fn token(change: impl FnOnce(&mut TokenAuth)) -> Token {
    let mut spec = spec();
    change(&mut spec);
    Token::new(&Arc::new(spec), "a.test", &Arc::default())
}

fn keys(signers: &[(&str, &Signer)]) -> KeySet {
    let all: Vec<_> = signers.iter().map(|(id, signer)| signer.jwk(id)).collect();
    KeySet::parse(set(&all).as_bytes()).unwrap()
}

/// Claims that are fine, with some changed; null removes one.
fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://i.test", "aud": "shop", "sub": "alice", "exp": NOW + 300,
        "realm": { "roles": ["a", "b"] },
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[test]
fn a_token_counts_and_says_who_it_is() {
    let signer = Signer::p256();
    let (token, keys) = (token(|_| {}), keys(&[("1", &signer)]));
    let verified = token.verify(&signer.issue("1", &claims(json!({}))), &keys, 1, NOW).unwrap();
    let overrides = token.overrides(&verified);
    assert_eq!(
        overrides,
        [Override::set("X-User", &b"alice"[..]), Override::set("X-Roles", &b"a,b"[..])]
    );
    let nobody = claims(json!({ "sub": null, "realm": "x" }));
    let verified = token.verify(&signer.issue("1", &nobody), &keys, 1, NOW).unwrap();
    assert_eq!(token.overrides(&verified), []);
}

#[test]
fn tokens_that_do_not_count() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    let (token, keys) = (token(|_| {}), keys(&[("1", &signer)]));
    for (changes, flaw) in [
        (json!({ "exp": NOW - 60 }), Flaw::Expired),
        (json!({ "exp": null }), Flaw::Times),
        (json!({ "nbf": NOW + 61 }), Flaw::Early),
        (json!({ "iat": NOW + 61 }), Flaw::Early),
        (json!({ "iss": "https://j.test" }), Flaw::Issuer),
        (json!({ "iss": null }), Flaw::Issuer),
        (json!({ "aud": "other" }), Flaw::Audience),
        (json!({ "aud": null }), Flaw::Audience),
    ] {
        let text = signer.issue("1", &claims(changes.clone()));
        assert_eq!(token.verify(&text, &keys, 1, NOW), Err(flaw), "{changes}");
        assert_eq!(token.remembered(&text, 1, NOW), None);
    }
    let fine = claims(json!({}));
    for (text, flaw) in [
        (stranger.issue("1", &fine), Flaw::Signature),
        (stranger.issue("2", &fine), Flaw::UnknownKey),
        (signer.token(&json!({ "alg": "ES384", "kid": "1" }), &fine), Flaw::Algorithm),
        (
            signer.token(&json!({ "alg": "ES256", "kid": "1", "crit": ["b64"] }), &fine),
            Flaw::Extension,
        ),
        (format!("{}.", unsigned(&json!({ "alg": "none" }), &fine)), Flaw::Malformed),
        (format!("{}.AAAA", unsigned(&json!({ "alg": "none" }), &fine)), Flaw::Algorithm),
        (
            format!("{}.AAAA", unsigned(&json!({ "alg": "None", "kid": "1" }), &fine)),
            Flaw::Algorithm,
        ),
        // Signed, but no object.
        (signer.issue("1", &json!("alice")), Flaw::Malformed),
        (signer.issue("1", &json!([])), Flaw::Malformed),
        (format!("{}.a.b", signer.issue("1", &fine)), Flaw::Malformed),
    ] {
        assert_eq!(token.verify(&text, &keys, 1, NOW), Err(flaw), "{text}");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519()] {
        let (token, keys) = (token(|_| {}), keys(&[("1", &signer)]));
        let jwk = signer.jwk("1").to_string().into_bytes();
        for secret in signer.public_forms().into_iter().chain([jwk, Vec::new()]) {
            for algorithm in ["HS256", signer.algorithm()] {
                let head = json!({ "alg": algorithm, "kid": "1" });
                let text = with_secret(&secret, &head, &claims(json!({})));
                assert!(token.verify(&text, &keys, 1, NOW).is_err(), "{algorithm}");
            }
        }
    }
}

#[test]
fn a_key_that_the_token_brings_is_not_looked_at() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    let (token, keys) = (token(|_| {}), keys(&[("1", &signer)]));
    for extra in [
        json!({ "jwk": stranger.jwk("1") }),
        json!({ "jku": "http://evil.test/keys" }),
        json!({ "x5u": "http://evil.test/chain", "x5c": ["AAAA"] }),
    ] {
        let mut head = json!({ "alg": "ES256", "kid": "1" });
        head.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let text = stranger.token(&head, &claims(json!({})));
        assert_eq!(token.verify(&text, &keys, 1, NOW), Err(Flaw::Signature), "{extra}");
    }
}

#[test]
fn only_algorithms_of_the_list_count() {
    let (rsa, ec) = (Signer::rsa(), Signer::p256());
    let token = token(|spec| spec.algorithms = vec![TokenAlgorithm::Ps256]);
    let keys = keys(&[("rsa", &rsa), ("ec", &ec)]);
    let by_rsa = |algorithm| {
        let text = rsa.token(&json!({ "alg": algorithm, "kid": "rsa" }), &claims(json!({})));
        token.verify(&text, &keys, 1, NOW).map(drop)
    };
    assert_eq!(by_rsa("PS256"), Ok(()));
    for other in ["RS256", "PS384"] {
        assert_eq!(by_rsa(other), Err(Flaw::Algorithm), "{other}");
    }
    let by_ec = ec.issue("ec", &claims(json!({})));
    assert_eq!(token.verify(&by_ec, &keys, 1, NOW), Err(Flaw::Algorithm));
}

#[test]
fn issuer_and_audience_are_only_checked_where_they_are_named() {
    let signer = Signer::ed25519();
    let keys = keys(&[("1", &signer)]);
    let token = token(|spec| {
        spec.issuer = None;
        spec.audiences.clear();
    });
    for changes in [json!({}), json!({ "iss": null, "aud": null }), json!({ "iss": 1, "aud": 1 })] {
        let text = signer.issue("1", &claims(changes.clone()));
        assert!(token.verify(&text, &keys, 1, NOW).is_ok(), "{changes}");
    }
}

#[test]
fn a_token_is_verified_once_as_long_as_the_keys_are_the_same() {
    let signer = Signer::ed25519();
    let (token, keys) = (token(|_| {}), keys(&[("1", &signer)]));
    let text = signer.issue("1", &claims(json!({})));
    assert_eq!(token.remembered(&text, 1, NOW), None);
    let verified = token.verify(&text, &keys, 1, NOW).unwrap();
    assert_eq!(token.remembered(&text, 1, NOW), Some(verified));
    assert_eq!(token.remembered(&text, 2, NOW), None, "the keys have changed");
    assert!(token.remembered(&text, 1, NOW + 359).is_some());
    assert_eq!(token.remembered(&text, 1, NOW + 360), None, "it has expired");
}

#[test]
fn one_location_does_not_let_pass_what_another_has_remembered() {
    let signer = Signer::ed25519();
    let (shared, keys) = (Arc::default(), keys(&[("1", &signer)]));
    let with = |audience: &str| {
        let spec = TokenAuth { audiences: vec![audience.into()], ..spec() };
        Token::new(&Arc::new(spec), "a.test", &shared)
    };
    let text = signer.issue("1", &claims(json!({})));
    let (shop, admin) = (with("shop"), with("admin"));
    shop.verify(&text, &keys, 1, NOW).unwrap();
    assert!(with("shop").remembered(&text, 1, NOW).is_some(), "of a table before");
    assert_eq!(admin.remembered(&text, 1, NOW), None);
    assert_eq!(admin.verify(&text, &keys, 1, NOW), Err(Flaw::Audience));
}

#[test]
fn clients_are_told_what_is_wrong() {
    let token = token(|_| {});
    let said = |flaw| token.challenge(flaw).to_str().unwrap().to_owned();
    assert_eq!(said(None), "Bearer realm=\"a.test\"");
    assert_eq!(
        said(Some(Flaw::Expired)),
        "Bearer realm=\"a.test\", error=\"invalid_token\", error_description=\"the token has expired\""
    );
    assert!(said(Some(Flaw::Ambiguous)).contains("error=\"invalid_request\""));
    let odd = Token::new(&Arc::new(spec()), "a\"\\b", &Arc::default());
    assert_eq!(odd.challenge(None).to_str().unwrap(), r#"Bearer realm="a\"\\b""#);
    let unsayable = Token::new(&Arc::new(spec()), "a\nb", &Arc::default());
    assert_eq!(unsayable.challenge(None), "Bearer realm=\"\"");
}

#[test]
fn a_cut_token_does_not_count() {
    let signer = Signer::ed25519();
    let (token, keys) = (token(|_| {}), keys(&[("1", &signer)]));
    let text = signer.issue("1", &claims(json!({})));
    for end in 0..text.len() {
        assert!(token.verify(&text[..end], &keys, 1, NOW).is_err(), "{end}");
    }
    // One bit of each character.
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let changed = String::from_utf8(bytes).unwrap();
        assert!(token.verify(&changed, &keys, 1, NOW).is_err(), "{at}");
    }
    assert_eq!(encode(b"").len(), 0);
    assert!(token.verify(&text, &keys, 1, NOW).is_ok());
}
