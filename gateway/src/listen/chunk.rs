//! Finds where a chunked body ends, as strictly as RFC 9112 §7.1 is written, and where its data is. No I/O.

/// State of the scan of one chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChunkScan {
    /// In the digits of a chunk size: the value so far and how many digits it has.
    Size(u64, u8),
    /// Behind the digits, up to the end of the line.
    Extension(u64, u32),
    /// After the CR of a size line.
    SizeEnd(u64),
    /// In the data: bytes left.
    Data(u64),
    /// After the data: CR, then LF.
    DataEnd(u8),
    /// In the trailers: bytes on this line, bytes in all.
    Trailer(u32, u32),
    /// After the CR of a trailer line: bytes in all.
    TrailerEnd(u32),
    /// After the CR of the empty line.
    LastEnd,
    /// The byte behind this one belongs to the next message.
    Done,
}

/// A chunk-size line longer than this is refused.
const MAX_EXTENSION: u32 = 4096;
/// Trailers longer than this are refused.
const MAX_TRAILERS: u32 = 16_384;

/// The body violates the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadChunk;

impl ChunkScan {
    /// At the start of a body.
    pub(crate) const START: Self = Self::Size(0, 0);

    /// Consumes bytes up to the end of the body or of `bytes`; says how many.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        let mut at = 0;
        while at < bytes.len() && *self != Self::Done {
            at += self.advance_framing(&bytes[at..], |_| ())?;
            at += self.take_data(bytes.len() - at);
        }
        Ok(at)
    }

    /// Consumes framing up to data, to the end of the body or of `bytes`; says how many bytes. `trailer` sees the
    /// bytes of the trailer section.
    pub(crate) fn advance_framing(
        &mut self,
        bytes: &[u8],
        mut trailer: impl FnMut(u8),
    ) -> Result<usize, BadChunk> {
        let mut at = 0;
        while at < bytes.len() && !matches!(self, Self::Data(_) | Self::Done) {
            let in_trailers =
                matches!(self, Self::Trailer(..) | Self::TrailerEnd(_) | Self::LastEnd);
            *self = self.step(bytes[at])?;
            if in_trailers {
                trailer(bytes[at]);
            }
            at += 1;
        }
        Ok(at)
    }

    /// Consumes data, at most `available` bytes; says how many. Zero outside of data.
    pub(crate) fn take_data(&mut self, available: usize) -> usize {
        let Self::Data(left) = *self else { return 0 };
        let taken = left.min(available as u64);
        *self = if taken == left { Self::DataEnd(b'\r') } else { Self::Data(left - taken) };
        taken as usize
    }

    fn step(self, byte: u8) -> Result<Self, BadChunk> {
        Ok(match (self, byte) {
            (Self::Size(size, digits), _) if byte.is_ascii_hexdigit() && digits < 15 => {
                Self::Size(size << 4 | u64::from(hex(byte)), digits + 1)
            }
            (Self::Size(size, 1..), b'\r') => Self::SizeEnd(size),
            (Self::Size(size, 1..), b';' | b' ' | b'\t') => Self::Extension(size, 0),
            (Self::Extension(size, _), b'\r') => Self::SizeEnd(size),
            (Self::Extension(size, length), b'\t' | 0x20..=0x7e | 0x80..)
                if length < MAX_EXTENSION =>
            {
                Self::Extension(size, length + 1)
            }
            (Self::SizeEnd(0), b'\n') => Self::Trailer(0, 0),
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataEnd(b'\r'), b'\r') => Self::DataEnd(b'\n'),
            (Self::DataEnd(b'\n'), b'\n') => Self::START,
            (Self::Trailer(0, _), b'\r') => Self::LastEnd,
            (Self::Trailer(0, _), b' ' | b'\t' | b'\n') => return Err(BadChunk),
            // A line ends in CRLF and in nothing else: whoever comes next must find the same end.
            (Self::Trailer(_, all), b'\r') => Self::TrailerEnd(all),
            (Self::TrailerEnd(all), b'\n') => Self::Trailer(0, all + 1),
            (Self::Trailer(line, all), b'\t' | 0x20..=0x7e | 0x80..) if all < MAX_TRAILERS => {
                Self::Trailer(line + 1, all + 1)
            }
            (Self::LastEnd, b'\n') => Self::Done,
            _ => return Err(BadChunk),
        })
    }
}

fn hex(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => byte - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(body: &[u8]) -> Result<(usize, bool), BadChunk> {
        let mut scan = ChunkScan::START;
        let at = scan.advance(body)?;
        Ok((at, scan == ChunkScan::Done))
    }

    #[test]
    fn the_end_is_found() {
        assert_eq!(end(b"5\r\nhello\r\n0\r\n\r\nGET"), Ok((15, true)));
        assert_eq!(end(b"0\r\nX-T: 1\r\n\r\nGET"), Ok((13, true)));
        assert_eq!(end(b"A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n"), Ok((26, true)));
        assert_eq!(end(b"5\r\nhel"), Ok((6, false)));
    }

    #[test]
    fn the_cut_between_reads_does_not_matter() {
        let body = b"5\r\nhello\r\n3;e\r\nabc\r\n0\r\nT: v\r\n\r\n";
        let mut scan = ChunkScan::START;
        for byte in body {
            assert_eq!(scan.advance(&[*byte]), Ok(1));
        }
        assert_eq!(scan, ChunkScan::Done);
    }

    #[test]
    fn bad_framing_is_refused() {
        for body in [
            &b"\r\n"[..],
            b"x\r\n",
            b"5\nhello",
            b"-1\r\n",
            b"0x5\r\n",
            b"fffffffffffffffff\r\n",
            b"5\r\nhellox",
            b"5\r\nhello\n",
            b"0\r\n folded\r\n\r\n",
            b"5;\n\r\nhello",
            b"0\r\nx: y\n\r\n",
            b"0\r\nx: y\r\r\n",
            b"0\r\nx: \0\r\n\r\n",
        ] {
            assert_eq!(end(body), Err(BadChunk), "{:?}", String::from_utf8_lossy(body));
        }
    }
}
