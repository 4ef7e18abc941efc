//! MD5 crypt: a thousand rounds of MD5 over password and salt, after Poul-Henning Kamp. Apache's variant differs in the
//! prefix only, which is hashed as well.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use md5::{Digest, Md5};

/// Salts that are longer count up to here.
const MAX_SALT: usize = 8;

/// Whether a password is the one of `hash`, which is `prefix`, salt, `$` and 22 characters.
pub fn matches(hash: &str, prefix: &[u8], password: &[u8]) -> bool {
    let Some((salt, expected)) = hash.get(prefix.len()..).and_then(|rest| rest.split_once('$'))
    else {
        return false;
    };
    let salt = &salt.as_bytes()[..salt.len().min(MAX_SALT)];
    let made = written(&digest(prefix, salt, password));
    verify_slices_are_equal(&made, expected.as_bytes()).is_ok()
}

fn digest(prefix: &[u8], salt: &[u8], password: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut hasher = Md5::new().chain_update(password).chain_update(prefix).chain_update(salt);
    for part in password.chunks(16) {
        hasher.update(&inner[..part.len()]);
    }
    let mut length = password.len();
    while length != 0 {
        hasher.update([if length & 1 == 1 { 0 } else { password[0] }]);
        length >>= 1;
    }
    let mut state: [u8; 16] = hasher.finalize().into();
    for round in 0..1000 {
        let (first, last): (&[u8], &[u8]) =
            if round & 1 == 1 { (password, &state) } else { (&state, password) };
        let mut hasher = Md5::new().chain_update(first);
        if round % 3 != 0 {
            hasher.update(salt);
        }
        if round % 7 != 0 {
            hasher.update(password);
        }
        hasher.update(last);
        state = hasher.finalize().into();
    }
    state
}

/// The 22 characters of a digest.
fn written(digest: &[u8; 16]) -> [u8; 22] {
    const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [0; 22];
    let groups =
        (0..5).map(|n| [digest[n], digest[n + 6], digest[if n == 4 { 5 } else { n + 12 }]]);
    let groups = groups.chain([[0, 0, digest[11]]]);
    for (chars, [high, middle, low]) in text.chunks_mut(4).zip(groups) {
        let mut bits = u32::from(high) << 16 | u32::from(middle) << 8 | u32::from(low);
        for char in chars {
            *char = DIGITS[(bits & 63) as usize];
            bits >>= 6;
        }
    }
    text
}
