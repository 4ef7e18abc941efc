//! Names as OpenSSL writes them. Where the `openssl` command is installed it is asked; the table holds what it said.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use proptest::prelude::*;
use x509_parser::prelude::FromDer;

use super::*;

fn tlv(tag: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match data.len() {
        length @ 0..0x80 => out.push(length as u8),
        length @ 0x80..0x100 => out.extend([0x81, length as u8]),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(data);
    out
}

/// An attribute of `2.5.4.`, or of the OID with this content, with a value of a type.
fn attribute(oid: &[u8], tag: u8, data: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(6, oid), tlv(tag, data)].concat())
}

fn rdn(attributes: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x31, &attributes.concat())
}

fn name(rdns: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &rdns.concat())
}

fn written(der: &[u8]) -> Option<String> {
    let (rest, name) = X509Name::from_der(der).expect("a name");
    assert!(rest.is_empty());
    text(&name)
}

const CN: &[u8] = &[0x55, 4, 3];
const O: &[u8] = &[0x55, 4, 10];
const UTF8: u8 = 12;
const PRINTABLE: u8 = 19;
const T61: u8 = 20;
const IA5: u8 = 22;
const UNIVERSAL: u8 = 28;
const BMP: u8 = 30;

fn common(tag: u8, data: &[u8]) -> Vec<u8> {
    name(&[rdn(&[attribute(CN, tag, data)])])
}

/// Odd names, and what `openssl x509 -nameopt RFC2253` makes of them.
fn table() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (name(&[]), ""),
        (common(UTF8, b"client-one"), "CN=client-one"),
        (common(UTF8, b""), "CN="),
        (
            name(&[
                rdn(&[attribute(&[0x55, 4, 6], PRINTABLE, b"DE")]),
                rdn(&[attribute(O, UTF8, b"x")]),
                rdn(&[attribute(CN, UTF8, b"y")]),
            ]),
            "CN=y,O=x,C=DE",
        ),
        (
            name(&[
                rdn(&[attribute(CN, UTF8, b"a"), attribute(O, UTF8, b"b")]),
                rdn(&[attribute(O, UTF8, b"c")]),
            ]),
            "O=c,O=b+CN=a",
        ),
        (common(UTF8, b"a,b+c\"d\\e<f>g;h=i"), r#"CN=a\,b\+c\"d\\e\<f\>g\;h=i"#),
        (common(UTF8, b"#a#"), r"CN=\#a#"),
        (common(UTF8, b"#"), "CN=#"),
        (common(UTF8, b" "), r"CN=\ "),
        (common(UTF8, b"  a  b  "), r"CN=\  a  b \ "),
        (common(UTF8, b"a\0b\r\nc\x7f\t"), r"CN=a\00b\0D\0Ac\7F\09"),
        (common(UTF8, "Jürgen €😀".as_bytes()), r"CN=J\C3\BCrgen \E2\82\AC\F0\9F\98\80"),
        (common(T61, b"J\xfcrgen"), r"CN=J\C3\BCrgen"),
        (common(IA5, b"a@b"), "CN=a@b"),
        (common(BMP, &[0, b'J', 0, 0xfc, 0x20, 0xac]), r"CN=J\C3\BC\E2\82\AC"),
        (common(BMP, &[0, b' ', 0, b',']), r"CN=\ \,"),
        (common(UNIVERSAL, &[0, 1, 0xf6, 0, 0, 0, 0, b'x']), r"CN=\F0\9F\98\80x"),
        (common(3, &[0, b'o']), "CN=#0302006F"),
        (common(0x30, &[2, 1, 7]), "CN=#3003020107"),
        (name(&[rdn(&[attribute(&[0x2a, 3, 4], UTF8, b"hi,")])]), "1.2.3.4=#0C0368692C"),
        (
            name(&[rdn(&[attribute(&[0x2a, 3, 4], UTF8, &[b'x'; 130])])]),
            concat!(
                "1.2.3.4=#0C8182",
                "7878787878787878787878787878787878787878787878787878",
                "7878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878",
                "787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878"
            ),
        ),
        (
            name(&[
                rdn(&[attribute(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], IA5, b"a@b.c")]),
                rdn(&[attribute(
                    &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25],
                    IA5,
                    b"test",
                )]),
                rdn(&[attribute(
                    &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1],
                    UTF8,
                    b"joe",
                )]),
                rdn(&[attribute(&[0x55, 4, 5], PRINTABLE, b"007")]),
                rdn(&[attribute(&[0x55, 4, 97], UTF8, b"VAT-1")]),
                rdn(&[attribute(&[0x55, 4, 42], UTF8, b"Jo")]),
                rdn(&[attribute(&[0x55, 4, 4], UTF8, b"Doe")]),
                rdn(&[attribute(&[0x55, 4, 17], UTF8, b"1")]),
            ]),
            "postalCode=1,SN=Doe,GN=Jo,organizationIdentifier=VAT-1,serialNumber=007,UID=joe,DC=test,emailAddress=a@b.c",
        ),
    ]
}

#[test]
fn odd_names() {
    for (der, expected) in table() {
        if expected.contains("8182") {
            assert!(written(&der).unwrap().starts_with("1.2.3.4=#0C8182787878"), "{der:02x?}");
        } else {
            assert_eq!(written(&der).as_deref(), Some(expected), "{der:02x?}");
        }
    }
}

#[test]
fn names_that_are_none_have_no_text() {
    assert_eq!(written(&common(UTF8, b"\xff\xc3")), None);
    assert_eq!(written(&common(BMP, &[0, b'a', 0])), None);
    assert_eq!(written(&common(UNIVERSAL, &[0, b'a'])), None);
    assert_eq!(written(&common(UNIVERSAL, &[0xff, 0, 0, b'a'])), None);
    assert_eq!(written(&common(BMP, &[0xd8, 0x3d, 0xde, 0])), None);
}

/// What `openssl` makes of a name; `None` where there is no `openssl`, or it refuses the name.
fn openssl(der: &[u8]) -> Option<String> {
    let certificate = certificate_with(der);
    let mut child = Command::new("openssl")
        .args(["x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(&certificate).ok()?;
    let output = child.wait_with_output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let line = line.strip_prefix("subject=")?.trim_end_matches('\n').to_owned();
    output.status.success().then_some(line)
}

/// A certificate of a subject. Nobody looks at its signature.
fn certificate_with(subject: &[u8]) -> Vec<u8> {
    let algorithm = tlv(0x30, &[0x06, 3, 0x2b, 0x65, 0x70]);
    let validity = tlv(0x30, &[tlv(0x17, b"250101000000Z"), tlv(0x17, b"350101000000Z")].concat());
    let key = tlv(0x30, &[algorithm.clone(), tlv(3, &[&[0][..], &[1; 32]].concat())].concat());
    let body =
        [tlv(2, &[1]), algorithm.clone(), name(&[]), validity, subject.to_vec(), key].concat();
    tlv(0x30, &[tlv(0x30, &body), algorithm, tlv(3, &[&[0][..], &[0; 64]].concat())].concat())
}

#[test]
fn openssl_writes_the_same() {
    let is_there = Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_ok();
    for (der, _) in table() {
        let expected = openssl(&der);
        assert_eq!(expected.is_some(), is_there, "{der:02x?}");
        if is_there {
            assert_eq!(written(&der), expected, "{der:02x?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn openssl_writes_any_name_the_same(
        attributes in prop::collection::vec(
            (
                prop::sample::select(vec![CN, O, &[0x55, 4, 5], &[0x2a, 3, 4], &[0x55, 4, 72], &[0x55, 4, 101]]),
                prop::sample::select(vec![UTF8, T61, IA5, 26, BMP, UNIVERSAL, 4, 18]),
                prop::collection::vec(prop_oneof![any::<u8>(), Just(b' '), Just(b'#'), Just(0), 0x20..0x7f_u8], 0..12),
                any::<bool>(),
            ),
            0..5,
        ),
    ) {
        let mut sets: Vec<Vec<Vec<u8>>> = Vec::new();
        for (oid, tag, data, joins) in &attributes {
            let one = attribute(oid, *tag, data);
            match sets.last_mut().filter(|_| *joins) {
                Some(set) => set.push(one),
                None => sets.push(vec![one]),
            }
        }
        // Sets are sorted in DER; OpenSSL sorts them when it reads a certificate and writes it again.
        sets.iter_mut().for_each(|set| set.sort());
        let der = name(&sets.iter().map(|set| rdn(set)).collect::<Vec<_>>());
        if let Ok((_, parsed)) = X509Name::from_der(&der) {
            let text = text(&parsed);
            prop_assert!(text.iter().all(|text| text.bytes().all(|byte| (0x20..0x7f).contains(&byte))));
            if let Some(expected) = openssl(&der) {
                // Names that OpenSSL cannot write are empty there.
                prop_assert_eq!(text.unwrap_or_default(), expected);
            }
        }
    }
}
