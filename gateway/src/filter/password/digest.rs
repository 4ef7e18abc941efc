//! Digest authentication with MD5 and `qop=auth` (annotations §3.6; RFC 7616 §3.4).

use std::fmt::Write;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use headgate_config::protection::Users;
use md5::{Digest as _, Md5};

use super::authorization::Digest;

/// Stands in for what is stored of a user that there is none of.
const NOBODY: &str = "00000000000000000000000000000000";

/// Whether a client that sends this knows the password of its user. Whether its nonce may be used is not looked at.
pub fn knows_password(users: &Users, realm: &str, method: &str, digest: &Digest<'_>) -> bool {
    let stored = std::str::from_utf8(&digest.username)
        .ok()
        // The realm stands behind the last colon of a key, so that a colon in a name would be one of another user.
        .filter(|user| !user.contains(':'))
        .and_then(|user| users.hash(&format!("{user}:{realm}")))
        .filter(|hash| is_digest(hash));
    let expected = response(stored.unwrap_or(NOBODY), method, digest);
    let is_right = verify_slices_are_equal(expected.as_bytes(), &digest.response).is_ok();
    is_right && stored.is_some() && *digest.realm == *realm.as_bytes()
}

fn is_digest(hash: &str) -> bool {
    hash.len() == 32 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn response(stored: &str, method: &str, digest: &Digest<'_>) -> String {
    let request = md5(&[method.as_bytes(), &digest.uri]);
    md5(&[
        stored.as_bytes(),
        &digest.nonce,
        &digest.nc,
        &digest.cnonce,
        b"auth",
        request.as_bytes(),
    ])
}

/// The digest of parts with colons between them, in hexadecimal digits.
fn md5(parts: &[&[u8]]) -> String {
    let digest = Md5::digest(parts.join(&b':'));
    digest.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// RFC 7616 §3.9.1, with what htdigest writes for it.
    const MUFASA: &str = r#"Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

    fn users() -> Users {
        let stored = md5(&[b"Mufasa", b"http-auth@example.org", b"Circle of Life"]);
        Users::new(BTreeMap::from([("Mufasa:http-auth@example.org".to_owned(), stored)]))
    }

    fn knows(header: &str, method: &str, realm: &str) -> bool {
        let digest = Digest::parse(header.as_bytes()).expect("a digest");
        knows_password(&users(), realm, method, &digest)
    }

    #[test]
    fn the_example_of_the_standard_is_right_and_changed_ones_are_not() {
        let realm = "http-auth@example.org";
        assert!(knows(MUFASA, "GET", realm));
        assert!(!knows(MUFASA, "POST", realm));
        assert!(!knows(MUFASA, "GET", "other"));
        for (from, to) in [
            ("Mufasa", "mufasa"),
            ("Mufasa", "Mufasa:http-auth@example.org"),
            ("http-auth", "https-auth"),
            ("/dir/", "/dis/"),
            ("7ypf", "8ypf"),
            ("00000001", "00000002"),
            ("f2/w", "f3/w"),
            ("8ca5", "8CA5"),
        ] {
            assert!(!knows(&MUFASA.replace(from, to), "GET", realm), "{to}");
        }
    }

    #[test]
    fn a_stored_hash_of_another_kind_is_nobodys() {
        let users = |stored: &str| Users::new(BTreeMap::from([("u:r".into(), stored.into())]));
        for stored in ["", "secret", NOBODY] {
            let mut text = format!(
                r#"Digest username="u", realm="r", uri="/", nonce="n", nc=00000001, cnonce="c", qop=auth, response="{NOBODY}""#
            );
            let made = response(stored, "GET", &Digest::parse(text.as_bytes()).expect("a digest"));
            text = text.replace(&format!("response=\"{NOBODY}"), &format!("response=\"{made}"));
            let digest = Digest::parse(text.as_bytes()).expect("a digest");
            let knows = knows_password(&users(stored), "r", "GET", &digest);
            assert_eq!(knows, stored == NOBODY, "{stored:?}");
        }
    }
}
