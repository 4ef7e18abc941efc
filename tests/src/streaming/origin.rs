//! Servers behind the gateway that take what is expected, and send it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use tokio::{
    io::{AsyncWriteExt, BufReader, BufWriter},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{
    http1::{self, Framing, Head},
    http2,
    payload::Payload,
};

/// Room for a piece with what is around it.
pub const BUFFER: usize = 128 * 1024;
/// The target whose answer has no length; that of all others has one.
pub const CHUNKED: &str = "/chunked";
/// The trailer field of answers over HTTP/2.
pub const TRAILER: &str = "x-end";

/// The body that is carried at the moment.
pub type Expected = Arc<Mutex<Arc<Payload>>>;

/// A running server; it ends with this value.
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Origin {
    /// Starts one that speaks HTTP/2, or HTTP/1.
    pub async fn start(speaks_http2: bool, expected: &Expected) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, speaks_http2, Arc::clone(expected)));
        Ok(Self { address, accepting })
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, speaks_http2: bool, expected: Expected) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let expected = Arc::clone(&expected);
        // What goes wrong here is seen by the client, who says so.
        connections.spawn(async move {
            drop(match speaks_http2 {
                true => serve_http2(stream, &expected).await,
                false => serve_http1(stream, &expected).await,
            });
        });
    }
}

fn current(expected: &Expected) -> Result<Arc<Payload>> {
    let payload = expected.lock().ok().context("somebody has panicked")?;
    Ok(Arc::clone(&payload))
}

async fn serve_http1(stream: TcpStream, expected: &Expected) -> Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let mut writer = BufWriter::with_capacity(BUFFER, writer);
    while let Some(head) = Head::read(&mut reader).await? {
        let payload = current(expected)?;
        let mut words = head.start.split(' ');
        if words.next() == Some("POST") {
            http1::receive(&mut reader, head.framing()?, &payload).await?;
            writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
            writer.flush().await?;
            continue;
        }
        let framing = match words.next() {
            Some(CHUNKED) => Framing::Chunked,
            _ => Framing::Length(payload.total()),
        };
        let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", framing.header());
        writer.write_all(head.as_bytes()).await?;
        http1::send(&mut writer, framing, &payload).await?;
    }
    Ok(())
}

async fn serve_http2(stream: TcpStream, expected: &Expected) -> Result<()> {
    let mut connection = http2::serve(stream).await?;
    let mut answering = JoinSet::new();
    while let Some(accepted) = connection.accept().await {
        let (request, answer) = accepted?;
        answering.spawn(answer_http2(request, answer, current(expected)?));
    }
    Ok(())
}

async fn answer_http2(
    request: Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
    payload: Arc<Payload>,
) -> Result<()> {
    if request.method() == Method::POST {
        http2::receive(&mut request.into_body(), &payload).await?;
        answer.send_response(Response::new(()), true)?;
        return Ok(());
    }
    let mut body = answer.send_response(Response::new(()), false)?;
    http2::send(&mut body, &payload).await?;
    let end = (HeaderName::from_static(TRAILER), HeaderValue::from_static("yes"));
    body.send_trailers(HeaderMap::from_iter([end]))?;
    Ok(())
}
