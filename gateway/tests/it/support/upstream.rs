//! Upstreams that do as they are told.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use parking_lot::Mutex;
use rustls::{ServerConfig, ServerConnection};
use socket2::{Domain, Socket, Type};

use super::client::{Client, header};

/// A listener whose connections are served by a closure.
pub struct Upstream {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request as it reached an upstream.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

/// What a scripted upstream does with a request.
pub enum Reply {
    /// Sends these bytes and keeps the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes.
    Last(Vec<u8>),
}

impl Upstream {
    /// Answers every request with 200 and `body`.
    pub fn echo(body: &'static str) -> Self {
        Self::scripted(move |_, _| Reply::Bytes(ok(body)))
    }

    /// Answers each request as `script` says; it gets the number of the request (from 0) and the request.
    pub fn scripted(script: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let count = AtomicUsize::new(0);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let mut upstream = Self::raw(move |mut client| {
            while let Some(request) = read_request(&mut client) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                log.lock().push(request.clone());
                match script(number, &request) {
                    Reply::Bytes(bytes) => client.send(bytes),
                    Reply::Last(bytes) => {
                        client.send(bytes);
                        return;
                    }
                }
            }
        });
        upstream.seen = seen;
        upstream
    }

    /// Hands every connection to `serve`, on a thread of its own.
    pub fn raw(serve: impl Fn(Client) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"), serve)
    }

    /// Hands every connection to `serve`, encrypted.
    pub fn encrypted(
        config: Arc<ServerConfig>,
        serve: impl Fn(Client) + Send + Sync + 'static,
    ) -> Self {
        Self::raw(move |client| {
            let tls = ServerConnection::new(Arc::clone(&config)).expect("a server");
            serve(client.encrypting(tls));
        })
    }

    /// The same, with so little room for what arrives that a sender soon has to wait for the reader.
    pub fn narrow(serve: impl Fn(Client) + Send + Sync + 'static) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        // The sender's own room follows from the size of segments.
        socket.set_recv_buffer_size(4096).expect("a size");
        socket.set_tcp_mss(536).expect("a size");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port");
        socket.listen(16).expect("a listener");
        Self::on(socket.into(), serve)
    }

    fn on(listener: TcpListener, serve: impl Fn(Client) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, serve) = (Arc::clone(&connections), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(Client::over(stream)));
            }
        });
        Self { address, connections, seen: Arc::default() }
    }

    /// An address that refuses connections: its port is taken for the rest of the test, and nobody listens.
    pub fn refusing() -> SocketAddr {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port");
        let address = socket.local_addr().expect("bound").as_socket().expect("an IP address");
        std::mem::forget(socket);
        address
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

/// A 200 with a body.
pub fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Reads one request; `None` at the end of the connection.
pub fn read_request(client: &mut Client) -> Option<Seen> {
    let head = client.head()?;
    let body = if header(&head, "transfer-encoding").is_some() {
        let mut body = Vec::new();
        loop {
            let line = client.line()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            if size == 0 {
                while client.line()?.trim() != "" {}
                break body;
            }
            body.extend(client.exactly(size)?);
            client.line()?;
        }
    } else {
        let length =
            header(&head, "content-length").map_or(0, |text| text.parse().expect("a length"));
        client.exactly(length)?
    };
    Some(Seen { head, body })
}
