//! A client of HTTP/2 frames. It acknowledges what it is sent unless it is told to be silent, and opens no window.

use std::net::SocketAddr;

use super::client::Client;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
/// Flag of DATA and HEADERS.
pub const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A connection of frames.
pub struct Http2 {
    client: Client,
    silent: bool,
}

/// One frame.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether nothing follows on its stream.
    pub fn is_last(&self) -> bool {
        self.kind == RST_STREAM
            || (matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0)
    }

    /// Whether it begins an answer with 200, entry 8 of HPACK's static table.
    pub fn is_ok(&self) -> bool {
        self.kind == HEADERS && self.payload.first() == Some(&0x88)
    }
}

impl Http2 {
    /// Connects with prior knowledge. Streams may be sent `window` bytes.
    pub fn connect(address: SocketAddr, window: u32) -> Self {
        Self::over(Client::connect(address), window)
    }

    /// The same over a connection that exists.
    pub fn over(client: Client, window: u32) -> Self {
        let mut this = Self { client, silent: false };
        this.client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // SETTINGS_INITIAL_WINDOW_SIZE
        this.send(SETTINGS, 0, 0, &[&[0, 4][..], &window.to_be_bytes()].concat());
        this
    }

    /// Acknowledges nothing from now on.
    pub fn fall_silent(&mut self) {
        self.silent = true;
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        assert!(self.try_send(kind, flags, stream, payload), "the connection is open");
    }

    /// Sends a frame; false if the other side does not take it.
    pub fn try_send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.client.try_send(&[&head, payload].concat())
    }

    /// Asks `a.test` on a stream; a body follows unless `flags` has [`END_STREAM`].
    pub fn request(&mut self, stream: u32, method: &str, target: &str, flags: u8) {
        self.request_of("a.test", stream, method, target, flags);
    }

    /// The same of another host.
    pub fn request_of(&mut self, host: &str, stream: u32, method: &str, target: &str, flags: u8) {
        let fields =
            [(":method", method), (":scheme", "http"), (":authority", host), (":path", target)];
        let mut block = Vec::new();
        for (name, value) in fields {
            // A literal that is not indexed, without Huffman coding (RFC 7541 §6.2.2).
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).expect("a short text"));
                block.extend_from_slice(text.as_bytes());
            }
        }
        self.send(HEADERS, flags | END_HEADERS, stream, &block);
    }

    /// The next frame; `None` at the end of the connection.
    pub fn frame(&mut self) -> Option<Frame> {
        let head = self.client.exactly(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.client.exactly(length)?;
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        let asks = matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0;
        if asks && !self.silent {
            let echoed = if frame.kind == PING { &frame.payload[..] } else { &[] };
            // The other side may be gone meanwhile; what it said before still counts.
            self.try_send(frame.kind, ACK, 0, echoed);
        }
        Some(frame)
    }

    /// The next frame for which `wanted` holds.
    pub fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.frame()?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// The frames of a stream up to its end, without those that open windows.
    pub fn stream(&mut self, stream: u32) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.last().is_none_or(|frame: &Frame| !frame.is_last()) {
            let next = |frame: &Frame| frame.stream == stream && frame.kind != WINDOW_UPDATE;
            frames.push(self.until(next).expect("the connection goes on"));
        }
        frames
    }
}
