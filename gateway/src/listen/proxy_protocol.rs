//! The header by which a load balancer tells whose connection it passes on: the PROXY protocol, versions 1 and 2
//! (haproxy's `proxy-protocol.txt`; `use-proxy-protocol`). It comes before everything else, TLS included.
//!
//! Exactly the header is taken from the stream. Whether what it says is believed is not decided here.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use http::HeaderValue;
use memchr::memchr;
use tokio::{io::AsyncReadExt, net::TcpStream};

/// A connection to this port was encrypted, whoever has decrypted it.
pub const HTTPS: u16 = 443;
/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Length of what comes before the addresses of version 2.
const FIXED: usize = 16;
/// The shortest header, `PROXY UNKNOWN` and its end of line: of every header there are so many bytes to wait for.
const SHORTEST: usize = 15;
/// The longest header of version 1, with its end of line.
const LONGEST_TEXT: usize = 107;
/// The longest header of version 2 that is taken. Addresses need less than 300 bytes; what follows is not read.
const LONGEST_BINARY: usize = 4096;

/// A connection that was passed on.
#[derive(Debug)]
pub struct Proxied {
    /// The client, as the load balancer saw it.
    pub source: SocketAddr,
    /// What it has reached.
    pub destination: SocketAddr,
    /// Its address as a header value.
    pub source_ip: HeaderValue,
    /// The port that the client has reached.
    pub port: u16,
    /// The same as a header value.
    pub port_text: HeaderValue,
}

impl Proxied {
    fn new(Addresses { source, destination }: Addresses) -> Option<Self> {
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        let source_ip = HeaderValue::from_str(&source.ip().to_string()).ok()?;
        let port = destination.port();
        Some(Self { source, destination, source_ip, port, port_text: port.into() })
    }
}

/// Both ends of a connection that was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// What it has reached.
    pub destination: SocketAddr,
}

/// What the bytes at the begin of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The begin of a header; it has at least so many bytes.
    Partial(usize),
    /// A header of so many bytes; without addresses the load balancer speaks for itself, or cannot tell.
    Header(usize, Option<Addresses>),
    /// No header.
    Malformed,
}

/// Reads the header of a connection; `None` if it says nothing of another one.
///
/// # Errors
///
/// If there is none, or the connection ends. There is no limit of time.
pub async fn read(stream: &mut TcpStream) -> io::Result<Option<Proxied>> {
    let mut header = vec![0; SHORTEST];
    stream.read_exact(&mut header).await?;
    loop {
        match parse(&header) {
            // It may be longer than was known when its last bytes were asked for, but never shorter.
            Parsed::Header(_, addresses) => return Ok(addresses.and_then(Proxied::new)),
            Parsed::Malformed => return Err(io::ErrorKind::InvalidData.into()),
            Parsed::Partial(at_least) => {
                let known = header.len();
                let is_text = header[0] == b'P';
                let ahead =
                    if is_text { line_ahead(stream, LONGEST_TEXT - known).await? } else { 0 };
                header.resize(at_least.max(known + ahead), 0);
                stream.read_exact(&mut header[known..]).await?;
            }
        }
    }
}

/// How many of the next bytes, up to `most`, belong to the line at hand, as far as they are here. Text is read in few
/// pieces that way; of version 2 it is known how much there is.
async fn line_ahead(stream: &TcpStream, most: usize) -> io::Result<usize> {
    let mut next = [0; LONGEST_TEXT];
    let known = stream.peek(&mut next[..most]).await?;
    Ok(memchr(b'\n', &next[..known]).map_or(0, |end| end + 1))
}

/// The header of version 1 that says so. Of addresses of two kinds it says that nothing is known.
pub fn text(Addresses { source, destination }: &Addresses) -> String {
    let (from, to) = (source.ip().to_canonical(), destination.ip().to_canonical());
    let family = match (from, to) {
        (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
        (IpAddr::V6(_), IpAddr::V6(_)) => "TCP6",
        _ => return "PROXY UNKNOWN\r\n".into(),
    };
    format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port())
}

/// Looks for a header at the begin of `bytes`.
pub fn parse(bytes: &[u8]) -> Parsed {
    let signature = &SIGNATURE[..SIGNATURE.len().min(bytes.len())];
    // Nothing may become either; the text can be shorter.
    if !bytes.is_empty() && bytes.starts_with(signature) {
        parse_binary(bytes)
    } else {
        parse_text(bytes)
    }
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443` and an end of line.
fn parse_text(bytes: &[u8]) -> Parsed {
    const BEGIN: &[u8] = b"PROXY ";
    if !bytes.starts_with(&BEGIN[..BEGIN.len().min(bytes.len())]) {
        return Parsed::Malformed;
    }
    let line = &bytes[..bytes.len().min(LONGEST_TEXT)];
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return match line.last() {
            _ if bytes.len() >= LONGEST_TEXT => Parsed::Malformed,
            _ if bytes.len() < SHORTEST => Parsed::Partial(SHORTEST),
            Some(b'\r') => Parsed::Partial(bytes.len() + 1),
            // The line needs its end: both bytes of it.
            _ => Parsed::Partial((bytes.len() + 2).min(LONGEST_TEXT)),
        };
    };
    let text = std::str::from_utf8(&line[BEGIN.len()..end]).unwrap_or_default();
    let addresses = match text.split_once(' ') {
        _ if text == "UNKNOWN" => None,
        // Whatever it says then is to be ignored.
        Some(("UNKNOWN", _)) => None,
        Some(("TCP4", rest)) => match addresses::<Ipv4Addr>(rest) {
            Some(addresses) => Some(addresses),
            None => return Parsed::Malformed,
        },
        Some(("TCP6", rest)) => match addresses::<Ipv6Addr>(rest) {
            Some(addresses) => Some(addresses),
            None => return Parsed::Malformed,
        },
        _ => return Parsed::Malformed,
    };
    Parsed::Header(end + 2, addresses)
}

/// `SOURCE DESTINATION PORT PORT`, apart by single spaces.
fn addresses<A: std::str::FromStr + Into<IpAddr>>(text: &str) -> Option<Addresses> {
    let mut words = text.split(' ');
    let mut address = || Some(words.next()?.parse::<A>().ok()?.into());
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse::<u16>().ok().filter(|_| is_plain)
    };
    let (from, to) = (port()?, port()?);
    let both = Addresses {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
    };
    words.next().is_none().then_some(both)
}

/// Version 2.
fn parse_binary(bytes: &[u8]) -> Parsed {
    if bytes.len() < FIXED {
        return Parsed::Partial(FIXED);
    }
    let (version, command) = (bytes[12] >> 4, bytes[12] & 0xf);
    let length = FIXED + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if version != 2 || command > 1 || length > LONGEST_BINARY {
        return Parsed::Malformed;
    }
    let Some(rest) = bytes.get(FIXED..length) else { return Parsed::Partial(length) };
    // A load balancer that checks our health says LOCAL. Of datagrams and sockets of its own there is nothing to say.
    let addresses = match (command, bytes[13]) {
        (0, _) => None,
        (_, 0x11) => binary_addresses::<4>(rest),
        (_, 0x21) => binary_addresses::<16>(rest),
        _ => return Parsed::Header(length, None),
    };
    match (command, addresses) {
        (1, None) => Parsed::Malformed,
        (_, addresses) => Parsed::Header(length, addresses),
    }
}

/// Two addresses of `N` bytes and two ports.
fn binary_addresses<const N: usize>(bytes: &[u8]) -> Option<Addresses>
where
    [u8; N]: Into<IpAddr>,
{
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let (to, _) = rest.split_first_chunk::<2>()?;
    Some(Addresses {
        source: SocketAddr::new((*source).into(), u16::from_be_bytes(*from)),
        destination: SocketAddr::new((*destination).into(), u16::from_be_bytes(*to)),
    })
}

#[cfg(test)]
mod tests;
