//! Compares a password with a stored hash (annotations §3.6). All comparisons take the same time whatever differs.

mod des;
mod md5;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use headgate_config::protection::HashKind;
use sha_crypt::{PasswordVerifier, ShaCrypt};

use crate::base64;

/// Whether a password is the one that a hash was made of. `password` must not contain NUL.
pub fn matches(hash: &str, password: &[u8]) -> bool {
    match HashKind::of(hash) {
        Ok(HashKind::Apr1) => md5::matches(hash, b"$apr1$", password),
        Ok(HashKind::Md5Crypt) => md5::matches(hash, b"$1$", password),
        Ok(HashKind::Bcrypt) => bcrypt::verify(password, hash).unwrap_or(false),
        Ok(HashKind::Sha256Crypt | HashKind::Sha512Crypt) => {
            ShaCrypt::default().verify_password(password, hash).is_ok()
        }
        Ok(HashKind::Sha) => sha(&hash["{SHA}".len()..], password, 0),
        Ok(HashKind::SaltedSha) => sha(&hash["{SSHA}".len()..], password, 1),
        Ok(HashKind::Plain) => plain(&hash["{PLAIN}".len()..], password),
        Ok(HashKind::Des) => des::matches(hash, password),
        Err(_) => false,
    }
}

/// Base64 of SHA-1 over password and salt, followed by the salt, which has so many bytes at least.
fn sha(text: &str, password: &[u8], salt: usize) -> bool {
    let Some(bytes) = base64::decode(text.as_bytes()) else { return false };
    let Some((expected, salt)) = bytes.split_at_checked(20).filter(|(_, rest)| rest.len() >= salt)
    else {
        return false;
    };
    let made = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[password, salt].concat());
    verify_slices_are_equal(made.as_ref(), expected).is_ok()
}

/// Digests are compared, so that the time says nothing about the length either.
fn plain(expected: &str, password: &[u8]) -> bool {
    let digest = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
    verify_slices_are_equal(digest(expected.as_bytes()).as_ref(), digest(password).as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by htpasswd, openssl passwd and crypt(3).
    const MADE: [(&str, &str); 28] = [
        ("$apr1$3lDgrkMD$Jux8iT110phSRobStr9BK1", "pa:ss wörd"),
        ("$apr1$wFPY1oIV$mCrWUr/IWkqXuHIWaT5m71", ""),
        ("$apr1$lXPjNSBQ$0lk0whPCQAgGyFn6fMLCD/", LONG),
        ("$1$/Jabq3XT$lB5/V1lXxrozzt7X/3yVY1", "secret"),
        ("$2y$04$jSqH/02xITrhaJYvustx5O8jisoklBfuJ1YSnXUxF4P02pPYj9zfG", "pa:ss wörd"),
        ("$2y$04$pZOMTKRnRG6JwtU5GhaHreV36d5IN4.R7QA11Nb8ysg/iIwOkhhNu", "secret"),
        ("$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret"),
        ("$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret"),
        ("$2x$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret"),
        ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"),
        ("{SSHA}UgCJjM+VJJYduihDuk0aPpDtY9RzYWx0eQ==", "secret"),
        ("{PLAIN}secret", "secret"),
        ("AjDfJzZTJ5Zj.", "secret"),
        ("abNANd1rDfiNc", "secret"),
        ("zZDLZ1a2IBhEw", "secretandmore"),
        ("zZDLZ1a2IBhEw", "secretan"),
        ("./Una9Fi.seRo", ""),
        ("abkLgKYMGppl.", "pé"),
        ("$5$5VosVijsunw8ABep$JIkhGRKbcX43PET2LVjRTVq70N59lLOklkLg/ajtjb1", "secret"),
        ("$5$5vaFmg23amUh49Sb$lxQo5vN/M8DZZxK1aLMyIbhH6snahZr30jSkWQL4TT.", "secret"),
        ("$5$rounds=1000$s$1G5532wclKO2DGU0xcX3Rd6BmCQw9FWjZAp9VdiPyK3", "secret"),
        (
            "$6$XCwmXbeumwwUn1lJ$TOqOugU0cP3.Vyp84jmplWm1U9.k0L9.KrA6OD.a2NNu4kIq5NEAuNvnNUB15SuE429lXERc7wOICjZ7iyPlg1",
            "secret",
        ),
        (
            "$6$rounds=1000$5iL8LEasKbuqF7KV$xjdfSYOeMInp5zwmWDYwxX3nMCD4CLSThLqHSzyn9OIFjETipZ9aKAs9tKW082bBNNSdYqe7YgIRDW83CqeT91",
            "secret",
        ),
        (
            "$6$rounds=1000$saltysaltysaltys$idfblHdbznAXdc2TGwCEArR0MJ3aOKfl99XKAJKbwP4Gb1taUY/e/dCtsIltzmHceVCDLmtQw6DmE0e7svuyz/",
            "secret",
        ),
        (
            "$6$jo/lMKIx0RnK6.Na$ob6knKTnd9i3MLdiVjo./jVLl64Z6jBmQS2ZeSD69IW2ACy0YvSb3WBWI3c2FpqrTUDhSJQ7dTD4dgPQyAs0m.",
            LONGER,
        ),
        ("$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i", HUNDRED),
        // Of a password seventy-two bytes count with bcrypt, eight with DES.
        ("$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i", SEVENTY_TWO),
        ("zZDLZ1a2IBhEw", "secretan!"),
    ];
    const LONG: &str = "a much longer password than sixteen bytes, for the loop";
    const LONGER: &str = "a much longer password than sixty-four bytes, so that all loops of the algorithm turn more than once";
    const HUNDRED: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    const SEVENTY_TWO: &str =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

    #[test]
    fn hashes_of_real_tools_take_their_password_and_no_other() {
        for (hash, password) in MADE {
            assert!(matches(hash, password.as_bytes()), "{hash}: {password}");
            for wrong in [format!("!{password}"), "Secret".to_owned(), "secre".to_owned()] {
                assert!(!matches(hash, wrong.as_bytes()), "{hash}: {wrong}");
            }
        }
    }

    #[test]
    fn a_hash_that_is_cut_or_changed_takes_no_password() {
        for (hash, password) in MADE.into_iter().filter(|(_, password)| !password.is_empty()) {
            assert!(!matches(&hash[..hash.len() - 3], password.as_bytes()), "{hash}");
            assert!(!matches("", password.as_bytes()));
            let mut changed = hash.to_owned().into_bytes();
            let last = changed.len() - 5;
            changed[last] = if changed[last] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(!matches(&changed, password.as_bytes()), "{changed}");
        }
    }
}
