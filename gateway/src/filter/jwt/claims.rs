//! What a token says, once it is known who has signed it (RFC 7519 §4.1).

use headgate_config::protection::TokenAuth;
use serde_json::{Map, Value};

use super::Flaw;
use crate::filter::request_headers::is_value;

/// A header of more bytes is not made: upstreams would refuse the request.
const MOST_HEADER: usize = 4096;

/// Checks the claims at `now` (seconds since 1970); gives when the token ends to count.
pub fn check(claims: &Map<String, Value>, spec: &TokenAuth, now: u64) -> Result<u64, Flaw> {
    let time = |name: &str| claims.get(name).map(seconds).transpose();
    let (now, skew) = (now as f64, spec.clock_skew.as_secs_f64());
    let until = time("exp")?.ok_or(Flaw::Times)? + skew;
    if now >= until {
        return Err(Flaw::Expired);
    }
    for name in ["nbf", "iat"] {
        if time(name)?.is_some_and(|time| now + skew < time) {
            return Err(Flaw::Early);
        }
    }
    if let Some(issuer) = &spec.issuer
        && claims.get("iss").and_then(Value::as_str) != Some(issuer)
    {
        return Err(Flaw::Issuer);
    }
    let is_ours = |name: &Value| spec.audiences.iter().any(|own| name.as_str() == Some(own));
    let is_for_us = match claims.get("aud") {
        _ if spec.audiences.is_empty() => true,
        Some(Value::Array(names)) => names.iter().any(is_ours),
        Some(name) => is_ours(name),
        None => false,
    };
    // A cast of what is too large is the largest.
    if is_for_us { Ok(until as u64) } else { Err(Flaw::Audience) }
}

/// A time: a number of seconds that may have a fraction.
fn seconds(value: &Value) -> Result<f64, Flaw> {
    value.as_f64().filter(|time| *time >= 0.0 && time.is_finite()).ok_or(Flaw::Times)
}

/// The value of a header that is made of a claim; none if there is no such claim, or it cannot be said in a header so that
/// everybody reads the same: a line of several, what a reader trims away, a list whose items hold commas.
pub fn header(claims: &Map<String, Value>, path: &str) -> Option<Box<[u8]>> {
    let text = match find(claims, path)? {
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(scalar).collect();
            let is_item = |item: &String| !item.contains(',') && is_whole(item);
            items.filter(|items| items.iter().all(is_item))?.join(",")
        }
        other => scalar(other)?,
    };
    let is_sayable = is_whole(&text) && is_value(text.as_bytes()) && text.len() <= MOST_HEADER;
    is_sayable.then(|| text.into_bytes().into())
}

/// Whether nothing of a text is lost to those who trim it.
fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.trim() == text
}

/// A claim of exactly this name, or else one inside another: some issuers put URLs into names.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let mut steps = path.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.as_object()?.get(step))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headgate_config::protection::{KeySource, TokenAlgorithm};
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn spec(issuer: Option<&str>, audiences: &[&str]) -> TokenAuth {
        TokenAuth {
            keys: KeySource { url: String::new(), upstream: None, authorities: Vec::new() },
            issuer: issuer.map(Into::into),
            audiences: audiences.iter().map(|name| (*name).into()).collect(),
            algorithms: TokenAlgorithm::ALL.to_vec(),
            claim_headers: Vec::new(),
            clock_skew: Duration::from_secs(60),
        }
    }

    fn checked(spec: &TokenAuth, claims: &Value) -> Result<u64, Flaw> {
        check(claims.as_object().unwrap(), spec, NOW)
    }

    #[test]
    fn times() {
        let spec = spec(None, &[]);
        for (claims, expected) in [
            (json!({ "exp": NOW + 100 }), Ok(NOW + 160)),
            (json!({ "exp": NOW - 59 }), Ok(NOW + 1)),
            (json!({ "exp": NOW as f64 + 0.5 }), Ok(NOW + 60)),
            (json!({ "exp": 1e300 }), Ok(u64::MAX)),
            (json!({ "exp": u64::MAX }), Ok(u64::MAX)),
            (json!({ "exp": NOW - 60 }), Err(Flaw::Expired)),
            (json!({ "exp": 0 }), Err(Flaw::Expired)),
            (json!({ "exp": -1 }), Err(Flaw::Times)),
            (json!({}), Err(Flaw::Times)),
            (json!({ "exp": null }), Err(Flaw::Times)),
            (json!({ "exp": "99999999999" }), Err(Flaw::Times)),
            (json!({ "exp": [NOW + 100] }), Err(Flaw::Times)),
            (json!({ "exp": NOW + 100, "nbf": NOW + 60 }), Ok(NOW + 160)),
            (json!({ "exp": NOW + 100, "nbf": NOW + 61 }), Err(Flaw::Early)),
            (json!({ "exp": NOW + 100, "nbf": "later" }), Err(Flaw::Times)),
            (json!({ "exp": NOW + 100, "nbf": null }), Err(Flaw::Times)),
            (json!({ "exp": NOW + 100, "iat": NOW + 60 }), Ok(NOW + 160)),
            (json!({ "exp": NOW + 100, "iat": NOW + 61 }), Err(Flaw::Early)),
        ] {
            assert_eq!(checked(&spec, &claims), expected, "{claims}");
        }
    }

    #[test]
    fn who_it_is_from_and_for() {
        let spec = spec(Some("https://i.test"), &["a", "b"]);
        let issuer = json!("https://i.test");
        for (iss, aud, expected) in [
            (&issuer, json!("a"), None),
            (&issuer, json!("b"), None),
            (&issuer, json!(["x", "b"]), None),
            (&issuer, json!("A"), Some(Flaw::Audience)),
            (&issuer, json!("a "), Some(Flaw::Audience)),
            (&issuer, json!("a,b"), Some(Flaw::Audience)),
            (&issuer, json!([]), Some(Flaw::Audience)),
            (&issuer, json!([["a"]]), Some(Flaw::Audience)),
            (&issuer, json!({ "a": "a" }), Some(Flaw::Audience)),
            (&issuer, json!(null), Some(Flaw::Audience)),
            (&json!("https://i.test/"), json!("a"), Some(Flaw::Issuer)),
            (&json!(["https://i.test"]), json!("a"), Some(Flaw::Issuer)),
            (&json!(null), json!("a"), Some(Flaw::Issuer)),
        ] {
            let claims = json!({ "exp": NOW + 1, "iss": iss, "aud": aud });
            assert_eq!(checked(&spec, &claims).err(), expected, "{claims}");
        }
        let nothing = json!({ "exp": NOW + 1 });
        assert_eq!(checked(&spec, &nothing).err(), Some(Flaw::Issuer));
        let from = json!({ "exp": NOW + 1, "iss": issuer });
        assert_eq!(checked(&spec, &from).err(), Some(Flaw::Audience));
    }

    #[test]
    fn headers() {
        let claims = json!({
            "sub": "alice", "n": 7, "ok": true, "no": null, "float": 1.5, "empty": "",
            "roles": ["a", "b", 3], "one": ["x"], "none": [], "deep": [["a"]], "odd": [{}],
            "comma": ["a,b", "c"], "text": "a,b", "blank": [" admin"], "hole": ["a", ""],
            "realm_access": { "roles": ["r1", "r2"], "x": { "y": "z" } },
            "https://x.test/role": "admin", "a.b": "whole", "a": { "b": "inside" },
            "line": "a\r\nX-Role: admin", "nul": "a\u{0}", "tail": "admin ", "wide": "\u{a0}admin",
            "list": ["a\nb"], "name": "José", "long": "x".repeat(MOST_HEADER + 1),
        });
        let claims = claims.as_object().unwrap();
        for (path, expected) in [
            ("sub", Some("alice")),
            ("n", Some("7")),
            ("ok", Some("true")),
            ("float", Some("1.5")),
            ("roles", Some("a,b,3")),
            ("one", Some("x")),
            ("text", Some("a,b")),
            ("realm_access.roles", Some("r1,r2")),
            ("realm_access.x.y", Some("z")),
            ("https://x.test/role", Some("admin")),
            ("a.b", Some("whole")),
            ("name", Some("José")),
            ("no", None),
            ("empty", None),
            ("none", None),
            ("deep", None),
            ("odd", None),
            ("comma", None),
            ("blank", None),
            ("hole", None),
            ("realm_access", None),
            ("realm_access.none", None),
            ("sub.x", None),
            ("missing", None),
            ("missing.x", None),
            ("", None),
            (".", None),
            ("line", None),
            ("nul", None),
            ("tail", None),
            ("wide", None),
            ("list", None),
            ("long", None),
        ] {
            let expected = expected.map(|text| text.as_bytes().into());
            assert_eq!(header(claims, path), expected, "{path}");
        }
    }
}
