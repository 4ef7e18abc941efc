//! A minimal HTTP/1.1 client over one keep-alive connection. It says exactly how a connection failed, which a pooled client
//! would hide; it speaks no HTTP/2 and follows nothing.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longest time for one request, from its first byte sent to the last byte of its answer.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);

const READ_SIZE: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// One open connection on which requests are sent one after another.
pub struct Connection<S> {
    stream: S,
    unread: Vec<u8>,
    requests: u64,
}

/// An answer, read to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Whole body, without transfer encoding.
    pub body: Vec<u8>,
    /// Whether the server said that it closes the connection after this answer.
    pub close: bool,
}

impl Answer {
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How a request failed.
#[derive(Debug)]
pub enum Failure {
    /// The connection could not be opened.
    Connect(io::Error),
    /// The server closed the connection before a byte of the answer.
    ClosedBeforeAnswer,
    /// The server closed the connection within an answer.
    ClosedWithinAnswer,
    /// No complete answer within [`REQUEST_LIMIT`].
    Timeout,
    /// Reading or writing failed.
    Io(io::Error),
    /// The answer is not HTTP/1.1.
    Malformed(String),
}

impl Failure {
    /// Whether the connection was lost, as opposed to slow or wrong.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::ClosedBeforeAnswer | Self::ClosedWithinAnswer | Self::Io(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::ClosedBeforeAnswer => f.write_str("connection closed before the answer"),
            Self::ClosedWithinAnswer => f.write_str("connection closed within the answer"),
            Self::Timeout => write!(f, "no answer within {REQUEST_LIMIT:?}"),
            Self::Io(error) => write!(f, "connection failed: {error}"),
            Self::Malformed(reason) => write!(f, "not an HTTP/1.1 answer: {reason}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Opens a TCP connection without delay of small packets.
pub async fn tcp(address: SocketAddr) -> Result<TcpStream, Failure> {
    let connected = timeout(REQUEST_LIMIT, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| Failure::Timeout)?.map_err(Failure::Connect)?;
    stream.set_nodelay(true).map_err(Failure::Connect)?;
    Ok(stream)
}

impl Connection<TcpStream> {
    /// Opens a plain connection.
    pub async fn open(address: SocketAddr) -> Result<Self, Failure> {
        Ok(Self::new(tcp(address).await?))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection over an open stream, plain or TLS.
    pub fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new(), requests: 0 }
    }

    /// How many requests were sent so far.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Sends a GET and reads the whole answer. `target` goes into the request line as it is.
    pub async fn get(&mut self, host: &str, target: &str) -> Result<Answer, Failure> {
        self.ask("GET", host, target, "").await
    }

    /// The same with a POST, whose body is empty.
    pub async fn post(&mut self, host: &str, target: &str) -> Result<Answer, Failure> {
        self.ask("POST", host, target, "Content-Length: 0\r\n").await
    }

    /// The same as if it came from a client with this address, for whoever believes `X-Forwarded-For`.
    pub async fn get_from(
        &mut self,
        host: &str,
        target: &str,
        client: IpAddr,
    ) -> Result<Answer, Failure> {
        self.ask("GET", host, target, &format!("X-Forwarded-For: {client}\r\n")).await
    }

    async fn ask(
        &mut self,
        method: &str,
        host: &str,
        target: &str,
        more: &str,
    ) -> Result<Answer, Failure> {
        self.requests += 1;
        let exchange = async {
            let head = format!(
                "{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: headgate-tests\r\nAccept: */*\r\n{more}\r\n"
            );
            self.stream.write_all(head.as_bytes()).await.map_err(Failure::Io)?;
            self.answer().await
        };
        timeout(REQUEST_LIMIT, exchange).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn answer(&mut self) -> Result<Answer, Failure> {
        let head = loop {
            if let Some(head) = Head::parse(&self.unread)? {
                break head;
            }
            if self.fill().await? == 0 {
                return Err(if self.unread.is_empty() {
                    Failure::ClosedBeforeAnswer
                } else {
                    Failure::ClosedWithinAnswer
                });
            }
        };
        self.unread.drain(..head.length);
        let body = match head.framing {
            Framing::Length(length) => self.take(length).await?,
            Framing::Chunked => self.chunks().await?,
            Framing::UntilClose => {
                while self.fill().await? > 0 {}
                std::mem::take(&mut self.unread)
            }
        };
        Ok(Answer { status: head.status, body, close: head.close })
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        while self.unread.len() < length {
            if self.fill().await? == 0 {
                return Err(Failure::ClosedWithinAnswer);
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some((body, used)) = dechunk(&self.unread)? {
                self.unread.drain(..used);
                return Ok(body);
            }
            if self.fill().await? == 0 {
                return Err(Failure::ClosedWithinAnswer);
            }
        }
    }

    async fn fill(&mut self) -> Result<usize, Failure> {
        self.unread.reserve(READ_SIZE);
        self.stream.read_buf(&mut self.unread).await.map_err(Failure::Io)
    }
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

struct Head {
    length: usize,
    status: u16,
    close: bool,
    framing: Framing,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Failure> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed =
            response.parse(bytes).map_err(|error| Failure::Malformed(error.to_string()))?;
        let httparse::Status::Complete(length) = parsed else {
            return Ok(None);
        };
        let status = response.code.ok_or_else(|| Failure::Malformed("no status".into()))?;
        let mut head = Self {
            length,
            status,
            close: response.version == Some(0),
            framing: Framing::UntilClose,
        };
        if matches!(status, 100..=199 | 204 | 304) {
            head.framing = Framing::Length(0);
        }
        for header in response.headers.iter() {
            let value = String::from_utf8_lossy(header.value);
            match header.name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    let length = value
                        .trim()
                        .parse()
                        .map_err(|_| Failure::Malformed(format!("content-length {value:?}")))?;
                    head.framing = Framing::Length(length);
                }
                "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                    head.framing = Framing::Chunked
                }
                "connection" if value.eq_ignore_ascii_case("close") => head.close = true,
                _ => {}
            }
        }
        head.close |= matches!(head.framing, Framing::UntilClose);
        Ok(Some(head))
    }
}

/// Decodes a chunked body with its trailers: the body and how many bytes it took, or `None` while it is incomplete.
pub(crate) fn dechunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Failure> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Failure::Malformed("chunk size".into())),
        };
        let start = at + line;
        if size == 0 {
            let trailers = bytes.get(start..).unwrap_or_default();
            return Ok(end_of_trailers(trailers).map(|length| (body, start + length)));
        }
        let end =
            start + usize::try_from(size).map_err(|_| Failure::Malformed("chunk size".into()))?;
        match (bytes.get(start..end), bytes.get(end..end + 2)) {
            (Some(chunk), Some(b"\r\n")) => body.extend_from_slice(chunk),
            (Some(_), Some(_)) => return Err(Failure::Malformed("chunk end".into())),
            _ => return Ok(None),
        }
        at = end + 2;
    }
}

fn end_of_trailers(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|position| position + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection whose server has already sent `answer` and closed its side, but still reads.
    async fn after(answer: &[u8]) -> Connection<tokio::io::DuplexStream> {
        let (client, mut server) = tokio::io::duplex(1 << 16);
        server.write_all(answer).await.unwrap();
        server.shutdown().await.unwrap();
        tokio::spawn(async move { tokio::io::copy(&mut server, &mut tokio::io::sink()).await });
        Connection::new(client)
    }

    #[tokio::test]
    async fn two_answers_on_one_connection_are_told_apart() {
        let mut connection =
            after(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        assert_eq!(
            connection.get("a", "/").await.unwrap(),
            Answer { status: 200, body: b"hi".to_vec(), close: false }
        );
        assert_eq!(
            connection.get("a", "/").await.unwrap(),
            Answer { status: 404, body: Vec::new(), close: true }
        );
    }

    #[tokio::test]
    async fn chunked_bodies_are_joined_and_trailers_skipped() {
        let mut connection =
            after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n").await;
        assert_eq!(connection.get("a", "/").await.unwrap().body, b"abcde");
    }

    #[tokio::test]
    async fn a_close_before_the_answer_differs_from_one_within() {
        assert!(matches!(after(b"").await.get("a", "/").await, Err(Failure::ClosedBeforeAnswer)));
        assert!(matches!(
            after(b"HTTP/1.1 200").await.get("a", "/").await,
            Err(Failure::ClosedWithinAnswer)
        ));
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab";
        assert!(matches!(after(cut).await.get("a", "/").await, Err(Failure::ClosedWithinAnswer)));
    }

    #[tokio::test]
    async fn an_announced_close_is_reported() {
        let mut connection =
            after(b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n").await;
        assert!(connection.get("a", "/").await.unwrap().close);
    }

    #[test]
    fn an_incomplete_chunk_asks_for_more() {
        assert!(dechunk(b"5\r\nabc").unwrap().is_none());
        assert!(dechunk(b"3\r\nabcXX").is_err());
    }
}
