//! The server name in the first message of a TLS connection, read without taking part in the handshake (RFC 8446 §4.1.2,
//! RFC 6066 §3). What is not understood is left to those who do take part.

/// Longest first message that is looked at, in bytes.
const LONGEST: usize = 64 * 1024;
/// Records that it may be in. Clients need one or two; in more no server name is looked for.
const MOST_RECORDS: usize = 64;
/// Longest record (RFC 8446 §5.1), which the plaintext of a first message never exceeds.
const LONGEST_RECORD: usize = 16 * 1024;
/// Bytes in front of a record: type, version, length.
pub const RECORD_HEAD: usize = 5;

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;

/// What the bytes at the begin of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// The begin of a first message.
    Partial,
    /// A whole one, with the server name as the client wrote it, if it names any.
    Whole(Option<Box<[u8]>>),
    /// Something else.
    Other,
}

/// How long the record is whose head this is, its head not counted; `None` if it is no record of a handshake.
pub fn record_length(head: [u8; RECORD_HEAD]) -> Option<usize> {
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    let is_fine =
        head[0] == HANDSHAKE_RECORD && head[1] == 3 && (1..=LONGEST_RECORD).contains(&length);
    is_fine.then_some(length)
}

/// The first message of a connection, as far as it has come. It may be in several records.
#[derive(Debug, Default)]
pub struct Reader {
    message: Vec<u8>,
    records: usize,
}

impl Reader {
    /// Takes the content of one record more, which costs no more than its length however many there were.
    pub fn record(&mut self, fragment: &[u8]) -> Hello {
        self.records += 1;
        if self.message.len() + fragment.len() > LONGEST {
            return Hello::Other;
        }
        self.message.extend_from_slice(fragment);
        match whole_message(&self.message) {
            Some(Hello::Partial) | None if self.records < MOST_RECORDS => Hello::Partial,
            Some(Hello::Partial) | None => Hello::Other,
            Some(done) => done,
        }
    }
}

/// Reads the first message of a connection from its first bytes.
#[cfg(any(test, fuzzing))]
pub fn parse(mut bytes: &[u8]) -> Hello {
    let mut reader = Reader::default();
    loop {
        let Some((head, rest)) = bytes.split_first_chunk::<RECORD_HEAD>() else {
            return Hello::Partial;
        };
        let Some(length) = record_length(*head) else { return Hello::Other };
        let Some((fragment, rest)) = rest.split_at_checked(length) else { return Hello::Partial };
        match reader.record(fragment) {
            Hello::Partial => bytes = rest,
            done => return done,
        }
    }
}

/// The message, if all of it is here.
fn whole_message(message: &[u8]) -> Option<Hello> {
    let (kind, rest) = message.split_first()?;
    if *kind != CLIENT_HELLO {
        return Some(Hello::Other);
    }
    let (length, rest) = rest.split_first_chunk::<3>()?;
    let length = u32::from_be_bytes([0, length[0], length[1], length[2]]) as usize;
    if length > LONGEST {
        return Some(Hello::Other);
    }
    let body = rest.get(..length)?;
    Some(server_name(body).map_or(Hello::Other, Hello::Whole))
}

/// The server name in the body of the message; the outer `None` is a body that is none.
fn server_name(body: &[u8]) -> Option<Option<Box<[u8]>>> {
    // Version and random.
    let (_, rest) = body.split_at_checked(34)?;
    let (_session, rest) = vector::<1>(rest)?;
    let (_suites, rest) = vector::<2>(rest)?;
    let (_compressions, rest) = vector::<1>(rest)?;
    if rest.is_empty() {
        return Some(None);
    }
    let (mut extensions, _) = vector::<2>(rest)?;
    while !extensions.is_empty() {
        let (kind, rest) = extensions.split_first_chunk::<2>()?;
        let (content, rest) = vector::<2>(rest)?;
        if u16::from_be_bytes(*kind) == SERVER_NAME {
            return first_name(content);
        }
        extensions = rest;
    }
    Some(None)
}

fn first_name(content: &[u8]) -> Option<Option<Box<[u8]>>> {
    let (mut list, _) = vector::<2>(content)?;
    while let Some((kind, rest)) = list.split_first() {
        let (name, rest) = vector::<2>(rest)?;
        if *kind == HOST_NAME {
            return Some(Some(name.into()));
        }
        list = rest;
    }
    Some(None)
}

/// Bytes behind their length, which is in `N` bytes, and what follows.
fn vector<const N: usize>(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<N>()?;
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::aws_lc_rs};

    use super::*;

    /// The first bytes of a real client that names this server, or none.
    fn hello(name: Option<&str>) -> Vec<u8> {
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
        config.enable_sni = name.is_some();
        let name = name.unwrap_or("unused.test").to_owned().try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    fn whole(name: Option<&str>) -> Hello {
        Hello::Whole(name.map(|name| name.as_bytes().into()))
    }

    #[test]
    fn the_name_is_found_as_soon_as_everything_is_there() {
        let bytes = hello(Some("a.test"));
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]), Hello::Partial, "{length}");
        }
        assert_eq!(parse(&bytes), whole(Some("a.test")));
        assert_eq!(parse(&[&bytes[..], b"more"].concat()), whole(Some("a.test")));
        assert_eq!(parse(&hello(None)), whole(None));
    }

    #[test]
    fn the_case_of_the_name_is_kept() {
        let bytes = hello(Some("a.test"));
        let at = bytes.windows(6).position(|part| part == b"a.test").unwrap();
        let mut upper = bytes;
        upper[at] = b'A';
        assert_eq!(parse(&upper), whole(Some("A.test")));
    }

    #[test]
    fn a_message_may_be_in_several_records() {
        let bytes = hello(Some("a.test"));
        let message = &bytes[RECORD_HEAD..];
        let record = |part: &[u8]| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&[22, 3, 1], &length[..], part].concat()
        };
        for at in [1, 3, 4, 100, message.len() - 1] {
            let split = [record(&message[..at]), record(&message[at..])].concat();
            assert_eq!(parse(&split), whole(Some("a.test")), "{at}");
        }
    }

    #[test]
    fn nothing_is_looked_for_in_too_many_records() {
        let bytes = hello(Some("a.test"));
        let message = &bytes[RECORD_HEAD..];
        let in_records = |single: usize| {
            let (begin, end) = message.split_at(single);
            let mut reader = Reader::default();
            for byte in begin {
                match reader.record(&[*byte]) {
                    Hello::Partial => {}
                    done => return done,
                }
            }
            reader.record(end)
        };
        assert_eq!(in_records(MOST_RECORDS - 1), whole(Some("a.test")));
        assert_eq!(in_records(MOST_RECORDS), Hello::Other);
    }

    #[test]
    fn anything_else_is_not_understood() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            &[22, 2, 0, 0, 1, 1],
            &[22, 3, 1, 0, 0],
            &[22, 3, 1, 0xff, 0xff],
            &[22, 3, 1, 0, 4, 2, 0, 0, 0],
            &[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff],
            &[22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3],
        ] {
            assert_eq!(parse(bytes), Hello::Other, "{bytes:?}");
        }
    }

    #[test]
    fn broken_messages_do_no_harm() {
        let bytes = hello(Some("a.test"));
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut broken = bytes.clone();
                broken[at] = value;
                super::super::fuzz::client_hello(&broken);
            }
        }
    }
}
