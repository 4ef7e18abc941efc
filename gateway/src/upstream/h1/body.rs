//! The body of an answer: which of the bytes that arrive belong to it. No I/O.

use bytes::{Buf, Bytes};

use crate::{error::ProxyError, listen::chunk::ChunkScan};

/// How far a body has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// This many bytes are left. Zero: the body is complete.
    Length(u64),
    /// A chunked body.
    Chunked(Chunks),
    /// All that comes until the connection is closed.
    Close,
}

/// State of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks(ChunkScan);

impl Decoder {
    /// At the start of a chunked body.
    pub fn chunked() -> Self {
        Self::Chunked(Chunks(ChunkScan::START))
    }

    /// Whether all of the body was taken.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(Chunks(scan)) => *scan == ChunkScan::Done,
            Self::Close => false,
        }
    }

    /// Bytes that are left, if that is known.
    pub fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) => self.is_done().then_some(0),
            Self::Close => None,
        }
    }

    /// Takes the next piece of the body from the front of `bytes`, and the framing around it. `None`: the body is
    /// done, or `bytes` is used up.
    ///
    /// # Errors
    /// [`ProxyError::InvalidAnswer`]: the chunks are malformed.
    pub fn next(
        &mut self,
        bytes: &mut Bytes,
        trailers: &mut Vec<u8>,
    ) -> Result<Option<Bytes>, ProxyError> {
        let piece = match self {
            Self::Length(left) => {
                let taken = (*left).min(bytes.len() as u64);
                *left -= taken;
                bytes.split_to(taken as usize)
            }
            Self::Chunked(Chunks(scan)) => {
                let framing = scan.advance_framing(bytes, |byte| trailers.push(byte));
                bytes.advance(framing.map_err(|_| ProxyError::InvalidAnswer)?);
                let piece = bytes.split_to(scan.take_data(bytes.len()));
                // The end of the body usually comes with its last data: to know it now saves the reader a turn.
                let mut ahead = *scan;
                let before = trailers.len();
                if let Ok(framing) = ahead.advance_framing(bytes, |byte| trailers.push(byte)) {
                    bytes.advance(framing);
                    *scan = ahead;
                } else {
                    trailers.truncate(before);
                }
                piece
            }
            Self::Close => bytes.split_to(bytes.len()),
        };
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// The connection was closed. Whether that is the end of the body.
    pub fn close(&mut self) -> bool {
        if *self == Self::Close {
            *self = Self::Length(0);
        }
        self.is_done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut decoder: Decoder, parts: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), ProxyError> {
        let (mut body, mut rest) = (Vec::new(), 0);
        for part in parts {
            let mut bytes = Bytes::copy_from_slice(part);
            while let Some(piece) = decoder.next(&mut bytes, &mut Vec::new())? {
                body.extend_from_slice(&piece);
            }
            rest += bytes.len();
        }
        Ok((body, decoder.is_done(), rest))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let done = |body: &[u8], rest| Ok((body.to_vec(), true, rest));
        assert_eq!(read(Decoder::Length(3), &[b"abcdef"]), done(b"abc", 3));
        assert_eq!(read(Decoder::Length(0), &[b"abc"]), done(b"", 3));
        let chunks = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\nHTTP";
        assert_eq!(read(Decoder::chunked(), &[chunks]), done(b"abcde", 4));
        assert_eq!(read(Decoder::Close, &[b"abc", b"d"]), Ok((b"abcd".to_vec(), false, 0)));
    }

    #[test]
    fn the_cut_between_reads_does_not_matter() {
        let chunks = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: 1\r\n\r\n";
        let bytes: Vec<&[u8]> = chunks.chunks(1).collect();
        assert_eq!(read(Decoder::chunked(), &bytes), Ok((b"abcde".to_vec(), true, 0)));
    }

    #[test]
    fn data_in_front_of_bad_framing_comes_out_first() {
        let mut bytes = Bytes::from_static(b"3\r\nabcX");
        let mut decoder = Decoder::chunked();
        assert_eq!(decoder.next(&mut bytes, &mut Vec::new()), Ok(Some(Bytes::from_static(b"abc"))));
        assert_eq!(decoder.next(&mut bytes, &mut Vec::new()), Err(ProxyError::InvalidAnswer));
        assert_eq!(decoder.next(&mut bytes, &mut Vec::new()), Err(ProxyError::InvalidAnswer));
    }

    #[test]
    fn a_closed_connection_ends_only_what_has_no_other_end() {
        assert!(Decoder::Close.close());
        assert!(!Decoder::Length(1).close());
        assert!(!Decoder::chunked().close());
    }
}
