//! A client connection that speaks HTTP/2: windows, limits, signs of life, and its end.

use std::{pin::pin, rc::Rc, sync::Arc, time::Duration};

use futures_util::FutureExt;
use hyper::{Method, Request, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::TokioTimer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use super::{
    conn::Connection, guard::Guarded, http::BUFFER, malformed_stream::Answering, pieces,
    stream::StreamExecutor,
};
use crate::{live::ListenerSettings, observe::metrics, proxy, worker::Worker};

/// Flow-control window of a stream, and of a connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Longest silence of a peer with open streams before it is asked whether it is there. Not shorter than what idle
/// connections are kept by default: those are closed and not asked.
const MAX_SILENCE: Duration = Duration::from_secs(75);

/// Serves a connection to its end. `early` are bytes that were already read from it.
pub(super) async fn serve<S>(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    stream: S,
    early: Vec<u8>,
    limits: ListenerSettings,
    stop: CancellationToken,
    counted: Rc<metrics::Connection>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    connection.tunnel();
    let head_limits = worker.live().settings.spec.head_limits;
    let guarded = Guarded::new(stream, Arc::clone(&connection), early, head_limits);
    let stream = Answering::new(guarded, Arc::clone(&connection));
    let streams = StreamExecutor::new(&worker, &connection, limits.send_timeout);
    let enough = Rc::new(Notify::new());
    let all_served = Rc::clone(&enough);
    let service = service_fn(move |request: Request<Incoming>| {
        let to_head = request.method() == Method::HEAD;
        let served = proxy::handle(
            Rc::clone(&worker),
            Arc::clone(&connection),
            request,
            Rc::clone(&counted),
        );
        if connection.has_had_enough(&worker.live().settings) {
            all_served.notify_one();
        }
        let connection = Arc::clone(&connection);
        served.map(move |answer| answer.map(|answer| pieces::answer(answer, to_head, connection)))
    });
    let mut serving = pin!(
        http2::Builder::new(streams)
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.idle_timeout.min(MAX_SILENCE))
            // The peer owes us the answer, as it owes us the rest of a body.
            .keep_alive_timeout(limits.body_timeout.max(Duration::from_secs(1)))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(limits.http2_streams)
            .max_header_list_size(head_limits.total)
            .max_send_buf_size(BUFFER)
            .serve_connection(stream, service)
    );
    tokio::select! {
        biased;
        _ = serving.as_mut() => return,
        () = stop.cancelled() => {}
        () = enough.notified() => {}
    }
    // GOAWAY: the streams that are open are finished.
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}

#[cfg(test)]
mod tests;
