//! What headers are taken, and that nothing else is.

use proptest::prelude::*;

use super::*;

fn basic(header: &str) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let basic = Basic::parse(header.as_bytes())?;
    Some((basic.user().to_vec(), basic.password().map(<[u8]>::to_vec)))
}

#[test]
fn the_password_is_all_behind_the_first_colon() {
    for (header, user, password) in [
        ("Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ==", "aladdin", "open:sesame"),
        ("basic   YTpi", "a", "b"),
        ("BASIC w6k6/+8", "\u{e9}", ""),
        ("Basic YTo=", "a", ""),
    ] {
        let (found, secret) = basic(header).expect("credentials");
        assert_eq!(found, user.as_bytes(), "{header}");
        if !password.is_empty() {
            assert_eq!(secret.as_deref(), Some(password.as_bytes()), "{header}");
        }
    }
}

#[test]
fn other_schemes_and_malformed_credentials_are_none() {
    for header in [
        "Bearer YTpi",
        "Basic",
        "Basic OmI=",
        "Basic YWI=",
        "Basic Y*pi",
        "Basic YTpiY",
        "Basicx YTpi",
        "",
    ] {
        assert_eq!(basic(header), None, "{header}");
    }
}

#[test]
fn a_password_that_no_hash_is_made_of_is_not_compared() {
    // "a:b\0", and 513 times "x".
    assert_eq!(basic("Basic YTpiAA=="), Some((b"a".to_vec(), None)));
    let long = format!("Basic YTp4{}", "eHh4".repeat(171));
    assert_eq!(basic(&long), Some((b"a".to_vec(), None)));
    let most = format!("Basic YTp4{}eA==", "eHh4".repeat(170));
    assert!(basic(&most).expect("credentials").1.is_some());
}

const GOOD: &str = r#"Digest username="Mu\"f\\asa", realm="a realm", nonce="abc", uri="/dir?x=1,2", response="6629fae49393a05397450978507c4ef1", algorithm=MD5, qop=auth, nc=0000000a, cnonce="0a=4f""#;

#[test]
fn a_digest_has_its_parts_unquoted() {
    let digest = Digest::parse(GOOD.as_bytes()).expect("a digest");
    assert_eq!(&*digest.username, b"Mu\"f\\asa");
    assert_eq!((&*digest.realm, &*digest.nonce), (&b"a realm"[..], &b"abc"[..]));
    assert_eq!((&*digest.uri, &*digest.cnonce), (&b"/dir?x=1,2"[..], &b"0a=4f"[..]));
    assert_eq!(digest.count(), 10);
    // The order, spaces and quotes do not matter; the algorithm may be left out.
    for (from, to) in [
        ("Digest ", "dIGEST   "),
        (", nc=", " ,\t nc = "),
        ("qop=auth", "qop=\"auth\""),
        (", algorithm=MD5", ""),
        ("algorithm=MD5", "algorithm=\"md5\", opaque=\"x\", userhash=false"),
    ] {
        let text = GOOD.replace(from, to);
        assert!(Digest::parse(text.as_bytes()).is_some(), "{text}");
    }
}

#[test]
fn a_digest_that_lacks_or_repeats_a_part_is_none() {
    for (from, to) in [
        ("Digest ", "Basic "),
        ("Digest ", "Digest"),
        ("Digest ", "Digest , "),
        ("realm=\"a realm\", ", ""),
        ("qop=auth, ", ""),
        ("qop=auth", "qop=auth-int"),
        ("=MD5", "=MD5-sess"),
        ("=MD5", "=SHA-256"),
        ("nc=0000000a", "nc=a"),
        ("nc=0000000a", "nc=+000000a"),
        ("response=\"6", "response=\""),
        ("response=\"6", "response=\"x"),
        ("nc=", "nonce=\"abc\", nc="),
        ("username=", "userhash=true, username="),
        ("username=\"", "username*=\""),
        ("cnonce=\"0a=4f\"", "cnonce=\"0a=4f"),
        ("cnonce=\"0a=4f\"", "cnonce=\"0a=4f\\"),
        ("cnonce=\"0a=4f\"", "cnonce=\"0a=4f\","),
        ("cnonce=\"0a=4f\"", "cnonce=\"0a=4f\" x"),
        ("\", uri", "\" uri"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        assert_eq!(Digest::parse(text.as_bytes()), None, "{text}");
    }
}

fn encoded(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for index in 0..=group.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * index)) as usize & 63]));
        }
    }
    text
}

proptest! {
    #[test]
    fn credentials_are_what_was_encoded(user in "[^:\u{0}]{1,20}", password in "[^\u{0}]{0,60}") {
        let header = format!("Basic {}", encoded(format!("{user}:{password}").as_bytes()));
        let found = basic(&header).expect("credentials");
        prop_assert_eq!(found, (user.into_bytes(), Some(password.into_bytes())));
    }

    #[test]
    fn a_digest_is_what_was_quoted(username in "\\PC{1,20}", uri in "/[!-~]{0,30}") {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let text = GOOD
            .replace(r#"Mu\"f\\asa"#, &quoted(&username))
            .replace("/dir?x=1,2", &quoted(&uri));
        let digest = Digest::parse(text.as_bytes()).expect("a digest");
        prop_assert_eq!(&*digest.username, username.as_bytes());
        prop_assert_eq!(&*digest.uri, uri.as_bytes());
    }
}
