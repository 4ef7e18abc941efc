//! Sends a request to a FastCGI application, in a task of its own: it goes on while nobody asks for the answer.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::AsyncWriteExt,
    task::{AbortHandle, spawn_local},
};

use super::record::body_piece;
use crate::{
    error::ProxyError,
    upstream::{
        body::{Progress, RequestBody, Stage},
        wire::Writing,
    },
};

/// The sending of a request, which goes on while nobody asks for the answer. It ends with this value.
pub(super) struct Upload {
    progress: Rc<Progress>,
    sent: Rc<Sent>,
    task: AbortHandle,
}

/// How far it is.
#[derive(Default)]
struct Sent {
    /// Bytes that left us.
    bytes: Cell<usize>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upload {
    /// Starts to send `start` and the body behind it.
    pub(super) fn start(start: Bytes, body: RequestBody, mut half: Writing) -> Self {
        let progress = match &body {
            RequestBody::Streamed(body) => Rc::clone(body.progress()),
            RequestBody::Empty | RequestBody::Full(_) => Rc::default(),
        };
        let sent = Rc::<Sent>::default();
        let (noted, counted) = (Rc::clone(&progress), Rc::clone(&sent));
        let task = spawn_local(async move {
            let outcome = send(start, body, &mut half, &noted, &counted).await;
            // Applications take the end of this half for the end of the client; the other one keeps the connection.
            half.forget();
            noted.enter(match outcome {
                Err(Failure::Body(error)) => Stage::Failed(error),
                // What the application has to say about it comes with its answer, or with its absence.
                Ok(()) | Err(Failure::Write) => Stage::Ended,
            });
        });
        Self { progress, sent, task: task.abort_handle() }
    }

    /// Bytes that left us.
    pub(super) fn sent(&self) -> usize {
        self.sent.bytes.get()
    }

    /// Whether it is the application's turn to take something.
    pub(super) fn is_writing(&self) -> bool {
        self.progress.stage() == Stage::Writing
    }

    /// Ready when the client's body has ended early.
    pub(super) fn poll_failed(&self, cx: &Context<'_>) -> Poll<ProxyError> {
        match self.progress.stage() {
            Stage::Failed(error) => return Poll::Ready(error),
            Stage::Ended => {}
            Stage::Reading | Stage::Writing => self.progress.watch(cx),
        }
        Poll::Pending
    }
}

enum Failure {
    /// The body ended early.
    Body(ProxyError),
    /// The application does not take it.
    Write,
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Write
    }
}

async fn send(
    start: Bytes,
    body: RequestBody,
    half: &mut Writing,
    progress: &Progress,
    sent: &Sent,
) -> Result<(), Failure> {
    write(half, start, progress, sent).await?;
    match body {
        RequestBody::Empty => {}
        RequestBody::Full(bytes) => send_piece(bytes, half, progress, sent).await?,
        RequestBody::Streamed(mut body) => {
            while let Some(data) = poll_fn(|cx| body.poll_data(cx)).await {
                send_piece(data.map_err(Failure::Body)?, half, progress, sent).await?;
            }
        }
    }
    let (end, _) = body_piece(&mut Bytes::new());
    write(half, Bytes::from(end), progress, sent).await?;
    Ok(half.flush().await?)
}

async fn send_piece(
    mut bytes: Bytes,
    half: &mut Writing,
    progress: &Progress,
    sent: &Sent,
) -> Result<(), Failure> {
    while !bytes.is_empty() {
        let (front, piece) = body_piece(&mut bytes);
        write(half, Bytes::from(front).chain(piece), progress, sent).await?;
    }
    Ok(())
}

/// Writes all of `bytes`, noting every step.
async fn write(
    half: &mut Writing,
    mut bytes: impl Buf,
    progress: &Progress,
    sent: &Sent,
) -> io::Result<()> {
    while bytes.has_remaining() {
        progress.enter(Stage::Writing);
        match half.write_buf(&mut bytes).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => sent.bytes.set(sent.bytes.get() + written),
        }
    }
    Ok(())
}
