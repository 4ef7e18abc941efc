//! What the fuzz target of `Authorization` headers runs, and what has to hold for any bytes. A test runs the same on
//! random bytes, so that it keeps compiling and holding without the fuzzer.

use super::authorization::{Basic, Digest};

/// The value of a header.
pub fn authorization(data: &[u8]) {
    if let Some(basic) = Basic::parse(data) {
        let user = basic.user().to_vec();
        assert!(!user.is_empty() && !user.contains(&b':'));
        assert!(basic.password().is_none_or(|text| text.len() <= 512 && !text.contains(&0)));
        assert!(Digest::parse(data).is_none());
    }
    let Some(digest) = Digest::parse(data) else { return };
    assert!(digest.response.len() == 32 && digest.nc.len() == 8);
    let quoted = |text: &[u8]| -> Vec<u8> {
        let escaped = |byte: &u8| match byte {
            b'"' | b'\\' => vec![b'\\', *byte],
            byte => vec![*byte],
        };
        text.iter().flat_map(escaped).collect()
    };
    // Written in one form it means the same.
    let mut written = b"Digest qop=auth".to_vec();
    for (name, value) in [
        ("username", &digest.username),
        ("realm", &digest.realm),
        ("nonce", &digest.nonce),
        ("uri", &digest.uri),
        ("response", &digest.response),
        ("cnonce", &digest.cnonce),
        ("nc", &digest.nc),
    ] {
        written.extend_from_slice(format!(", {name}=\"").as_bytes());
        written.extend(quoted(value));
        written.push(b'"');
    }
    assert_eq!(Digest::parse(&written), Some(digest));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::noise;

    /// Headers of pieces that mean something, and a little noise.
    fn headers() -> impl Strategy<Value = Vec<u8>> {
        let pieces = prop::sample::select(vec![
            "Digest ",
            "Basic ",
            "YTpi",
            "username=\"u\"",
            "realm=\"\"",
            "nonce=n",
            "uri=\"/\\\"\"",
            "response=\"0123456789abcdef0123456789ABCDEF\"",
            "cnonce=\"\"",
            "nc=00000001",
            "qop=auth",
            "algorithm=MD5",
            ", ",
            ",",
            "\"",
            "\\",
            "=",
            " ",
        ]);
        let whole = prop::collection::vec(pieces, 0..16).prop_map(|pieces| pieces.concat());
        let list = Just(
            "Digest username=\"u\", realm=\"\", nonce=n, uri=\"/\\\"\", cnonce=\"\", nc=00000001, qop=auth, response=\"0123456789abcdef0123456789ABCDEF\""
                .to_owned(),
        );
        (prop_oneof![whole, list], noise::noise())
            .prop_map(|(text, noise)| noise::with(text.into_bytes(), noise))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_fuzz_target_holds_for_random_headers(data in headers()) {
            super::authorization(&data);
        }
    }
}
