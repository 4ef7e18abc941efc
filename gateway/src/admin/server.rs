//! Connections of the admin server.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;

use super::{AdminState, Limits};

/// Room for a request's head. Requests here have no body worth reading.
const BUFFER: usize = 16 * 1024;

/// How long answers may take that are under way when the server stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, which should be the very end: health and metrics are wanted while requests drain.
pub async fn serve(listener: TcpListener, state: Arc<AdminState>, shutdown: CancellationToken) {
    serve_within(Limits::default(), listener, state, shutdown).await;
}

pub(super) async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    state: Arc<AdminState>,
    shutdown: CancellationToken,
) {
    let mut tasks = JoinSet::new();
    // Oldest first. Ending the oldest keeps a client that holds connections from locking out the probes, whose
    // requests take a moment only.
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "admin connection not accepted");
                    // Out of files, most likely: without a pause this loop would spin.
                    time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        if open.len() >= limits.connections {
            open.retain(|task| !task.is_finished());
        }
        if open.len() >= limits.connections
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let task = connection(limits, stream, Arc::clone(&state), shutdown.clone());
        open.push_back(tasks.spawn(task));
    }
    drop(listener);
    let rest = async { while tasks.join_next().await.is_some() {} };
    // Dropping the set ends what is left.
    let _ = time::timeout(FAREWELL, rest).await;
}

async fn connection(
    limits: Limits,
    stream: TcpStream,
    state: Arc<AdminState>,
    shutdown: CancellationToken,
) {
    let service = service_fn(move |request| Arc::clone(&state).respond(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = async {
        tokio::select! {
            served = connection.as_mut() => served,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    // Clients that go away or are too slow are nobody's concern here.
    if let Ok(Err(error)) = time::timeout(limits.connection, served).await {
        tracing::debug!(%error, "admin connection ended");
    }
}
