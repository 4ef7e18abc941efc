//! As much of RFC 6455 as an echo needs: the handshake, frames with and without mask, ping and close. No extensions, no
//! fragments. Both ends use the sample nonce of RFC 6455 §1.3, so that its known answer needs no hash.

use anyhow::{Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MAX_PAYLOAD: usize = 1 << 20;

/// Opcode of a text frame.
pub const TEXT: u8 = 0x1;
/// Opcode of a close frame.
pub const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// One unfragmented frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is: [`TEXT`], [`CLOSE`], …
    pub opcode: u8,
    /// Payload after unmasking.
    pub payload: Vec<u8>,
    /// Whether it came masked, as every frame of a client must.
    pub masked: bool,
}

/// The client's end of an open WebSocket.
pub struct WebSocket<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Asks for the upgrade and checks the answer. Fails with the server's answer when it does not agree.
    pub async fn connect(mut stream: S, host: &str, target: &str) -> Result<Self> {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {NONCE}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        let mut unread = Vec::new();
        loop {
            if let Some(used) = check_agreement(&unread)? {
                unread.drain(..used);
                return Ok(Self { stream, unread });
            }
            ensure!(
                stream.read_buf(&mut unread).await? > 0,
                "connection closed within the handshake"
            );
        }
    }

    /// Sends a text and waits for its echo; answers to other frames are an error.
    pub async fn exchange(&mut self, text: &str) -> Result<()> {
        self.send(TEXT, text.as_bytes()).await?;
        let frame = receive(&mut self.stream, &mut self.unread).await?;
        ensure!(!frame.masked, "the server masked a frame");
        ensure!(
            frame.opcode == TEXT && frame.payload == text.as_bytes(),
            "unexpected frame {frame:?}"
        );
        Ok(())
    }

    /// Closes in order: sends a close frame and waits for the peer's.
    pub async fn close(mut self) -> Result<()> {
        self.send(CLOSE, &1000u16.to_be_bytes()).await?;
        let frame = receive(&mut self.stream, &mut self.unread).await?;
        ensure!(frame.opcode == CLOSE, "unexpected frame {frame:?}");
        Ok(())
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        let mask = fastrand::u32(..).to_be_bytes();
        self.stream.write_all(&encode(opcode, payload, Some(mask))).await?;
        Ok(())
    }
}

/// The server's end: accepts the handshake that asked with `nonce` and echoes every frame until the client closes.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut unread: Vec<u8>,
    nonce: &str,
) -> Result<()> {
    if nonce != NONCE {
        stream
            .write_all(
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            )
            .await?;
        bail!("unknown nonce");
    }
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    loop {
        let frame = receive(&mut stream, &mut unread).await?;
        ensure!(frame.masked, "the client did not mask a frame");
        let opcode = if frame.opcode == PING { PONG } else { frame.opcode };
        stream.write_all(&encode(opcode, &frame.payload, None)).await?;
        if opcode == CLOSE {
            return Ok(());
        }
    }
}

async fn receive<S: AsyncRead + Unpin>(stream: &mut S, unread: &mut Vec<u8>) -> Result<Frame> {
    loop {
        if let Some((frame, used)) = decode(unread)? {
            unread.drain(..used);
            return Ok(frame);
        }
        ensure!(stream.read_buf(unread).await? > 0, "connection closed without a close frame");
    }
}

/// The length of the handshake's answer once it is complete; an error when it is not the agreement of RFC 6455 §4.1.
fn check_agreement(bytes: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(used) = response.parse(bytes)? else {
        return Ok(None);
    };
    let value = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).into_owned()).unwrap_or_default()
    };
    ensure!(response.code == Some(101), "the upgrade was answered with {:?}", response.code);
    ensure!(value("upgrade").eq_ignore_ascii_case("websocket"), "upgrade: {:?}", value("upgrade"));
    ensure!(
        value("connection").eq_ignore_ascii_case("upgrade"),
        "connection: {:?}",
        value("connection")
    );
    ensure!(
        value("sec-websocket-accept") == ACCEPT,
        "sec-websocket-accept: {:?}",
        value("sec-websocket-accept")
    );
    Ok(Some(used))
}

/// A frame as bytes (RFC 6455 §5.2).
pub fn encode(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    let flag = if mask.is_some() { 0x80 } else { 0 };
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => bytes.push(flag | length),
        (_, Ok(length)) => {
            bytes.push(flag | 126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(flag | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(mask.iter().flatten());
    let key = mask.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The first frame in `bytes` and its length, or `None` while it is incomplete. Fragments and reserved bits are errors.
pub fn decode(bytes: &[u8]) -> Result<Option<(Frame, usize)>> {
    let &[first, second, ref rest @ ..] = bytes else {
        return Ok(None);
    };
    ensure!(first & 0x80 != 0, "fragmented frame");
    ensure!(first & 0x70 == 0, "reserved bits are set");
    let masked = second & 0x80 != 0;
    let (length, rest) = match (second & 0x7f, rest) {
        (126, &[a, b, ref rest @ ..]) => (u64::from(u16::from_be_bytes([a, b])), rest),
        (127, &[a, b, c, d, e, f, g, h, ref rest @ ..]) => {
            (u64::from_be_bytes([a, b, c, d, e, f, g, h]), rest)
        }
        (126 | 127, _) => return Ok(None),
        (short, rest) => (u64::from(short), rest),
    };
    let length = usize::try_from(length)?;
    ensure!(length <= MAX_PAYLOAD, "frame of {length} bytes");
    let (key, rest) = match (masked, rest) {
        (true, &[a, b, c, d, ref rest @ ..]) => ([a, b, c, d], rest),
        (true, _) => return Ok(None),
        (false, rest) => ([0; 4], rest),
    };
    let Some(payload) = rest.get(..length) else {
        return Ok(None);
    };
    let used = bytes.len() - rest.len() + length;
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Ok(Some((Frame { opcode: first & 0x0f, payload, masked }, used)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{client::tcp, echo::Echo};

    #[test]
    fn the_masked_hello_of_the_rfc_is_produced_and_read() {
        let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(encode(TEXT, b"Hello", Some([0x37, 0xfa, 0x21, 0x3d])), bytes);
        let (frame, used) = decode(&bytes).unwrap().unwrap();
        assert_eq!(
            (frame, used),
            (Frame { opcode: TEXT, payload: b"Hello".to_vec(), masked: true }, 11)
        );
    }

    #[test]
    fn every_length_form_survives_a_round_trip() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let bytes = encode(TEXT, &payload, None);
            assert!(
                decode(&bytes[..bytes.len() - 1]).unwrap().is_none(),
                "{length} complete too early"
            );
            let (frame, used) = decode(&bytes).unwrap().unwrap();
            assert_eq!((frame.payload.len(), used), (length, bytes.len()));
        }
    }

    #[test]
    fn fragments_and_oversized_frames_are_refused() {
        assert!(decode(&[0x01, 0x00]).is_err());
        assert!(decode(&[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0]).is_err());
    }

    #[tokio::test]
    async fn client_and_echo_server_understand_each_other() {
        let server = Echo::start("ws", (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let mut socket =
            WebSocket::connect(tcp(server.address()).await.unwrap(), "h", "/ws").await.unwrap();
        for round in 0..100 {
            socket.exchange(&format!("round {round}")).await.unwrap();
        }
        socket.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_plain_answer_to_the_handshake_is_an_error() {
        let (client, mut server) = tokio::io::duplex(4096);
        server
            .write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        assert!(WebSocket::connect(client, "h", "/").await.is_err());
    }

    #[tokio::test]
    async fn a_cut_connection_fails_the_exchange() {
        let server = Echo::start("ws", (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let mut socket =
            WebSocket::connect(tcp(server.address()).await.unwrap(), "h", "/ws").await.unwrap();
        drop(server);
        assert!(socket.exchange("gone").await.is_err());
    }
}
