use proptest::prelude::*;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::*;

fn addresses_of(bytes: &[u8]) -> Option<(String, String)> {
    match parse(bytes) {
        Parsed::Header(length, Some(Addresses { source, destination })) => {
            assert_eq!(length, bytes.len());
            Some((source.to_string(), destination.to_string()))
        }
        _ => None,
    }
}

fn pair(source: &str, destination: &str) -> Option<(String, String)> {
    Some((source.into(), destination.into()))
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[0x20 | command, family], &length, rest].concat()
}

#[test]
fn both_versions_name_both_ends() {
    assert_eq!(
        addresses_of(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"),
        pair("192.168.0.1:56324", "192.168.0.11:443")
    );
    assert_eq!(
        addresses_of(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"),
        pair("[2001:db8::1]:1", "[2001:db8::2]:65535")
    );
    let four = [192, 0, 2, 1, 198, 51, 100, 1, 0x1f, 0x90, 0x01, 0xbb];
    assert_eq!(addresses_of(&binary(1, 0x11, &four)), pair("192.0.2.1:8080", "198.51.100.1:443"));
    let with_more = [&four[..], &[4, 0, 1, 9]].concat();
    assert_eq!(
        addresses_of(&binary(1, 0x11, &with_more)),
        pair("192.0.2.1:8080", "198.51.100.1:443")
    );
    let mut six = [0; 36];
    (six[15], six[31], six[33], six[35]) = (1, 2, 3, 4);
    assert_eq!(addresses_of(&binary(1, 0x21, &six)), pair("[::1]:3", "[::2]:4"));
}

#[test]
fn a_load_balancer_may_speak_for_itself() {
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(),
        binary(0, 0, &[]),
        binary(0, 0x11, &[1]),
        binary(1, 0, &[]),
        binary(1, 0x12, &[0; 12]),
        binary(1, 0x31, &[0; 216]),
    ] {
        assert_eq!(parse(&header), Parsed::Header(header.len(), None), "{header:?}");
        super::super::fuzz::proxy_header(&header);
    }
}

#[test]
fn anything_else_is_malformed() {
    for text in [
        "GET / HTTP/1.1\r\n",
        "PROXY",
        "PROXYTCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
        "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
        "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n\r\n",
        "PROXY UNKNOWNS\r\n",
    ] {
        let parsed = parse(text.as_bytes());
        let is_begin = "PROXY ".starts_with(text);
        assert_eq!(parsed == Parsed::Malformed, !is_begin, "{text:?}: {parsed:?}");
    }
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_TEXT));
    assert_eq!(parse(long.as_bytes()), Parsed::Malformed);
    for header in [binary(2, 0x11, &[0; 12]), binary(1, 0x11, &[0; 11]), binary(1, 0x21, &[0; 35])]
    {
        assert_eq!(parse(&header), Parsed::Malformed, "{header:?}");
    }
    let mut other_version = binary(1, 0x11, &[0; 12]);
    other_version[12] = 0x11;
    assert_eq!(parse(&other_version), Parsed::Malformed);
    assert_eq!(parse(&binary(1, 0x11, &[0; LONGEST_BINARY])), Parsed::Malformed);
}

/// Reads a header, and then what is behind it.
async fn read_from(bytes: Vec<u8>, piece: usize) -> (io::Result<Option<Proxied>>, Vec<u8>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let write = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in bytes.chunks(piece) {
            // The other side may have gone.
            if stream.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let read = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let header = read(&mut stream).await;
        let mut rest = Vec::new();
        if header.is_ok() {
            stream.read_to_end(&mut rest).await.unwrap();
        }
        (header, rest)
    };
    let (read, ()) = tokio::join!(read, write);
    read
}

#[tokio::test]
async fn exactly_the_header_is_taken() {
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec(),
        b"PROXY TCP6 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff ::1 65535 65535\r\n".to_vec(),
        binary(1, 0x11, &[1; 12]),
        binary(0, 0, &[]),
        binary(1, 0x21, &[1; 300]),
    ] {
        for piece in [1, 7, 4096] {
            let bytes = [&header[..], b"\r\nGET / HTTP/1.1\r\n\r\n"].concat();
            let (read, rest) = read_from(bytes, piece).await;
            assert!(read.is_ok(), "{header:?}");
            assert_eq!(rest, b"\r\nGET / HTTP/1.1\r\n\r\n", "{header:?}");
        }
    }
    for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"PROXY TCP4 1.1.1.1", b""] {
        assert!(read_from(bytes.to_vec(), 4096).await.0.is_err());
    }
}

proptest! {
    #[test]
    fn what_is_partial_becomes_whole_and_never_asks_for_too_much(
        bytes in prop_oneof![
            any::<([u8; 4], [u8; 4], u16, u16)>().prop_map(|(a, b, c, d)| {
                let (a, b) = (Ipv4Addr::from(a), Ipv4Addr::from(b));
                format!("PROXY TCP4 {a} {b} {c} {d}\r\n").into_bytes()
            }),
            any::<([u8; 16], [u8; 16], u16, u16)>().prop_map(|(a, b, c, d)| {
                let (a, b) = (Ipv6Addr::from(a), Ipv6Addr::from(b));
                format!("PROXY TCP6 {a} {b} {c} {d}\r\n").into_bytes()
            }),
            prop::collection::vec(any::<u8>(), 36..200).prop_map(|rest| binary(1, 0x21, &rest)),
        ],
    ) {
        prop_assert!(matches!(parse(&bytes), Parsed::Header(length, Some(_)) if length == bytes.len()));
        let oracle = proxy_header::ProxyHeader::parse(&bytes, proxy_header::ParseConfig::default());
        let (header, length) = oracle.unwrap();
        prop_assert_eq!(length, bytes.len());
        let theirs = header.proxied_address().map(|both| (both.source, both.destination));
        let Parsed::Header(_, ours) = parse(&bytes) else { unreachable!() };
        prop_assert_eq!(ours.map(|both| (both.source, both.destination)), theirs);
        for known in 0..bytes.len() {
            let parsed = parse(&bytes[..known]);
            let fine = matches!(parsed, Parsed::Partial(more) if more > known && more <= bytes.len());
            prop_assert!(fine, "{known} of {}: {parsed:?}", bytes.len());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let with_signature = [&SIGNATURE[..], &bytes].concat();
        let with_word = [&b"PROXY "[..], &bytes].concat();
        for bytes in [bytes, with_signature, with_word] {
            super::super::fuzz::proxy_header(&bytes);
        }
    }
}
