//! Upgraded connections (WebSocket and the like): after the upstream agreed to the client's wish, bytes go both ways
//! unseen until one side ends or both are silent for the read timeout.

use std::{
    cell::Cell,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes},
    task::spawn_local,
    time::{Instant, sleep_until},
};

use super::{answer::Answer, exchange::Exchange};
use crate::{
    error::ProxyError,
    filter::response_headers,
    upstream::{h1, pool::Pooled, wire::Wire},
};

/// Size of each direction's buffer.
const BUFFER: usize = 8 * 1024;

/// The client's side of an upgrade that may come.
pub struct ClientUpgrade {
    /// The protocols that the client named.
    pub wanted: HeaderValue,
    /// Resolves when the answer was sent.
    pub ready: OnUpgrade,
}

/// Both sides of an upgraded connection, before the client knows of it.
pub struct Tunnel {
    client: ClientUpgrade,
    upstream: Wire,
    /// What the upstream sent right behind its answer.
    early: Bytes,
    idle_limit: Duration,
}

/// Accepts the upstream's 101. Both sides are silent for `idle_limit` at most.
pub fn open(
    client: ClientUpgrade,
    head: h1::Head,
    connection: Box<Pooled>,
    idle_limit: Duration,
) -> Result<Answer, ProxyError> {
    let mut headers = head.headers;
    if !agrees(&client.wanted, headers.get(header::UPGRADE)) {
        return Err(ProxyError::InvalidAnswer);
    }
    for nominated in &head.connection {
        response_headers::drop_nominated(nominated, &mut headers, head.status);
    }
    let stream = connection.into_inner().into_stream();
    let (upstream, early) = stream.ok_or(ProxyError::InvalidAnswer)?;
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    Ok(Answer::upgrade(headers, Box::new(Tunnel { client, upstream, early, idle_limit })))
}

impl Tunnel {
    /// Connects both sides as soon as the client has its answer. The end of the tunnel is the end of the request.
    pub fn start(self, exchange: Box<Exchange>) {
        exchange.connection.tunnel();
        let tracker = exchange.worker.tunnels.clone();
        let mut record = Record { exchange, client: Rc::default(), upstream: Rc::default() };
        spawn_local(tracker.track_future(async move {
            let Ok(client) = self.client.ready.await else { return };
            record.exchange.outlive_request();
            let last = Rc::new(Cell::new(Instant::now()));
            let client = Watched {
                stream: TokioIo::new(client),
                early: Bytes::new(),
                last: Rc::clone(&last),
                moved: Rc::clone(&record.client),
            };
            let upstream = Watched {
                stream: self.upstream,
                early: self.early,
                last,
                moved: Rc::clone(&record.upstream),
            };
            pump(client, upstream, self.idle_limit).await;
        }));
    }
}

/// The record of a tunnel, complete however it ends.
struct Record {
    exchange: Box<Exchange>,
    client: Rc<Moved>,
    upstream: Rc<Moved>,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.exchange.body_sent += self.client.written.get();
        self.exchange.body.get_or_insert_default().add(self.client.read.get());
        if let Some(attempt) = self.exchange.attempts.last_mut() {
            attempt.length = self.upstream.read.get();
        }
    }
}

/// Bytes that were read from a stream and written to it.
#[derive(Default)]
struct Moved {
    read: Cell<u64>,
    written: Cell<u64>,
}

/// Whether what the upstream changes to is what the client asked for.
fn agrees(wanted: &HeaderValue, offered: Option<&HeaderValue>) -> bool {
    let Some(offered) = offered else { return false };
    let offered = offered.as_bytes().trim_ascii();
    wanted
        .as_bytes()
        .split(|b| *b == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(offered))
}

/// Copies both ways until both ends are done, one fails, or nothing has moved for `idle_limit`.
async fn pump<C: AsyncRead + AsyncWrite + Unpin>(
    mut client: Watched<C>,
    mut upstream: Watched<Wire>,
    idle_limit: Duration,
) {
    let last = Rc::clone(&client.last);
    let mut copy = pin!(copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER));
    loop {
        tokio::select! {
            biased;
            _ = &mut copy => return,
            () = sleep_until(last.get() + idle_limit) => {
                if last.get() + idle_limit <= Instant::now() {
                    return;
                }
            }
        }
    }
}

/// A stream that notes when something moved, and how much.
struct Watched<S> {
    stream: S,
    /// What was read from it before.
    early: Bytes,
    /// When something moved in the tunnel.
    last: Rc<Cell<Instant>>,
    moved: Rc<Moved>,
}

impl<S> Watched<S> {
    fn note(&self, count: &Cell<u64>, more: usize) {
        self.last.set(Instant::now());
        count.set(count.get() + more as u64);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let outcome = if self.early.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, out))
        } else {
            let count = self.early.len().min(out.remaining());
            out.put_slice(&self.early.split_to(count));
            if self.early.is_empty() {
                self.early = Bytes::new();
            }
            Ok(())
        };
        self.note(&self.moved.read, out.filled().len() - before);
        Poll::Ready(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.note(&self.moved.written, *outcome.as_ref().unwrap_or(&0));
        Poll::Ready(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
