//! What an authority has taken back.

use super::*;

#[test]
fn revocation() {
    let with_serial = |serial: u64| {
        let mut params = named("client");
        params.serial_number = Some(SerialNumber::from(serial));
        params
    };
    let (ca, other) = (own(authority("ca")), own(authority("other")));
    let (good, gone) = (ca.issues(with_serial(7)), ca.issues(with_serial(200)));
    let lists = |lists: &[Vec<u8>]| trust(&[&ca, &other], lists);
    let valid = (2020, 2090);
    let current = lists(&[ca.revokes(&[3, 200], valid), other.revokes(&[], valid)]);
    assert_eq!(verify(&current, &[&good.der], 1), Ok(()));
    assert_eq!(verify(&current, &[&gone.der], 1), Err(Failure::Revoked));
    let two = lists(&[ca.revokes(&[], valid), ca.revokes(&[200], (2020, 2021))]);
    assert_eq!(verify(&two, &[&gone.der], 1), Err(Failure::Revoked), "in any of them");
    assert_eq!(verify(&two, &[&good.der], 1), Ok(()));
    let expired = lists(&[ca.revokes(&[], (2020, 2021))]);
    assert_eq!(verify(&expired, &[&good.der], 1), Err(Failure::ListExpired));
    let early = lists(&[ca.revokes(&[], (2089, 2090))]);
    assert_eq!(verify(&early, &[&good.der], 1), Err(Failure::NoRevocationList));
    let of_other = lists(&[other.revokes(&[], valid)]);
    assert_eq!(verify(&of_other, &[&good.der], 1), Err(Failure::NoRevocationList));
    let forged = lists(&[own(authority("ca")).revokes(&[], valid)]);
    assert_eq!(verify(&forged, &[&good.der], 1), Err(Failure::ListSignature));
    // Untrusted ones miss a list as well, but for a single one whose issuer is not known.
    assert_eq!(verify(&current, &[&own(named("me")).der], 1), Err(Failure::NoRevocationList));
    let stranger = own(authority("stranger")).client("client");
    assert_eq!(verify(&current, &[&stranger.der], 1), Err(Failure::UnknownIssuerOfOne));
}

#[test]
fn intermediate_authorities_are_revoked_as_well() {
    let valid = (2020, 2090);
    let root = own(authority("root"));
    let mut params = authority("middle");
    params.serial_number = Some(SerialNumber::from(9_u64));
    let middle = root.issues(params);
    let client = middle.client("client");
    let chain = [&client.der, &middle.der];
    let with = |lists: &[Vec<u8>]| verify(&trust(&[&root], lists), &chain, 1);
    assert_eq!(with(&[root.revokes(&[], valid), middle.revokes(&[], valid)]), Ok(()));
    assert_eq!(
        with(&[root.revokes(&[9], valid), middle.revokes(&[], valid)]),
        Err(Failure::Revoked)
    );
    assert_eq!(with(&[root.revokes(&[], valid)]), Err(Failure::NoRevocationList));
    assert_eq!(with(&[middle.revokes(&[], valid)]), Err(Failure::NoRevocationList));
}
