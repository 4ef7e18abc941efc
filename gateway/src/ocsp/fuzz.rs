//! What the fuzz target of answers about certificates runs, and what has to hold for any bytes. A test runs the same on
//! broken answers, so that it keeps compiling and holding without the fuzzer.

use std::sync::LazyLock;

use super::{
    answer::Answer,
    question::Question,
    sample::{Said, Signer, THIS_UPDATE},
};

/// An authority whose key nobody else has, a question to it, and its answer.
static KNOWN: LazyLock<(Signer, Question, Vec<u8>)> = LazyLock::new(|| {
    let authority = Signer::authority("ca");
    let responder = authority.below("responder", true);
    let question = authority.question();
    let said = Said { certificates: &[&responder], ..Said::good(&question, &responder) };
    let der = said.der();
    (authority, question, der)
});

/// The body of a responder's answer, and what takes the place of a part of a good one: where, in two bytes, and what.
///
/// # Panics
///
/// If something counts that nobody here can have signed.
pub fn ocsp_response(data: &[u8]) {
    let (authority, question, der) = &*KNOWN;
    if let Ok(answer) = Answer::parse(data)
        && let Some((name_hash, key_hash, serial)) = answer.asked()
    {
        let (url, issuer) = (String::new(), authority.certificate.to_vec());
        let asked = Question { url, issuer, name_hash, key_hash, serial: serial.to_vec() };
        let outcome = answer.check(&asked, THIS_UPDATE);
        assert!(outcome.is_err(), "an answer of a stranger counts: {outcome:?}");
    }
    let Some((place, part)) = data.split_first_chunk() else { return };
    let begin = usize::from(u16::from_be_bytes(*place)) % der.len();
    let end = der.len().min(begin + part.len());
    let changed = [&der[..begin], part, &der[end..]].concat();
    let outcome = Answer::parse(&changed).and_then(|answer| answer.check(question, THIS_UPDATE));
    // What is not signed may have been changed.
    assert!(outcome.is_err() || outcome == Ok(THIS_UPDATE + 3600), "{outcome:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let stranger = Signer::authority("ca");
        Said::good(&stranger.question(), &stranger).der()
    });

    proptest! {
        #[test]
        fn the_fuzz_target_holds_for_broken_answers(
            at in 0..ANSWER.len(),
            part in proptest::collection::vec(any::<u8>(), 1..5),
            end in 0..=ANSWER.len(),
        ) {
            let mut broken = ANSWER.clone();
            ocsp_response(&broken);
            broken[at] = part[0];
            ocsp_response(&broken);
            ocsp_response(&broken[..end]);
            let place = u16::try_from(at).unwrap_or_default().to_be_bytes();
            ocsp_response(&[&place, &part[..]].concat());
        }
    }
}
