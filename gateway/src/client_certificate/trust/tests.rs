//! Certificates that are good, and what is wrong with the others.

mod made;
mod revocation;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SerialNumber, date_time_ymd,
};

use self::made::*;
use super::*;

#[test]
fn a_certificate_of_an_authority_is_good() {
    let (ca, other) = (own(authority("ca")), own(authority("other")));
    let (client, stranger) = (ca.client("client"), other.client("client"));
    let both = trust(&[&ca, &other], &[]);
    assert_eq!(verify(&both, &[&client.der], 1), Ok(()));
    assert_eq!(verify(&both, &[&stranger.der], 1), Ok(()));
    let one = trust(&[&ca], &[]);
    assert_eq!(
        verify(&one, &[&client.der, &ca.der], 1),
        Ok(()),
        "the authority's own may come along"
    );
    assert_eq!(verify(&one, &[&stranger.der], 1), Err(Failure::UnknownIssuerOfOne));
    assert_eq!(verify(&one, &[&stranger.der, &other.der], 1), Err(Failure::UnknownRoot));
}

#[test]
fn who_vouches_for_itself_is_only_untrusted() {
    let ca = own(authority("ca"));
    let mut of_authority = authority("me");
    of_authority.key_usages.clear();
    for params in [named("me"), of_authority, named("ca")] {
        assert_eq!(verify(&trust(&[&ca], &[]), &[&own(params).der], 1), Err(Failure::SelfSigned));
    }
    assert!(Failure::SelfSigned.is_only_untrusted());
    let pinned = own(named("me"));
    assert_eq!(verify(&trust(&[&ca, &pinned], &[]), &[&pinned.der], 1), Ok(()), "it is known");
    let below = pinned.client("below");
    assert_eq!(
        verify(&trust(&[&pinned], &[]), &[&below.der], 1),
        Err(Failure::UnknownIssuerOfOne),
        "one that is no authority issues nothing"
    );
}

#[test]
fn another_authority_of_the_same_name_is_found_out() {
    let (ca, forged) = (own(authority("ca")), own(authority("ca")));
    let found = verify(&trust(&[&ca], &[]), &[&forged.client("client").der], 1);
    assert_eq!(found, Err(Failure::Signature));
    assert!(!Failure::Signature.is_only_untrusted());
}

#[test]
fn validity() {
    let year = |mut params: CertificateParams, from, to| {
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params
    };
    let ca = own(authority("ca"));
    let trusted = trust(&[&ca], &[]);
    let expired = ca.issues(year(named("old"), 2020, 2021));
    let early = ca.issues(year(named("new"), 2090, 2091));
    assert_eq!(verify(&trusted, &[&expired.der], 1), Err(Failure::Expired));
    assert_eq!(verify(&trusted, &[&early.der], 1), Err(Failure::NotYetValid));
    let own_expired = own(year(named("old"), 2020, 2021));
    assert_eq!(
        verify(&trusted, &[&own_expired.der], 1),
        Err(Failure::Expired),
        "worse than untrusted"
    );
    let old_ca = own(year(authority("old ca"), 2020, 2021));
    let client = old_ca.client("client");
    assert_eq!(verify(&trust(&[&old_ca], &[]), &[&client.der], 1), Err(Failure::Expired));
    let old_intermediate = ca.issues(year(authority("middle"), 2020, 2021));
    let client = old_intermediate.client("client");
    assert_eq!(verify(&trusted, &[&client.der, &old_intermediate.der], 1), Err(Failure::Expired));
}

#[test]
fn depth_counts_what_is_between() {
    let root = own(authority("root"));
    let one = root.issues(authority("one"));
    let two = one.issues(authority("two"));
    let (near, middle, far) = (root.client("a"), one.client("b"), two.client("c"));
    let trusted = trust(&[&root], &[]);
    assert_eq!(verify(&trusted, &[&near.der], 1), Ok(()));
    assert_eq!(verify(&trusted, &[&middle.der, &one.der], 1), Ok(()));
    assert_eq!(verify(&trusted, &[&far.der, &two.der, &one.der], 1), Err(Failure::TooLong));
    assert_eq!(verify(&trusted, &[&far.der, &one.der, &two.der], 2), Ok(()), "in any order");
    assert_eq!(verify(&trusted, &[&far.der, &two.der], 2), Err(Failure::UnknownIssuer));
    assert_eq!(verify(&trusted, &[&far.der], 2), Err(Failure::UnknownIssuerOfOne));
    let bundle = trust(&[&root, &one, &two], &[]);
    assert_eq!(verify(&bundle, &[&far.der], 2), Ok(()), "known ones need not come along");
    assert_eq!(verify(&bundle, &[&far.der], 1), Err(Failure::TooLong), "and count");
    let headless = trust(&[&one], &[]);
    assert_eq!(verify(&headless, &[&middle.der], 1), Err(Failure::IssuerOfIssuer));
    assert!(!Failure::IssuerOfIssuer.is_only_untrusted());
}

#[test]
fn who_is_no_authority_issues_nothing() {
    let root = own(authority("root"));
    let trusted = trust(&[&root], &[]);
    let client = root.client("client");
    let below = client.client("below");
    assert_eq!(verify(&trusted, &[&below.der, &client.der], 1), Err(Failure::NotAnAuthority));
    let mut params = authority("signs nothing");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let odd = root.issues(params);
    let below = odd.client("below");
    assert_eq!(verify(&trusted, &[&below.der, &odd.der], 1), Err(Failure::NotAnAuthority));
    let mut params = authority("short");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = own(params);
    let middle = short.issues(authority("middle"));
    let below = middle.client("below");
    let found = verify(&trust(&[&short], &[]), &[&below.der, &middle.der], 1);
    assert_eq!(found, Err(Failure::PathLength));
}

#[test]
fn purposes() {
    let ca = own(authority("ca"));
    let trusted = trust(&[&ca], &[]);
    let with = |extended: &[ExtendedKeyUsagePurpose], usages: &[KeyUsagePurpose]| {
        let mut params = named("client");
        params.extended_key_usages = extended.to_vec();
        params.key_usages = usages.to_vec();
        let made = ca.issues(params.clone());
        let (known, own) = (verify(&trusted, &[&made.der], 1), own(params));
        let unknown = verify(&trusted, &[&own.der], 1);
        assert_eq!(known.is_ok(), unknown == Err(Failure::SelfSigned), "worse than untrusted");
        known
    };
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    assert_eq!(with(&[ServerAuth], &[]), Err(Failure::Purpose));
    assert_eq!(with(&[Any], &[]), Err(Failure::Purpose), "as OpenSSL has it");
    assert_eq!(with(&[ServerAuth, ClientAuth], &[]), Ok(()));
    assert_eq!(with(&[], &[KeyUsagePurpose::KeyEncipherment]), Err(Failure::Purpose));
    assert_eq!(
        with(&[], &[KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::DigitalSignature]),
        Ok(())
    );
    assert_eq!(with(&[], &[KeyUsagePurpose::KeyAgreement]), Ok(()));
}

#[test]
fn version_1_and_certificates_of_authorities_are_fine_near_one() {
    let ca = own(authority("ca"));
    let old = ca.issues_old("client", 5);
    let trusted = trust(&[&ca], &[]);
    assert_eq!(verify(&trusted, &[&old], 1), Ok(()));
    let below_of = |middle: &Made| middle.issues_old("client", 6);
    let mut params = authority("middle");
    params.serial_number = Some(SerialNumber::from(77_u64));
    params.key_usages.push(KeyUsagePurpose::DigitalSignature);
    let middle = ca.issues(params);
    assert_eq!(verify(&trusted, &[&middle.der], 1), Ok(()), "a client may be an authority itself");
    let below = middle.issues_old("client", 6);
    assert_eq!(verify(&trusted, &[&below, &middle.der], 1), Ok(()));
    assert_eq!(verify(&trusted, &[&below, &middle.der], 0), Err(Failure::TooLong));
    assert_eq!(verify(&trusted, &[&below], 1), Err(Failure::UnknownIssuerOfOne));
    assert_eq!(verify(&trust(&[&ca, &middle], &[]), &[&below], 1), Ok(()));
    assert_eq!(verify(&trust(&[&middle], &[]), &[&below], 1), Err(Failure::IssuerOfIssuer));
    let client = ca.client("no authority");
    let by_client = client.issues_old("client", 6);
    assert_eq!(verify(&trusted, &[&by_client, &client.der], 1), Err(Failure::NotAnAuthority));
    let namesake = own(authority("ca")).issues(authority("middle"));
    let forged = namesake.issues_old("client", 6);
    assert_eq!(verify(&trusted, &[&forged, &namesake.der], 1), Err(Failure::Signature));
    assert_eq!(verify(&trusted, &[&forged, &middle.der], 1), Err(Failure::Signature));
    let valid = (2020, 2090);
    let lists = |own: &[u64], below: &[u64]| {
        let lists = [ca.revokes(own, valid), middle.revokes(below, valid)];
        verify(&trust(&[&ca], &lists), &[&below_of(&middle), &middle.der], 1)
    };
    assert_eq!(lists(&[], &[]), Ok(()));
    assert_eq!(lists(&[], &[6]), Err(Failure::Revoked));
    assert_eq!(lists(&[77], &[]), Err(Failure::Revoked));
    let far = middle.issues(authority("far"));
    let below_far = far.issues_old("client", 6);
    let chain = [&below_far, &far.der, &middle.der];
    assert!(verify(&trusted, &chain, 5).is_err(), "not further");

    let mut forged = old.to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(verify(&trusted, &[&CertificateDer::from(forged)], 1), Err(Failure::Signature));
    let other = own(authority("other"));
    assert_eq!(
        verify(&trusted, &[&other.issues_old("client", 5)], 1),
        Err(Failure::UnknownIssuerOfOne)
    );
    let namesake = own(authority("ca"));
    assert_eq!(verify(&trusted, &[&namesake.issues_old("c", 5)], 1), Err(Failure::Signature));
    let revoking = trust(&[&ca], &[ca.revokes(&[5], (2020, 2090))]);
    assert_eq!(verify(&revoking, &[&old], 1), Err(Failure::Revoked));
    assert_eq!(verify(&revoking, &[&ca.issues_old("client", 6)], 1), Ok(()));
}
