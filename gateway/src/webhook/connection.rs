//! One connection of the webhook: TLS, HTTP/1.1, and how long each of its steps may take. What is answered is left to the
//! server.

use std::{
    convert::Infallible,
    future::pending,
    io,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use http::{HeaderValue, header};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{Limits, server::Server};

/// Room for a request's head.
const HEAD_BUFFER: usize = 16 << 10;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The TLS handshake, since it was accepted then.
    Handshake(Instant),
    /// Nothing: no byte of a request has come since then.
    Idle(Instant),
    /// The head of a request, which has begun then.
    Head(Instant),
    /// The body of a request, whose head has come in full then. Its limit is where it is read.
    Body(Instant),
    /// Nothing more of the request: its answer is being made, and has its limit where that is done.
    Awaited,
    /// An answer, which is being sent since then.
    Answer(Instant),
}

/// Serves a connection, and shows its phase.
pub(super) async fn run(server: Arc<Server>, stream: TcpStream, phase: watch::Sender<Phase>) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let (limits, stop) = (server.limits, server.stop.clone());
    let handshake = tokio::select! {
        done = time::timeout(limits.handshake, server.tls.accept(stream)) => done,
        () = stop.cancelled() => return,
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return server.note_handshake(&error),
        Err(_) => return,
    };
    server.has_complained.store(false, Relaxed);
    phase.send_replace(Phase::Idle(Instant::now()));
    let phases = phase.subscribe();
    let stream = Watched { stream, phase: phase.clone() };
    let service = service_fn(move |request| {
        let (server, phase) = (Arc::clone(&server), phase.clone());
        async move {
            let mut response = server.answer(request, &phase).await;
            if server.stop.is_cancelled() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            phase.send_replace(Phase::Answer(Instant::now()));
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            // It knows one limit for a head and for the pause before it.
            .header_read_timeout(None)
            .max_buf_size(HEAD_BUFFER)
            .serve_connection(TokioIo::new(stream), service)
    );
    let served = tokio::select! {
        biased;
        served = connection.as_mut() => served,
        last = end(phases, limits, &stop) => {
            if !matches!(last, Phase::Idle(_)) {
                return;
            }
            connection.as_mut().graceful_shutdown();
            time::timeout(limits.answer_sent, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "webhook connection ended");
    }
}

/// Waits until a connection has to end, because a step takes too long, or because the server stops and it has no whole
/// head of a request. Says what it was at.
async fn end(
    mut phases: watch::Receiver<Phase>,
    limits: Limits,
    stop: &CancellationToken,
) -> Phase {
    loop {
        let phase = *phases.borrow_and_update();
        let until = match phase {
            Phase::Handshake(_) | Phase::Body(_) | Phase::Awaited => None,
            Phase::Idle(since) => Some(since + limits.idle),
            Phase::Head(since) => Some(since + limits.head),
            Phase::Answer(since) => Some(since + limits.answer_sent),
        };
        let too_late = async {
            match until {
                Some(until) => time::sleep_until(until).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            Ok(()) = phases.changed() => {}
            () = too_late => return phase,
            () = stop.cancelled(), if matches!(phase, Phase::Idle(_) | Phase::Head(_)) => return phase,
        }
    }
}

/// A stream that notes when a request begins, and when an answer has been sent.
struct Watched<S> {
    stream: S,
    phase: watch::Sender<Phase>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.phase.send_if_modified(|phase| {
                let begins = matches!(phase, Phase::Idle(_));
                if begins {
                    *phase = Phase::Head(Instant::now());
                }
                begins
            });
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.phase.send_if_modified(|phase| {
                let ends = matches!(phase, Phase::Answer(_));
                if ends {
                    *phase = Phase::Idle(Instant::now());
                }
                ends
            });
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
