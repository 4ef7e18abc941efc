use serde_json::json;

use super::{
    super::issuer::{Signer, encode, set},
    *,
};

fn parsed(keys: &[Value]) -> KeySet {
    KeySet::parse(set(keys).as_bytes()).unwrap()
}

fn verified(keys: &KeySet, token: &str) -> Result<(), Flaw> {
    let parts = Parts::split(token)?;
    keys.verify(&parts.head()?, &parts)
}

fn claims() -> Value {
    json!({ "sub": "alice" })
}

#[test]
fn every_algorithm_verifies_with_its_key_and_with_no_other() {
    let (rsa, p256, p384, ed) = (Signer::rsa(), Signer::p256(), Signer::p384(), Signer::ed25519());
    let keys = parsed(&[rsa.jwk("rsa"), p256.jwk("p256"), p384.jwk("p384"), ed.jwk("ed")]);
    for (signer, id, algorithms) in [
        (&rsa, "rsa", &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..]),
        (&p256, "p256", &["ES256"]),
        (&p384, "p384", &["ES384"]),
        (&ed, "ed", &["EdDSA"]),
    ] {
        for algorithm in TokenAlgorithm::ALL.map(TokenAlgorithm::name) {
            let fits = algorithms.contains(&algorithm);
            let token = signer.token(&json!({ "alg": algorithm, "kid": id }), &claims());
            let expected = if fits { Ok(()) } else { Err(Flaw::Algorithm) };
            assert_eq!(verified(&keys, &token), expected, "{algorithm} by {id}");
            let unnamed = signer.token(&json!({ "alg": algorithm }), &claims());
            let expected = if fits { Ok(()) } else { Err(Flaw::UnknownKey) };
            assert_eq!(verified(&keys, &unnamed), expected, "{algorithm} by {id}, unnamed");
        }
    }
}

#[test]
fn what_was_signed_is_all_of_it() {
    let signer = Signer::p256();
    let keys = parsed(&[signer.jwk("1")]);
    let token = signer.issue("1", &claims());
    assert_eq!(verified(&keys, &token), Ok(()));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let forged = format!("{head}.{}.{signature}", encode(br#"{"sub":"root"}"#));
    assert_eq!(verified(&keys, &forged), Err(Flaw::Signature));
    for end in 1..signature.len() {
        let cut = format!("{signed}.{}", &signature[..end]);
        assert_eq!(verified(&keys, &cut), Err(Flaw::Signature), "{end}");
    }
    assert_eq!(verified(&keys, &format!("{token}A")), Err(Flaw::Signature));
    let zeros = format!("{signed}.{}", encode(&[0; 64]));
    assert_eq!(verified(&keys, &zeros), Err(Flaw::Signature), "r and s are zero");
}

#[test]
fn the_named_key_counts_and_no_other() {
    let (one, two) = (Signer::p256(), Signer::p256());
    let keys = parsed(&[one.jwk("1"), two.jwk("2")]);
    assert_eq!(verified(&keys, &one.issue("2", &claims())), Err(Flaw::Signature));
    assert_eq!(verified(&keys, &one.issue("3", &claims())), Err(Flaw::UnknownKey));
    assert_eq!(verified(&keys, &one.issue("", &claims())), Err(Flaw::UnknownKey));
    assert_eq!(
        verified(&keys, &Signer::p256().token(&json!({ "alg": "ES256" }), &claims())),
        Err(Flaw::UnknownKey)
    );
}

#[test]
fn keys_may_share_a_name() {
    let (one, two, rsa) = (Signer::p256(), Signer::p256(), Signer::rsa());
    let keys = parsed(&[rsa.jwk("k"), one.jwk("k"), two.jwk("k")]);
    for signer in [&one, &two, &rsa] {
        assert_eq!(verified(&keys, &signer.issue("k", &claims())), Ok(()));
    }
    assert_eq!(verified(&keys, &Signer::p256().issue("k", &claims())), Err(Flaw::Signature));
}

#[test]
fn few_keys_are_tried_for_one_token() {
    let signers: Vec<_> = (0..MOST_TRIED + 1).map(|_| Signer::ed25519()).collect();
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk("k")).collect();
    let keys = parsed(&keys);
    assert_eq!(verified(&keys, &signers[MOST_TRIED - 1].issue("k", &claims())), Ok(()));
    let last = signers[MOST_TRIED].issue("k", &claims());
    assert_eq!(verified(&keys, &last), Err(Flaw::Signature));
}

#[test]
fn a_token_that_names_no_key_is_known_where_two_at_most_fit() {
    let (old, new, third, rsa) = (Signer::p256(), Signer::p256(), Signer::p256(), Signer::rsa());
    let unnamed = |signer: &Signer| signer.token(&json!({ "alg": "ES256" }), &claims());
    let two = parsed(&[rsa.jwk("r"), old.jwk("1"), new.jwk("2"), Signer::rsa().jwk("s")]);
    for signer in [&old, &new] {
        assert_eq!(verified(&two, &unnamed(signer)), Ok(()));
    }
    assert_eq!(verified(&two, &unnamed(&third)), Err(Flaw::UnknownKey));
    let three = parsed(&[old.jwk("1"), new.jwk("2"), third.jwk("3")]);
    for signer in [&old, &new, &third] {
        assert_eq!(verified(&three, &unnamed(signer)), Err(Flaw::UnknownKey), "none is tried");
    }
    assert_eq!(verified(&three, &third.issue("3", &claims())), Ok(()), "it is named");
}

/// The key with some members changed; null removes one.
fn changed(key: &Value, changes: &Value) -> Value {
    let mut key = key.clone();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(key.as_object_mut().unwrap().remove(name)),
            value => key[name] = value.clone(),
        }
    }
    key
}

#[test]
fn what_a_key_is_for_is_honoured() {
    let signer = Signer::p256();
    let key = signer.jwk("1");
    for changes in [
        json!({ "use": "sig" }),
        json!({ "key_ops": ["verify"] }),
        json!({ "key_ops": ["sign", "verify"] }),
        json!({ "alg": "ES256" }),
        json!({ "x5c": ["not looked at"], "x5u": 1, "more": {} }),
    ] {
        let keys = parsed(&[changed(&key, &changes)]);
        assert_eq!((keys.count(), keys.skipped()), (1, 0), "{changes}");
        assert_eq!(verified(&keys, &signer.issue("1", &claims())), Ok(()), "{changes}");
    }
    for changes in [
        json!({ "use": "enc" }),
        json!({ "use": ["sig"] }),
        json!({ "key_ops": ["encrypt"] }),
        json!({ "key_ops": [] }),
        json!({ "key_ops": "verify" }),
        json!({ "alg": "ES384" }),
        json!({ "alg": "RS256" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "ECDH-ES" }),
        json!({ "alg": 1 }),
        json!({ "kid": 1 }),
        json!({ "kty": "RSA" }),
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({ "kty": "ec" }),
        json!({ "kty": null }),
        json!({ "crv": "P-384" }),
        json!({ "crv": "secp256k1" }),
        json!({ "crv": null }),
        json!({ "x": "AAAA" }),
        json!({ "x": "=" }),
        json!({ "y": null }),
        // The secret half.
        json!({ "d": "AAAA" }),
    ] {
        let keys = parsed(&[changed(&key, &changes)]);
        assert_eq!((keys.count(), keys.skipped()), (0, 1), "{changes}");
        assert_eq!(verified(&keys, &signer.issue("1", &claims())), Err(Flaw::UnknownKey));
    }
}

#[test]
fn a_key_for_one_algorithm_verifies_no_other() {
    let signer = Signer::rsa();
    let keys = parsed(&[changed(&signer.jwk("1"), &json!({ "alg": "PS256" }))]);
    let token = |algorithm| signer.token(&json!({ "alg": algorithm, "kid": "1" }), &claims());
    assert_eq!(verified(&keys, &token("PS256")), Ok(()));
    assert_eq!(verified(&keys, &token("RS256")), Err(Flaw::Algorithm));
}

#[test]
fn weak_rsa_keys_are_none() {
    for bytes in [0, 128, 255, 1025] {
        let key = json!({ "kty": "RSA", "n": encode(&vec![0xff; bytes]), "e": "AQAB" });
        assert_eq!(parsed(&[key]).count(), 0, "{bytes}");
        let padded = [vec![0; 300], vec![0xff; bytes]].concat();
        let key = json!({ "kty": "RSA", "n": encode(&padded), "e": "AQAB" });
        assert_eq!(parsed(&[key]).count(), 0, "{bytes} with zeros in front");
    }
    let long = json!({ "kty": "RSA", "n": encode(&[0xff; 256]), "e": encode(&[1; 9]) });
    assert_eq!(parsed(&[long]).count(), 0);
}

#[test]
fn sets() {
    for json in ["", "[]", "{}", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[}"#] {
        assert_eq!(KeySet::parse(json.as_bytes()), Err(SetError::Malformed), "{json}");
    }
    let empty = KeySet::parse(br#"{"keys":[],"more":1}"#).unwrap();
    assert_eq!((empty.count(), empty.skipped()), (0, 0));
    let odd = KeySet::parse(br#"{"keys":[1,null,"x",[],{}]}"#).unwrap();
    assert_eq!((odd.count(), odd.skipped()), (0, 5));
    let key = Signer::ed25519().jwk("1");
    assert_eq!(parsed(&vec![key.clone(); MOST_KEYS]).count(), MOST_KEYS);
    let many = set(&vec![key; MOST_KEYS + 1]);
    assert_eq!(KeySet::parse(many.as_bytes()), Err(SetError::TooMany));
}

#[test]
fn sets_are_equal_if_their_keys_are() {
    let (one, two) = (Signer::p256(), Signer::p256());
    let keys = parsed(&[one.jwk("1")]);
    assert_eq!(keys, parsed(&[one.jwk("1")]));
    assert_ne!(keys, parsed(&[one.jwk("2")]));
    assert_ne!(keys, parsed(&[two.jwk("1")]));
    assert_ne!(keys, parsed(&[one.jwk("1"), two.jwk("2")]));
    assert_ne!(keys, parsed(&[changed(&one.jwk("1"), &json!({ "alg": "ES256" }))]));
}
