//! Records of FastCGI (specification §3, §5): written for a request, and read of an answer as they arrive. No I/O.

use bytes::{Buf, Bytes};

use crate::error::ProxyError;

const VERSION: u8 = 1;
const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;
/// The only request of a connection.
const REQUEST: u16 = 1;
const RESPONDER: u16 = 1;
/// Bytes in front of the content of a record.
const HEADER: usize = 8;
/// Content of a record at most; the largest number that needs no padding.
const MOST_CONTENT: usize = 0xfff8;
/// `protocolStatus` of a request that was served.
const COMPLETE: u8 = 0;

/// A request while it is written, up to its body.
pub struct Request {
    bytes: Vec<u8>,
    parameters: Vec<u8>,
}

impl Request {
    /// A request to a responder, behind whose answer the connection ends.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(1024);
        header(BEGIN_REQUEST, 8, &mut bytes);
        bytes.extend_from_slice(&RESPONDER.to_be_bytes());
        // Neither flags nor what is reserved.
        bytes.extend_from_slice(&[0; 6]);
        Self { bytes, parameters: Vec::with_capacity(1024) }
    }

    /// Adds a parameter.
    pub fn parameter(&mut self, name: &[u8], value: &[u8]) {
        for text in [name, value] {
            match u8::try_from(text.len()) {
                Ok(length @ ..0x80) => self.parameters.push(length),
                _ => {
                    // Nothing that comes by a head is longer.
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX) | 1 << 31;
                    self.parameters.extend_from_slice(&length.to_be_bytes());
                }
            }
        }
        self.parameters.extend_from_slice(name);
        self.parameters.extend_from_slice(value);
    }

    /// All records in front of the body.
    pub fn finish(mut self) -> Vec<u8> {
        for piece in self.parameters.chunks(MOST_CONTENT) {
            header(PARAMS, piece.len(), &mut self.bytes);
            self.bytes.extend_from_slice(piece);
        }
        header(PARAMS, 0, &mut self.bytes);
        self.bytes
    }
}

/// Takes the next piece of a body: what is in front of it in its record, and the piece.
pub fn body_piece(body: &mut Bytes) -> (Vec<u8>, Bytes) {
    let piece = body.split_to(body.len().min(MOST_CONTENT));
    let mut front = Vec::with_capacity(HEADER);
    header(STDIN, piece.len(), &mut front);
    (front, piece)
}

fn header(kind: u8, length: usize, out: &mut Vec<u8>) {
    let length = u16::try_from(length).expect("pieces are cut to fit");
    let [id_high, id_low] = REQUEST.to_be_bytes();
    let [high, low] = length.to_be_bytes();
    out.extend_from_slice(&[VERSION, kind, id_high, id_low, high, low, 0, 0]);
}

/// What an application says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A piece of its answer.
    Output(Bytes),
    /// A piece of what it complains about.
    Complaint(Bytes),
    /// The answer has ended, but the request has not.
    NoMoreOutput,
    /// The request has ended.
    End,
}

/// Reads records that arrive in pieces.
#[derive(Debug, Default)]
pub struct Records {
    header: [u8; HEADER],
    /// Bytes of the header that are here.
    have: usize,
    /// Bytes of the content that are to come.
    content: usize,
    /// … and of the padding behind it.
    padding: usize,
    /// The content of `END_REQUEST` so far.
    end: Vec<u8>,
    ended: bool,
}

impl Records {
    /// Takes the next thing that is said from the front of `bytes`. `None`: `bytes` is used up, or nothing follows.
    ///
    /// # Errors
    /// [`ProxyError::InvalidAnswer`]: it is no FastCGI, or not about our request.
    pub fn next(&mut self, bytes: &mut Bytes) -> Result<Option<Said>, ProxyError> {
        loop {
            if self.ended || bytes.is_empty() {
                return Ok(None);
            }
            if self.have < HEADER {
                let taken = bytes.len().min(HEADER - self.have);
                self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
                bytes.advance(taken);
                self.have += taken;
                if self.have == HEADER
                    && let Some(said) = self.begin()?
                {
                    return Ok(Some(said));
                }
            } else if self.content > 0 {
                let piece = bytes.split_to(bytes.len().min(self.content));
                self.content -= piece.len();
                match self.header[1] {
                    STDOUT => return Ok(Some(Said::Output(piece))),
                    STDERR => return Ok(Some(Said::Complaint(piece))),
                    _ => {
                        if let Some(said) = self.end(&piece)? {
                            return Ok(Some(said));
                        }
                    }
                }
            } else {
                let skipped = bytes.len().min(self.padding);
                bytes.advance(skipped);
                self.padding -= skipped;
                if self.padding == 0 {
                    self.have = 0;
                }
            }
        }
    }

    /// Looks at a header that is complete.
    fn begin(&mut self) -> Result<Option<Said>, ProxyError> {
        let [version, kind, id_high, id_low, high, low, padding, _] = self.header;
        let is_ours = u16::from_be_bytes([id_high, id_low]) == REQUEST;
        if version != VERSION || !is_ours || !matches!(kind, STDOUT | STDERR | END_REQUEST) {
            return Err(ProxyError::InvalidAnswer);
        }
        self.content = usize::from(u16::from_be_bytes([high, low]));
        self.padding = usize::from(padding);
        if kind == END_REQUEST && self.content < 8 {
            return Err(ProxyError::InvalidAnswer);
        }
        let is_end = kind == STDOUT && self.content == 0;
        if self.content + self.padding == 0 {
            self.have = 0;
        }
        Ok(is_end.then_some(Said::NoMoreOutput))
    }

    fn end(&mut self, piece: &[u8]) -> Result<Option<Said>, ProxyError> {
        let wanted = 8 - self.end.len().min(8);
        self.end.extend_from_slice(&piece[..piece.len().min(wanted)]);
        match self.end.get(4) {
            None => Ok(None),
            Some(&COMPLETE) if self.end.len() < 8 => Ok(None),
            Some(&COMPLETE) => {
                self.ended = true;
                Ok(Some(Said::End))
            }
            // It is overloaded, or does not know what a responder is.
            Some(_) => Err(ProxyError::UpstreamClosed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, content: &[u8], padding: usize) -> Vec<u8> {
        let mut out = Vec::new();
        header(kind, content.len(), &mut out);
        out[6] = padding as u8;
        [&out[..], content, &vec![0xee; padding]].concat()
    }

    fn read(pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>, bool), ProxyError> {
        let (mut records, mut out, mut err, mut end) =
            (Records::default(), Vec::new(), Vec::new(), false);
        for piece in pieces {
            let mut bytes = Bytes::copy_from_slice(piece);
            while let Some(said) = records.next(&mut bytes)? {
                match said {
                    Said::Output(piece) => out.extend_from_slice(&piece),
                    Said::Complaint(piece) => err.extend_from_slice(&piece),
                    Said::NoMoreOutput => {}
                    Said::End => end = true,
                }
            }
        }
        Ok((out, err, end))
    }

    #[test]
    fn an_answer_is_read_however_it_is_cut() {
        let answer = [
            record(STDERR, b"oh", 6),
            record(STDOUT, b"hello", 3),
            record(STDOUT, b" you", 0),
            record(STDOUT, b"", 0),
            record(END_REQUEST, &[0; 8], 0),
        ]
        .concat();
        let expected = Ok((b"hello you".to_vec(), b"oh".to_vec(), true));
        for cut in 0..answer.len() {
            let (first, second) = answer.split_at(cut);
            assert_eq!(read(&[first, second]), expected, "cut at {cut}");
        }
        let single: Vec<_> = answer.chunks(1).collect();
        assert_eq!(read(&single), expected);
    }

    #[test]
    fn what_is_not_about_our_request_is_refused() {
        let good = record(STDOUT, b"x", 0);
        for (at, byte) in [(0, 2), (1, 1), (1, 11), (2, 1), (3, 0), (3, 2)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(read(&[&bad]), Err(ProxyError::InvalidAnswer), "{at}: {byte}");
        }
        assert_eq!(read(&[&record(END_REQUEST, &[0; 7], 0)]), Err(ProxyError::InvalidAnswer));
        let overloaded = record(END_REQUEST, &[0, 0, 0, 0, 2, 0, 0, 0], 0);
        assert_eq!(read(&[&overloaded]), Err(ProxyError::UpstreamClosed));
    }

    #[test]
    fn long_parameters_are_cut_into_records_and_say_their_length_in_four_bytes() {
        let mut request = Request::new();
        request.parameter(b"A", b"b");
        request.parameter(b"LONG", &[b'x'; 70_000]);
        let bytes = request.finish();
        assert_eq!(bytes[..16], [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16..24], [1, PARAMS, 0, 1, 0xff, 0xf8, 0, 0]);
        assert_eq!(bytes[24..33], [1, 1, b'A', b'b', 4, 0x80, 1, 0x11, 0x70]);
        let second = 24 + MOST_CONTENT;
        assert_eq!(bytes[second..second + 2], [1, PARAMS]);
        assert_eq!(bytes[bytes.len() - 8..], [1, PARAMS, 0, 1, 0, 0, 0, 0]);
    }
}
