//! A client of raw bytes.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use rustls::{ClientConnection, Connection, ServerConnection};

/// A connection to the gateway, or of the gateway to a test.
pub struct Client {
    pub stream: TcpStream,
    tls: Option<Box<Connection>>,
    buffer: Vec<u8>,
}

/// One HTTP/1 answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The values of a header that may be there several times.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let own = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.trim()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }
}

/// The value of a header in a head.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn write(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("a connection"))
    }

    /// Speaks over a connection that exists.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self { stream, tls: None, buffer: Vec::new() }
    }

    /// From now on everything is encrypted.
    pub fn encrypted(self, tls: ClientConnection) -> Self {
        Self { tls: Some(Box::new(Connection::Client(tls))), ..self }
    }

    /// The same, of whoever was connected to.
    pub fn encrypting(self, tls: ServerConnection) -> Self {
        Self { tls: Some(Box::new(Connection::Server(tls))), ..self }
    }

    /// What is known about the encryption.
    pub fn tls(&self) -> Option<&Connection> {
        self.tls.as_deref()
    }

    /// How the handshake went; `None` before it, or without TLS.
    pub fn handshake_kind(&self) -> Option<rustls::HandshakeKind> {
        self.tls.as_ref()?.handshake_kind()
    }

    /// The suite that was agreed on.
    pub fn suite(&self) -> Option<rustls::CipherSuite> {
        Some(self.tls.as_ref()?.negotiated_cipher_suite()?.suite())
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.write(bytes.as_ref()).expect("sent");
    }

    /// Sends bytes; false if the other side does not take them.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.write(bytes).is_ok()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => match &mut **tls {
                Connection::Client(tls) => write(rustls::Stream::new(tls, &mut self.stream), bytes),
                Connection::Server(tls) => write(rustls::Stream::new(tls, &mut self.stream), bytes),
            },
            None => self.stream.write_all(bytes),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => match &mut **tls {
                Connection::Client(tls) => rustls::Stream::new(tls, &mut self.stream).read(bytes),
                Connection::Server(tls) => rustls::Stream::new(tls, &mut self.stream).read(bytes),
            },
            None => self.stream.read(bytes),
        }
    }

    /// Asks `a.test` for a target.
    pub fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        self.answer()
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().expect("an answer, not the end of the connection")
    }

    /// Reads one answer; `None` if the connection ends instead.
    pub fn try_answer(&mut self) -> Option<Answer> {
        let head = self.head()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = if header(&head, "transfer-encoding").is_some() {
            self.chunks()
        } else {
            let length =
                header(&head, "content-length").map_or(0, |text| text.parse().expect("a length"));
            self.exactly(length)?
        };
        Some(Answer { status, head, body })
    }

    /// Reads up to and with an empty line.
    pub fn head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..at + 4).collect();
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            self.fill()?;
        }
    }

    /// Reads so many bytes.
    pub fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill()?;
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// Reads a line with its end.
    pub fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            self.fill()?;
        }
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.line().expect("a chunk size");
            let size = usize::from_str_radix(line.trim(), 16).expect("a hexadecimal size");
            if size == 0 {
                while self.line().expect("the end of the trailers").trim() != "" {}
                return body;
            }
            body.extend(self.exactly(size).expect("a chunk"));
            self.line();
        }
    }

    fn fill(&mut self) -> Option<()> {
        let mut bytes = [0; 16 * 1024];
        match self.read(&mut bytes) {
            Ok(0) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                Some(())
            }
            // Without a farewell of TLS: cut.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
                ) =>
            {
                None
            }
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// Whether the other side has closed, with nothing more to say.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && self.fill().is_none()
    }

    /// Whether the other side neither says anything nor closes for so long.
    pub fn stays_silent(&mut self, time: Duration) -> bool {
        let before = self.stream.read_timeout().expect("a timeout");
        self.stream.set_read_timeout(Some(time)).expect("a timeout");
        let silent = matches!(
            self.stream.peek(&mut [0]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        );
        self.stream.set_read_timeout(before).expect("a timeout");
        silent && self.buffer.is_empty()
    }

    /// Says that nothing more comes.
    pub fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).expect("half closed");
    }
}
