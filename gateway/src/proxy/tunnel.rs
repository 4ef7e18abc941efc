//! Upgraded connections (WebSocket and the like): after the upstream agreed to the client's wish, bytes go both ways
//! unseen until one side ends or both are silent for the read timeout.

use std::{
    cell::Cell,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes},
    net::TcpStream,
    task::spawn_local,
    time::{Instant, sleep_until},
};

use super::{answer::Answer, exchange::Exchange, response_body::Source};
use crate::{
    error::ProxyError,
    filter::response_headers,
    upstream::{h1, pool::Pooled},
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

/// Accepts the upstream's 101 and connects both sides as soon as the client has it.
pub fn open(
    exchange: &mut Exchange,
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
    exchange.connection.tunnel();
    let tracker = exchange.worker.tunnels.clone();
    spawn_local(tracker.track_future(async move {
        let Ok(client) = client.ready.await else { return };
        pump(TokioIo::new(client), upstream, early, idle_limit).await;
    }));
    Ok(Answer::upstream(StatusCode::SWITCHING_PROTOCOLS, headers, Source::Empty))
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

/// Copies both ways until both ends are done, one fails, or nothing has moved for `idle_limit`. `early` is what the
/// upstream sent right behind its answer.
async fn pump<C: AsyncRead + AsyncWrite + Unpin>(
    client: C,
    upstream: TcpStream,
    early: Bytes,
    idle_limit: Duration,
) {
    let last = Rc::new(Cell::new(Instant::now()));
    let mut client = Watched { stream: client, early: Bytes::new(), last: Rc::clone(&last) };
    let mut upstream = Watched { stream: upstream, early, last: Rc::clone(&last) };
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

/// A stream that notes when something moved.
struct Watched<S> {
    stream: S,
    /// What was read from it before.
    early: Bytes,
    last: Rc<Cell<Instant>>,
}

impl<S> Watched<S> {
    fn note<T>(&self, outcome: Poll<T>) -> Poll<T> {
        if outcome.is_ready() {
            self.last.set(Instant::now());
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let count = self.early.len().min(out.remaining());
            out.put_slice(&self.early.split_to(count));
            return self.note(Poll::Ready(Ok(())));
        }
        let outcome = Pin::new(&mut self.stream).poll_read(cx, out);
        self.note(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
