//! Answers malformed HTTP/2 requests with 400.
//!
//! The HTTP/2 library resets the stream of a malformed request before anybody else sees it. A server may send an
//! answer prior to that (RFC 9113 §8.1.1), and the reference does. This writer watches the frames that the library
//! sends: in front of a reset with PROTOCOL_ERROR of a stream that has had no answer it puts one. The answer needs
//! one octet of HPACK, an entry of the static table, so the compression state of the connection is not touched.

use std::{
    collections::BTreeSet,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::conn::Connection;

const FRAME_HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];
/// END_STREAM and END_HEADERS.
const WHOLE: u8 = 5;
/// `:status: 400`, entry 12 of the static table (RFC 7541, appendix A).
const STATUS_400: u8 = 0x8c;
/// How many answered streams are remembered; older ones count as answered.
const REMEMBERED: usize = 1024;

/// An HTTP/2 stream on which malformed requests are answered.
pub struct Answering<S> {
    stream: S,
    connection: Arc<Connection>,
    frames: Frames,
    out: Vec<u8>,
}

impl<S> Answering<S> {
    /// Watches what is written to `stream`; `connection` is told when there is some of an answer in it.
    pub fn new(stream: S, connection: Arc<Connection>) -> Self {
        Self { stream, connection, frames: Frames::default(), out: Vec::new() }
    }
}

/// Follows the frames of one direction.
#[derive(Default)]
struct Frames {
    /// The beginning of a frame that is not passed on yet: a header, and the payload of a reset.
    begun: Vec<u8>,
    /// Payload bytes that are passed on unseen.
    payload: usize,
    /// A frame of an answer's body has begun since somebody asked.
    data: bool,
    answered: BTreeSet<u32>,
    forgotten: u32,
}

impl Frames {
    /// Passes bytes on to `out`, with answers where they belong.
    fn pass(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let count = self.payload.min(bytes.len());
                out.extend_from_slice(&bytes[..count]);
                self.payload -= count;
                bytes = &bytes[count..];
                continue;
            }
            let wanted = self.wanted();
            let count = (wanted - self.begun.len()).min(bytes.len());
            self.begun.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            if self.begun.len() == self.wanted() {
                self.frame(out);
            }
        }
    }

    /// How much of the frame at hand has to be seen.
    fn wanted(&self) -> usize {
        match self.begun.get(3) {
            Some(&RST_STREAM) => FRAME_HEADER + 4,
            _ => FRAME_HEADER,
        }
    }

    /// A frame is seen as far as it has to be.
    fn frame(&mut self, out: &mut Vec<u8>) {
        let begun = std::mem::take(&mut self.begun);
        let length =
            usize::from(begun[0]) << 16 | usize::from(begun[1]) << 8 | usize::from(begun[2]);
        let id = u32::from_be_bytes([begun[5] & 0x7f, begun[6], begun[7], begun[8]]);
        match begun[3] {
            DATA => self.data = true,
            HEADERS => self.remember(id),
            RST_STREAM
                if begun[FRAME_HEADER..] == PROTOCOL_ERROR
                    && id > self.forgotten
                    && !self.answered.contains(&id) =>
            {
                out.extend_from_slice(&[0, 0, 1, HEADERS, WHOLE]);
                out.extend_from_slice(&begun[5..9]);
                out.push(STATUS_400);
                self.remember(id);
            }
            _ => {}
        }
        self.payload = length.saturating_sub(begun.len() - FRAME_HEADER);
        out.extend_from_slice(&begun);
    }

    fn remember(&mut self, id: u32) {
        self.answered.insert(id);
        if self.answered.len() > REMEMBERED
            && let Some(oldest) = self.answered.pop_first()
        {
            self.forgotten = self.forgotten.max(oldest);
        }
    }
}

impl<S: Write + Unpin> Answering<S> {
    /// Writes what waits. Ready when nothing waits any more.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Read + Unpin> Read for Answering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, out)
    }
}

impl<S: Write + Unpin> Write for Answering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // Nothing is taken while something waits: a slow reader is felt by the library.
        ready!(this.poll_out(cx))?;
        this.frames.pass(bytes, &mut this.out);
        if std::mem::take(&mut this.frames.data) {
            this.connection.answer_moves();
        }
        match this.poll_out(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, id: u32, payload: &[u8]) -> Vec<u8> {
        let length = payload.len() as u32;
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&[kind, 0]);
        frame.extend_from_slice(&id.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    fn passed(frames: &[Vec<u8>], piece: usize) -> Vec<u8> {
        let (mut watcher, mut out) = (Frames::default(), Vec::new());
        for bytes in frames.concat().chunks(piece) {
            watcher.pass(bytes, &mut out);
        }
        out
    }

    #[test]
    fn a_reset_of_a_malformed_request_is_led_by_an_answer() {
        let reset = frame(RST_STREAM, 3, &PROTOCOL_ERROR);
        let expected = [&[0, 0, 1, HEADERS, WHOLE, 0, 0, 0, 3, STATUS_400][..], &reset].concat();
        for piece in [1, 4, 100] {
            assert_eq!(passed(std::slice::from_ref(&reset), piece), expected);
        }
    }

    #[test]
    fn everything_else_passes_unchanged() {
        let frames = [
            frame(4, 0, &[0; 12]),
            frame(HEADERS, 1, b"\x88"),
            frame(0, 1, &[7; 300]),
            // Answered already, and another reason.
            frame(RST_STREAM, 1, &PROTOCOL_ERROR),
            frame(RST_STREAM, 3, &[0, 0, 0, 8]),
        ];
        for piece in [1, 7, 1000] {
            assert_eq!(passed(&frames, piece), frames.concat());
        }
    }

    #[test]
    fn streams_that_were_forgotten_count_as_answered() {
        let mut frames: Vec<_> = (0..2000).map(|n| frame(HEADERS, 2 * n + 1, b"\x88")).collect();
        frames.push(frame(RST_STREAM, 1, &PROTOCOL_ERROR));
        assert_eq!(passed(&frames, 4096), frames.concat());
    }
}
