//! Certificates that are good, and what is wrong with the others.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    DistinguishedName as Name, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, SigningKey, date_time_ymd,
};

use super::*;

/// A certificate with its key, and what it issues others by.
struct Made {
    der: CertificateDer<'static>,
    params: CertificateParams,
    key: KeyPair,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = Name::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn own(params: CertificateParams) -> Made {
    let key = KeyPair::generate().expect("a key");
    let der = params.self_signed(&key).expect("a certificate").der().clone();
    Made { der, params, key }
}

impl Made {
    fn issues(&self, params: CertificateParams) -> Made {
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::from_params(&self.params, &self.key);
        let der = params.signed_by(&key, &issuer).expect("a certificate").der().clone();
        Made { der, params, key }
    }

    fn client(&self, name: &str) -> Made {
        self.issues(named(name))
    }

    /// A list with these serial numbers that is valid for these years.
    fn revokes(&self, serials: &[u64], years: (i32, i32)) -> Vec<u8> {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(years.0, 1, 1),
            next_update: date_time_ymd(years.1, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = Issuer::from_params(&self.params, &self.key);
        list.signed_by(&issuer).expect("a list").der().to_vec()
    }

    /// A certificate of version 1, as `openssl x509 -req` makes them without extensions.
    fn issues_old(&self, name: &str, serial: u8) -> CertificateDer<'static> {
        let template = self.client(name);
        let (_, parsed) = X509Certificate::from_der(&template.der).expect("a certificate");
        let outer = fields(&template.der);
        let inner = fields(outer[0]);
        // version, serial number, algorithm, issuer, validity, subject, key
        let body = [
            &[2, 1, serial][..],
            inner[2],
            inner[3],
            inner[4],
            parsed.subject().as_raw(),
            inner[6],
        ];
        let body = tlv(0x30, &body.concat());
        let signature = tlv(3, &[&[0], &self.key.sign(&body).expect("signed")[..]].concat());
        CertificateDer::from(tlv(0x30, &[&body, outer[1], &signature].concat()))
    }
}

fn tlv(tag: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("small");
    let head = match length {
        0..0x80 => vec![tag, length as u8],
        _ => [&[tag, 0x82][..], &length.to_be_bytes()].concat(),
    };
    [head, data.to_vec()].concat()
}

/// The fields of a sequence, with their heads.
fn fields(der: &[u8]) -> Vec<&[u8]> {
    use x509_parser::asn1_rs::{Any, FromDer};
    let (_, outer) = Any::from_der(der).expect("a sequence");
    let (mut rest, mut found) = (outer.data, Vec::new());
    while !rest.is_empty() {
        let (left, _) = Any::from_der(rest).expect("a field");
        found.push(&rest[..rest.len() - left.len()]);
        rest = left;
    }
    found
}

fn trust(certificates: &[&Made], lists: &[Vec<u8>]) -> Trust {
    let certificates = certificates.iter().map(|made| made.der.to_vec()).collect();
    Trust::new(&Arc::new(Authorities { certificates, revocation_lists: lists.to_vec() }))
        .expect("authorities")
}

fn verify(trust: &Trust, chain: &[&CertificateDer<'static>], depth: u32) -> Result<(), Failure> {
    let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
    trust.verify(&Identity::new(&chain).expect("a certificate"), depth, UnixTime::now())
}

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
