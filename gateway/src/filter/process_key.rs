//! Keys that exist in this process only. They are made when they are first needed: a gateway that asks nobody for a
//! password or a token does not start the library's generator of random numbers, which takes memory and time.

use std::sync::LazyLock;

use aws_lc_rs::{hmac, rand::SystemRandom};

/// A key of digests, made when it is first used.
pub type ProcessKey = LazyLock<hmac::Key>;

/// A key that is not made yet.
pub fn unmade() -> ProcessKey {
    LazyLock::new(random)
}

/// A random key.
pub fn random() -> hmac::Key {
    hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
        .expect("the system has given randomness before, for request ids")
}
