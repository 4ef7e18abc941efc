//! What the fuzz target of upstream answers runs, and what has to hold for any bytes. A test runs the same on random
//! bytes, so that it keeps compiling and holding without the fuzzer.

use bytes::{Buf, Bytes, BytesMut};

use super::{
    body::Decoder,
    head::{Parsed, parse},
};

/// What an answer is understood as.
#[derive(Debug, Default, PartialEq)]
struct Understood {
    status: Option<u16>,
    body: Vec<u8>,
    done: bool,
    refused: bool,
    rest: usize,
}

/// Reads an answer that arrives in two pieces, cut where the first bytes say, and in one.
pub fn answer(data: &[u8]) {
    let [flags, low, high, bytes @ ..] = data else { return };
    let (cut, to_head) = (usize::from(u16::from_le_bytes([*low, *high])), flags & 1 == 1);
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    let whole = understand(&[bytes], to_head);
    assert_eq!(whole, understand(&[first, second], to_head));
    assert!(whole.body.len() + whole.rest <= bytes.len());
    if let Some(status) = whole.status {
        assert!(status == 101 || (200..1000).contains(&status));
    }
}

fn understand(pieces: &[&[u8]], to_head: bool) -> Understood {
    let mut seen = Understood::default();
    let mut decoder = None;
    let mut head = BytesMut::new();
    for piece in pieces {
        let mut bytes = Bytes::copy_from_slice(piece);
        if decoder.is_none() {
            head.extend_from_slice(&bytes);
            bytes = Bytes::copy_from_slice(&head);
            decoder = read_head(&mut seen, &mut bytes, to_head);
            head = BytesMut::from(&*bytes);
        }
        if seen.refused {
            return seen;
        }
        let Some(decoder) = &mut decoder else { continue };
        if !read_body(&mut seen, decoder, &mut bytes) {
            return seen;
        }
        seen.rest += bytes.len();
    }
    seen
}

/// Reads heads up to the final one.
fn read_head(seen: &mut Understood, bytes: &mut Bytes, to_head: bool) -> Option<Decoder> {
    while !bytes.is_empty() {
        match parse(bytes, to_head, |_, _| true) {
            Err(_) => seen.refused = true,
            Ok(Parsed::Partial) => {}
            Ok(Parsed::Interim(length)) => {
                bytes.advance(length);
                continue;
            }
            Ok(Parsed::Final { head, body, length, keep_alive }) => {
                assert!(!(keep_alive && body == Decoder::Close));
                bytes.advance(length);
                seen.status = Some(head.status.as_u16());
                return Some(body);
            }
        }
        break;
    }
    None
}

/// Reads the body as far as it goes; false if it is refused.
fn read_body(seen: &mut Understood, decoder: &mut Decoder, bytes: &mut Bytes) -> bool {
    loop {
        match decoder.next(bytes, &mut Vec::new()) {
            Ok(Some(data)) => seen.body.extend_from_slice(&data),
            Ok(None) => {
                seen.done = decoder.is_done();
                assert!(seen.done || bytes.is_empty());
                return true;
            }
            Err(_) => {
                seen.refused = true;
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::noise;

    /// Answers of pieces that mean something, and a little noise.
    fn answers() -> impl Strategy<Value = Vec<u8>> {
        let lines = prop::sample::select(vec![
            "Content-Length: 5\r\n",
            "Content-Length: 0\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Connection: close\r\n",
            "X-A: b\r\n",
        ]);
        let statuses = prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 204 No\r\n",
            "HTTP/1.0 200 OK\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
            "HTTP/1.1 101 Go\r\n",
        ]);
        let bodies = prop::sample::select(vec![
            "hello",
            "5\r\nhello\r\n0\r\n\r\n",
            "1;a=b\r\nx\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "zz\r\n",
        ]);
        let parts = (
            statuses,
            prop::collection::vec(lines, 0..3),
            prop::collection::vec(bodies, 0..3),
            any::<[u8; 3]>(),
            noise::noise(),
        );
        parts.prop_map(|(status, lines, bodies, [flags, low, _], noise)| {
            let text = format!("{status}{}\r\n{}", lines.concat(), bodies.concat());
            noise::with([&[flags, low, 0], text.as_bytes()].concat(), noise)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_fuzz_target_holds_for_random_answers(data in answers()) {
            super::answer(&data);
        }
    }
}
