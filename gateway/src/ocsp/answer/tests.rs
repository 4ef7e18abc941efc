//! Which answers count.

use super::*;
use crate::ocsp::sample::{Said, Signer, THIS_UPDATE};

const NOW: i64 = THIS_UPDATE + 60;

fn check(der: &[u8], question: &Question) -> Result<i64, Flaw> {
    Answer::parse(der)?.check(question, NOW)
}

#[test]
fn a_good_answer_of_the_issuer_counts_until_its_end() {
    let authority = Signer::authority("ca");
    let question = authority.question();
    for names_key in [false, true] {
        let said = Said { names_key, ..Said::good(&question, &authority) };
        assert_eq!(check(&said.der(), &question), Ok(THIS_UPDATE + 3600));
    }
}

#[test]
fn what_is_not_good_does_not_count() {
    let authority = Signer::authority("ca");
    let question = authority.question();
    for (state, flaw) in [(1, Flaw::Revoked), (2, Flaw::Unknown), (3, Flaw::Malformed)] {
        let said = Said { state, ..Said::good(&question, &authority) };
        assert_eq!(check(&said.der(), &question), Err(flaw));
    }
}

#[test]
fn an_answer_counts_in_its_time_only() {
    let authority = Signer::authority("ca");
    let question = authority.question();
    for (this_update, next_update, expected) in [
        (NOW + SKEW, Some(NOW + 2 * SKEW), Ok(NOW + 2 * SKEW)),
        (NOW + SKEW + 1, Some(NOW + 2 * SKEW), Err(Flaw::Early)),
        (NOW - 10, Some(NOW + 1), Ok(NOW + 1)),
        (NOW - 10, Some(NOW), Err(Flaw::Late)),
        (NOW - 10, Some(NOW - 20), Err(Flaw::Late)),
        (NOW + 20, Some(NOW + 10), Err(Flaw::Late)),
        (NOW - UNDATED_AGE, None, Ok(NOW + UNDATED)),
        (NOW - UNDATED_AGE - 1, None, Err(Flaw::Late)),
    ] {
        let said = Said { this_update, next_update, ..Said::good(&question, &authority) };
        assert_eq!(check(&said.der(), &question), expected, "{this_update} {next_update:?}");
    }
}

#[test]
fn an_answer_about_another_certificate_does_not_count() {
    let (authority, other) = (Signer::authority("ca"), Signer::authority("ca"));
    let (question, elsewhere) = (authority.question(), other.question());
    let der = Said::good(&elsewhere, &authority).der();
    assert_eq!(check(&der, &question), Err(Flaw::Other), "of another authority");
    let der = Said::good(&authority.question(), &authority).der();
    assert_eq!(check(&der, &question), Err(Flaw::Other), "with another serial number");
}

#[test]
fn whoever_signs_needs_the_key_of_the_issuer_or_a_certificate_for_answers_of_it() {
    let (authority, stranger) = (Signer::authority("ca"), Signer::authority("ca"));
    let question = authority.question();
    let charged = authority.below("responder", true);
    let not_charged = authority.below("responder", false);
    let charged_by_stranger = stranger.below("responder", true);
    let cases: [(&Signer, &[&Signer], _); 7] = [
        (&charged, &[&charged], Ok(())),
        (&charged, &[&stranger, &not_charged, &charged], Ok(())),
        (&charged, &[], Err(Flaw::Signature)),
        (&not_charged, &[&not_charged], Err(Flaw::Signature)),
        (&charged_by_stranger, &[&charged_by_stranger], Err(Flaw::Signature)),
        (&stranger, &[&stranger], Err(Flaw::Signature)),
        // Too many to be looked at.
        (&charged, &[&stranger, &stranger, &stranger, &stranger, &charged], Err(Flaw::Signature)),
    ];
    for (index, (signer, certificates, expected)) in cases.into_iter().enumerate() {
        let said = Said { certificates, ..Said::good(&question, signer) };
        assert_eq!(check(&said.der(), &question).map(drop), expected, "case {index}");
    }
}

#[test]
fn an_answer_that_was_changed_does_not_count() {
    let authority = Signer::authority("ca");
    let question = authority.question();
    let der = Said::good(&question, &authority).der();
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        assert!(check(&changed, &question).is_err(), "byte {at}");
        assert!(check(&der[..at], &question).is_err(), "the first {at} bytes");
    }
    assert_eq!(check(&[&der[..], &[0]].concat(), &question), Err(Flaw::Malformed));
}

#[test]
fn errors_of_the_responder_are_told_apart() {
    for (status, expected) in [
        (1, Flaw::Unsuccessful("malformedRequest")),
        (2, Flaw::Unsuccessful("internalError")),
        (3, Flaw::Unsuccessful("tryLater")),
        (4, Flaw::Malformed),
        (5, Flaw::Unsuccessful("sigRequired")),
        (6, Flaw::Unsuccessful("unauthorized")),
        (7, Flaw::Malformed),
    ] {
        assert_eq!(Answer::parse(&[0x30, 3, 10, 1, status]).map(drop), Err(expected));
    }
    assert_eq!(Answer::parse(&[0x30, 3, 10, 1, 0]).map(drop), Err(Flaw::Malformed));
}

#[test]
fn times() {
    for (text, expected) in [
        ("19700101000000Z", Ok(0)),
        ("20000229120000Z", Ok(951_825_600)),
        ("20231114221320Z", Ok(1_700_000_000)),
        ("20991231235959Z", Ok(4_102_444_799)),
        ("20231114221320", Err(Flaw::Malformed)),
        ("20231114221320+", Err(Flaw::Malformed)),
        ("20231114221320.5Z", Err(Flaw::Malformed)),
        ("2023111422132xZ", Err(Flaw::Malformed)),
        ("20231314221320Z", Err(Flaw::Malformed)),
        ("20231100221320Z", Err(Flaw::Malformed)),
        ("20231114241320Z", Err(Flaw::Malformed)),
        ("", Err(Flaw::Malformed)),
    ] {
        assert_eq!(time(text.as_bytes()), expected, "{text}");
    }
}
