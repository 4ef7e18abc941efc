//! What the fuzz target of client streams runs, and what has to hold for any bytes. A test runs the same on random
//! bytes, so that it keeps compiling and holding without the fuzzer.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use http::HeaderValue;
use hyper::rt::Read;
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    client_hello::{self, Hello},
    conn::Connection,
    guard::{Guarded, STAND_IN},
    proxy_protocol::{Parsed, parse},
};

/// Looks for a PROXY header. One that is found is found in the same bytes alone, and nothing less is one.
pub fn proxy_header(data: &[u8]) {
    let Parsed::Header(length, addresses) = parse(data) else { return };
    assert_eq!(parse(&data[..length]), Parsed::Header(length, addresses));
    for known in 0..length {
        let parsed = parse(&data[..known]);
        assert!(matches!(parsed, Parsed::Partial(more) if known < more && more <= length));
    }
}

/// Looks for the first message of a TLS connection. What is one stays the same whatever follows it, and nothing less is one
/// or is something else.
pub fn client_hello(data: &[u8]) {
    let whole = client_hello::parse(data);
    let begin = client_hello::parse(&data[..data.len() / 2]);
    assert!(begin == Hello::Partial || begin == whole, "{begin:?} becomes {whole:?}");
    if whole != Hello::Partial {
        assert_eq!(client_hello::parse(&[data, b"more"].concat()), whole);
    }
}

/// A stream that gives one piece after the other, and then nothing for the time being.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(piece) = self.0.front_mut() else { return Poll::Pending };
        let count = piece.len().min(out.remaining());
        out.put_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            self.0.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

/// What the HTTP library gets to see of a client.
#[derive(Debug)]
struct Shown {
    bytes: Vec<u8>,
    /// The heads, with whether each is refused.
    heads: Vec<bool>,
    malformed: bool,
}

/// Reads a stream that arrives in three pieces, cut where the first bytes say, into a buffer of a size that they say
/// as well, and in one.
pub fn client_stream(data: &[u8]) {
    let [room, first, second, bytes @ ..] = data else { return };
    let (head, rest) = bytes.split_at(usize::from(*first).min(bytes.len()));
    let (middle, tail) = rest.split_at(usize::from(*second).min(rest.len()));
    let whole = show(&[bytes], 8192);
    let cut = show(&[head, middle, tail], usize::from(*room) + 1);
    assert_eq!((&whole.heads, whole.malformed), (&cut.heads, cut.malformed));
    // How much is shown of a malformed chunk does not matter.
    let common = if whole.malformed { whole.bytes.len().min(cut.bytes.len()) } else { usize::MAX };
    let common = |shown: &Shown| shown.bytes[..common.min(shown.bytes.len())].to_vec();
    assert_eq!(common(&whole), common(&cut));
    check(&whole);
    check(&cut);
}

fn show(pieces: &[&[u8]], room: usize) -> Shown {
    let peer = ([127, 0, 0, 1], 1).into();
    let connection = Arc::new(Connection::new(peer, peer, HeaderValue::from_static("80"), false));
    let pieces = pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| piece.to_vec());
    let pieces = Pieces(pieces.collect());
    let limits = headgate_config::HeadLimits::default();
    let mut guarded = Guarded::new(pieces, Arc::clone(&connection), Vec::new(), limits);
    let mut shown = Shown { bytes: Vec::new(), heads: Vec::new(), malformed: false };
    let mut cx = Context::from_waker(Waker::noop());
    let mut buffer = vec![0; room];
    loop {
        let mut out = hyper::rt::ReadBuf::new(&mut buffer);
        match Pin::new(&mut guarded).poll_read(&mut cx, out.unfilled()) {
            Poll::Ready(Ok(())) => shown.bytes.extend_from_slice(out.filled()),
            Poll::Ready(Err(_)) => shown.malformed = true,
            Poll::Pending => {}
        }
        if !out.filled().is_empty() {
            continue;
        }
        // Nothing more comes before everything is answered. Behind a request that wanted to change the protocol the
        // stream goes on then.
        let before = shown.heads.len();
        while !connection.is_answered() {
            shown.heads.push(connection.pop_head().refusal.is_some());
        }
        if shown.malformed || shown.heads.len() == before {
            return shown;
        }
    }
}

/// Whether the library's parser finds the same requests in what is shown, each with one host and one framing.
fn check(shown: &Shown) {
    let mut rest = &shown.bytes[..];
    for (index, refused) in shown.heads.iter().enumerate() {
        if *refused {
            assert_eq!((rest, index + 1), (STAND_IN, shown.heads.len()));
            return;
        }
        let mut lines = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut lines);
        let Ok(httparse::Status::Complete(length)) = request.parse(rest) else {
            unreachable!("no head: {:?}", String::from_utf8_lossy(rest));
        };
        let all = |name: &str| -> Vec<&[u8]> {
            let lines = request.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name));
            lines.map(|line| line.value).collect()
        };
        assert!(all("host").len() <= 1);
        rest = &rest[length..];
        let body = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
            ([], []) => Some(0),
            ([length], []) => std::str::from_utf8(length).expect("digits").trim().parse().ok(),
            ([], [coding]) if coding.trim_ascii().eq_ignore_ascii_case(b"chunked") => chunks(rest),
            framing => unreachable!("ambiguous: {framing:?}"),
        };
        match body.filter(|length| *length <= rest.len()) {
            Some(length) => rest = &rest[length..],
            // The rest of the body has not come, or is refused.
            None => {
                assert_eq!(index + 1, shown.heads.len());
                return;
            }
        }
    }
    assert!(rest.is_empty() && !shown.malformed, "more than the requests");
}

/// The length of a chunked body, if all of it is there.
fn chunks(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    loop {
        let line = take_line(&mut rest)?;
        let digits = line.split(|byte| b"; \t".contains(byte)).next()?;
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if size == 0 {
            while !take_line(&mut rest)?.is_empty() {}
            return Some(bytes.len() - rest.len());
        }
        rest = rest.get(size.checked_add(2)?..)?;
    }
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    Some(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::noise;

    /// Pipelines of pieces that mean something, and a little noise.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let pieces = prop::sample::select(vec![
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "GET /\"# HTTP/1.1\r\nHost: a\r\nX@Y: 1\r\n\r\n",
            "GET / HTTP/1.0\n\n",
            "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n",
            "1;a=b\r\nx\r\n",
            "0\r\n\r\n",
            "0\r\nT: v\r\n\r\n",
            "\r\n",
            "\n",
            "zz\r\n",
        ]);
        let parts = (any::<[u8; 3]>(), prop::collection::vec(pieces, 1..6), noise::noise());
        parts.prop_map(|(cuts, pieces, noise)| {
            noise::with([&cuts[..], pieces.concat().as_bytes()].concat(), noise)
        })
    }

    #[test]
    fn a_carriage_return_alone_in_front_of_a_request_is_not_shown() {
        let shown = super::show(&[b"\n\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"], 8192);
        assert_eq!(shown.bytes, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        super::check(&shown);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_fuzz_target_holds_for_random_streams(data in streams()) {
            super::client_stream(&data);
        }
    }
}
