//! What the fuzz target of answers about certificates runs, and what has to hold for any bytes. A test runs the same on
//! broken answers, so that it keeps compiling and holding without the fuzzer.

use std::sync::LazyLock;

use super::{
    answer::Answer,
    question::Question,
    sample::{Signer, THIS_UPDATE},
};

/// An authority whose key nobody else has.
static AUTHORITY: LazyLock<Signer> = LazyLock::new(|| Signer::authority("ca"));

/// The body of a responder's answer.
///
/// # Panics
///
/// If an answer counts that nobody here can have signed.
pub fn ocsp_response(data: &[u8]) {
    let Ok(answer) = Answer::parse(data) else { return };
    let Some((name_hash, key_hash, serial)) = answer.asked() else { return };
    let question = Question {
        url: String::new(),
        issuer: AUTHORITY.certificate.to_vec(),
        name_hash,
        key_hash,
        serial: serial.to_vec(),
    };
    let outcome = answer.check(&question, THIS_UPDATE);
    assert!(outcome.is_err(), "an answer of a stranger counts: {outcome:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::sample::Said, *};

    static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let stranger = Signer::authority("ca");
        let question = stranger.question();
        let responder = stranger.below("responder", true);
        Said { certificates: &[&responder], ..Said::good(&question, &responder) }.der()
    });

    proptest! {
        #[test]
        fn the_fuzz_target_holds_for_broken_answers(
            at in 0..ANSWER.len(), byte in any::<u8>(), end in 0..=ANSWER.len(),
        ) {
            let mut broken = ANSWER.clone();
            ocsp_response(&broken);
            broken[at] = byte;
            ocsp_response(&broken);
            ocsp_response(&broken[..end]);
        }
    }
}
