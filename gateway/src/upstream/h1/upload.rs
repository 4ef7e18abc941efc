//! Sends a body that is passed on as it arrives, in a task of its own: the upload goes on while nobody asks for the
//! answer, and the answer while the upload waits.

use std::{cell::Cell, future::poll_fn, io, rc::Rc};

use bytes::{Buf, Bytes};
use tokio::{
    io::AsyncWriteExt,
    task::{AbortHandle, spawn_local},
};

use super::trailers;
use crate::{
    error::ProxyError,
    upstream::{
        body::{Progress, Stage, Streamed},
        wire::Writing,
    },
};

/// An upload that was started. It ends with this value.
pub(super) struct Upload {
    progress: Rc<Progress>,
    /// The connection's write half, when all was sent.
    done: Rc<Cell<Option<Writing>>>,
    task: AbortHandle,
}

impl Upload {
    /// Starts to send `head` (what is left of the request's head) and `body`, with its `length` or chunked.
    pub(super) fn start(
        head: Bytes,
        body: Box<Streamed>,
        length: Option<u64>,
        mut half: Writing,
    ) -> Self {
        let progress = Rc::clone(body.progress());
        let done = Rc::new(Cell::new(None));
        let returned = Rc::clone(&done);
        let task = spawn_local(async move {
            let progress = Rc::clone(body.progress());
            match send(head, body, length, &mut half).await {
                Ok(()) => {
                    returned.set(Some(half));
                    progress.enter(Stage::Ended);
                }
                Err(Failure::Body(error)) => {
                    half.forget();
                    progress.enter(Stage::Failed(error));
                }
                // What the upstream has to say about it comes with its answer, or with its absence.
                Err(Failure::Write) => {
                    half.forget();
                    progress.enter(Stage::Ended);
                }
            }
        });
        Self { progress, done, task: task.abort_handle() }
    }

    /// How it is doing.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The write half, if all was sent.
    pub(super) fn finish(self) -> Option<Writing> {
        self.done.take()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

enum Failure {
    /// The body ended early.
    Body(ProxyError),
    /// The upstream does not take it.
    Write,
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Write
    }
}

async fn send(
    mut head: Bytes,
    mut body: Box<Streamed>,
    length: Option<u64>,
    half: &mut Writing,
) -> Result<(), Failure> {
    let progress = Rc::clone(body.progress());
    let mut left = length;
    write(half, &mut head, &progress).await?;
    while let Some(data) = poll_fn(|cx| body.poll_data(cx)).await {
        let mut data = data.map_err(Failure::Body)?;
        match &mut left {
            Some(left) => {
                // The client's own framing was checked; a body of another length must not reach the upstream anyway.
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or(Failure::Body(ProxyError::ClientGone))?;
                write(half, &mut data, &progress).await?;
            }
            None => {
                let size = Bytes::from(format!("{:x}\r\n", data.len()));
                write(half, &mut size.chain(data).chain(&b"\r\n"[..]), &progress).await?;
            }
        }
    }
    match left {
        None => {
            let end = trailers::write_end(body.take_trailers().as_ref(), body.withheld());
            write(half, &mut &*end, &progress).await?;
        }
        Some(0) => {}
        Some(_) => return Err(Failure::Body(ProxyError::ClientGone)),
    }
    Ok(())
}

/// Writes all of `bytes`, noting every step.
async fn write(half: &mut Writing, bytes: &mut impl Buf, progress: &Progress) -> io::Result<()> {
    while bytes.has_remaining() {
        progress.enter(Stage::Writing);
        if half.write_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    // What encryption has taken is not sent yet.
    half.flush().await
}
