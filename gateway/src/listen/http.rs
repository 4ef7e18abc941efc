//! From a stream to requests: TLS, which version of HTTP, and the HTTP library's connection.

use std::{pin::pin, rc::Rc, sync::Arc};

use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
    task::spawn_local,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    Security,
    conn::{Connection, Phase},
    guard::Guarded,
    malformed_stream::Answering,
};
use crate::{observe::metrics, proxy, worker::Worker};

/// The bytes that every HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Buffer of a connection: the most that a reader who stops reading costs us.
const BUFFER: usize = 64 * 1024;
/// Flow-control window of an HTTP/2 stream, and of a connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Streams that a client may have open at once (`http2-max-concurrent-streams`).
const MAX_STREAMS: u32 = 128;
/// Largest header list of a request.
const MAX_HEADER_LIST: u32 = 32 * 1024;
/// First byte of a TLS handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Serves a connection to its end.
pub(super) async fn serve(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    stream: TcpStream,
    security: Security,
    stop: CancellationToken,
    counted: metrics::Connection,
) {
    let counted = Rc::new(counted);
    match security {
        Security::Plain => serve_plain(worker, connection, stream, stop, counted).await,
        Security::Tls => serve_tls(worker, connection, stream, stop, counted).await,
    }
}

async fn serve_plain(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    mut stream: TcpStream,
    stop: CancellationToken,
    counted: Rc<metrics::Connection>,
) {
    let mut early = Vec::new();
    // Until it is clear which protocol is spoken; nearly always after the first read.
    while PREFACE.starts_with(&early) && early.len() < PREFACE.len() {
        match stream.read_buf(&mut early).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    if early.starts_with(PREFACE) && worker.live().settings.spec.http2 {
        serve_http2(worker, connection, stream, early, stop, counted).await;
    } else {
        serve_http1(worker, connection, stream, early, counted).await;
    }
}

async fn serve_tls(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    stream: TcpStream,
    stop: CancellationToken,
    counted: Rc<metrics::Connection>,
) {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1..) if first[0] == TLS_HANDSHAKE => {}
        Ok(1..) if first[0].is_ascii_uppercase() => {
            connection.misdirect();
            serve_http1(worker, connection, stream, Vec::new(), counted).await;
            return;
        }
        _ => return,
    }
    let config = worker.live().tls.server_config();
    let stream = match TlsAcceptor::from(config).accept(stream).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(peer = %connection.peer, %error, "TLS handshake failed");
            return;
        }
    };
    connection.enter(Phase::Head);
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        serve_http2(worker, connection, stream, Vec::new(), stop, counted).await;
    } else {
        serve_http1(worker, connection, stream, Vec::new(), counted).await;
    }
}

async fn serve_http1<S>(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    stream: S,
    early: Vec<u8>,
    counted: Rc<metrics::Connection>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let guarded = Guarded::new(stream, Arc::clone(&connection), early);
    let service = service_fn(move |request| {
        proxy::handle(Rc::clone(&worker), Arc::clone(&connection), request, Rc::clone(&counted))
    });
    // What goes wrong on a connection is told to its client or is the client's doing; requests log themselves.
    let _ = http1::Builder::new()
        .max_buf_size(BUFFER)
        .serve_connection(guarded, service)
        .with_upgrades()
        .await;
}

async fn serve_http2<S>(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    stream: S,
    early: Vec<u8>,
    stop: CancellationToken,
    counted: Rc<metrics::Connection>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    connection.tunnel();
    let guarded = Guarded::new(stream, Arc::clone(&connection), early);
    let service = service_fn(move |request| {
        proxy::handle(Rc::clone(&worker), Arc::clone(&connection), request, Rc::clone(&counted))
    });
    let mut serving = pin!(
        http2::Builder::new(LocalExecutor)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .max_send_buf_size(BUFFER)
            .serve_connection(Answering::new(guarded), service)
    );
    tokio::select! {
        biased;
        _ = serving.as_mut() => {}
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

/// Runs the HTTP library's tasks on the worker's own thread.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
