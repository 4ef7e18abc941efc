//! Upstream servers that say who they are: every request is answered 200 with the body `NAME TARGET`, a WebSocket request
//! becomes an echo. They live in the process of the test, each on a loopback address of its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::{client::dechunk, websocket};

const MAX_HEADERS: usize = 64;
const BIND_TRIES: usize = 20;

/// Is told of every request, by the server's name, the method and the target, and says how long the answer has to wait.
pub type Observer = Arc<dyn Fn(&str, &str, &str) -> Duration + Send + Sync>;

/// A running echo server; it and its connections end when it is dropped.
pub struct Echo {
    name: String,
    address: SocketAddr,
    served: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Echo {
    /// Starts a server on the address; port 0 picks a free one.
    pub async fn start(name: &str, address: SocketAddr) -> Result<Self> {
        Self::start_observed(name, address, Arc::new(|_, _, _| Duration::ZERO)).await
    }

    async fn start_observed(name: &str, address: SocketAddr, observer: Observer) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let served = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(listener, name.into(), Arc::clone(&served), observer));
        Ok(Self { name: name.into(), address, served, accepting })
    }

    /// Starts one server per name on consecutive addresses from 127.0.0.11 on, all on the same free port, as one
    /// EndpointSlice needs them.
    pub async fn group(names: &[&str]) -> Result<Vec<Self>> {
        Self::group_observed(names, Arc::new(|_, _, _| Duration::ZERO)).await
    }

    /// The same with an observer.
    pub async fn group_observed(names: &[&str], observer: Observer) -> Result<Vec<Self>> {
        for _ in 0..BIND_TRIES {
            if let Ok(group) = Self::group_on_one_port(names, &observer).await {
                return Ok(group);
            }
        }
        bail!("no port is free on {} loopback addresses", names.len())
    }

    async fn group_on_one_port(names: &[&str], observer: &Observer) -> Result<Vec<Self>> {
        let mut group: Vec<Self> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let port = group.first().map_or(0, |first| first.address.port());
            let last = u8::try_from(11 + index).context("too many servers")?;
            let address = (Ipv4Addr::new(127, 0, 0, last), port).into();
            group.push(Self::start_observed(name, address, Arc::clone(observer)).await?);
        }
        Ok(group)
    }

    /// The name that its answers carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests it has answered, upgrades included.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, name: Arc<str>, served: Arc<AtomicU64>, observer: Observer) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (name, served, observer) =
            (Arc::clone(&name), Arc::clone(&served), Arc::clone(&observer));
        // The peer may leave at any time; that is its business, so the result says nothing.
        connections.spawn(async move { drop(serve(stream, &name, &served, &observer).await) });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    mut stream: TcpStream,
    name: &str,
    served: &AtomicU64,
    observer: &Observer,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut unread = Vec::new();
    while let Some(request) = next(&mut stream, &mut unread).await? {
        served.fetch_add(1, Ordering::Relaxed);
        let wait = observer(name, &request.method, &request.target);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if let Some(nonce) = request.websocket_nonce {
            return websocket::echo(stream, unread, &nonce).await;
        }
        let body = format!("{name} {}\n", request.target);
        let close = if request.close { "Connection: close\r\n" } else { "" };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{close}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        if request.close {
            break;
        }
    }
    Ok(())
}

struct Request {
    method: String,
    target: String,
    close: bool,
    websocket_nonce: Option<String>,
}

/// Reads the next request with its body; `None` at the end of the connection.
async fn next(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Result<Option<Request>> {
    let (request, head, length) = loop {
        if let Some(found) = parse(unread)? {
            break found;
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    };
    loop {
        let body = unread.get(head..).unwrap_or_default();
        let used = match length {
            Some(length) => (body.len() >= length).then_some(length),
            None => dechunk(body)?.map(|(_, used)| used),
        };
        if let Some(used) = used {
            unread.drain(..head + used);
            return Ok(Some(request));
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}

/// A request's head, its length, and the length of its body (`None`: chunked), once the head is complete.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize, Option<usize>)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes)? else {
        return Ok(None);
    };
    let mut request = Request {
        method: parsed.method.unwrap_or_default().into(),
        target: parsed.path.unwrap_or("/").into(),
        close: parsed.version == Some(0),
        websocket_nonce: None,
    };
    let mut length = Some(0);
    let mut upgrade = false;
    for header in parsed.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse()?),
            "transfer-encoding" => length = None,
            "connection" => request.close |= value.eq_ignore_ascii_case("close"),
            "upgrade" => upgrade = value.eq_ignore_ascii_case("websocket"),
            "sec-websocket-key" => request.websocket_nonce = Some(value.into_owned()),
            _ => {}
        }
    }
    if !upgrade {
        request.websocket_nonce = None;
    }
    Ok(Some((request, head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Connection;

    #[tokio::test]
    async fn answers_carry_name_and_target_on_one_connection() {
        let server = Echo::start("blue", (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let mut connection = Connection::open(server.address()).await.unwrap();
        assert_eq!(connection.get("h", "/a?b=1").await.unwrap().text(), "blue /a?b=1\n");
        assert_eq!(connection.get("h", "/c").await.unwrap().text(), "blue /c\n");
        assert_eq!(server.served(), 2);
    }

    #[tokio::test]
    async fn a_group_shares_its_port() {
        let group = Echo::group(&["a", "b", "c"]).await.unwrap();
        let addresses: Vec<_> = group.iter().map(|echo| echo.address().ip().to_string()).collect();
        assert_eq!(addresses, ["127.0.0.11", "127.0.0.12", "127.0.0.13"]);
        assert!(group.iter().all(|echo| echo.address().port() == group[0].address().port()));
    }

    #[tokio::test]
    async fn a_request_body_is_skipped() {
        let server = Echo::start("a", (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let bytes = b"POST /1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /3 HTTP/1.0\r\n\r\n";
        stream.write_all(bytes).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let seen: Vec<_> = text.lines().filter(|line| line.starts_with("a /")).collect();
        assert_eq!(seen, ["a /1", "a /2", "a /3"]);
    }

    #[tokio::test]
    async fn dropping_a_server_closes_its_connections() {
        let server = Echo::start("a", (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let mut connection = Connection::open(server.address()).await.unwrap();
        connection.get("h", "/").await.unwrap();
        drop(server);
        assert!(connection.get("h", "/").await.unwrap_err().is_closed());
    }
}
