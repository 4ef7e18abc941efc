//! The stream under the HTTP/1 library. It sees every byte of a client before the library does, follows the message
//! framing, and shows the library only heads that passed [`super::head::check`]. A refused head is replaced by a
//! stand-in, so that its answer is written in its turn and by the same code as any other.
//!
//! Because the library only ever sees complete heads, it never holds half a one. Bytes are copied once, from a
//! buffer of the worker, which saves a second buffer for each connection.

mod follow;

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use headgate_config::HeadLimits;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(any(test, fuzzing))]
pub(super) use self::follow::STAND_IN;
use self::follow::{Follower, Next};
use super::conn::{Connection, Phase};

/// Size of a worker's read buffer.
const READ_SIZE: usize = 16 * 1024;
/// Bytes of a lingering peer that are read before the connection is cut.
const LINGER_BYTES: u64 = 16 * 1024 * 1024;

/// Answers up to this size are written in one piece.
const JOINED: usize = 2048;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_SIZE].into_boxed_slice());
}

/// A client stream with its guard.
pub struct Guarded<S> {
    stream: S,
    connection: Arc<Connection>,
    follower: Follower,
    lingered: u64,
    write_closed: bool,
}

impl<S> Guarded<S> {
    /// Guards a stream. `early` are bytes that were already read from it; no head is larger than `limits` allow.
    pub fn new(stream: S, connection: Arc<Connection>, early: Vec<u8>, limits: HeadLimits) -> Self {
        let follower = Follower::new(Arc::clone(&connection), early, limits);
        Self { stream, connection, follower, lingered: 0, write_closed: false }
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Reads once, and checks and passes on what came. Ready with `false` when nothing could be passed on yet.
    fn poll_once(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<bool>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = out.remaining().min(scratch.len());
            let mut read = ReadBuf::new(&mut scratch[..room]);
            match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
                Poll::Pending => {
                    self.follower.note_waiting();
                    return Poll::Pending;
                }
                Poll::Ready(outcome) => outcome?,
            }
            let bytes = read.filled();
            self.connection.count_received(bytes.len());
            Poll::Ready(Ok(bytes.is_empty() || self.follower.take(bytes, out)))
        })
    }
}

impl<S: AsyncRead + Unpin> Read for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        guard.follower.resume();
        if guard.follower.deliver(&mut out) {
            return Poll::Ready(Ok(()));
        }
        loop {
            match guard.follower.next() {
                Next::More => {}
                Next::Later { room } => {
                    guard.connection.pause(cx);
                    // Enough is held of a peer that talks before it was answered.
                    if !room {
                        return Poll::Pending;
                    }
                }
                Next::Refused => return Poll::Pending,
                Next::Broken => {
                    guard.connection.set_malformed();
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "malformed chunk",
                    )));
                }
            }
            if ready!(guard.poll_once(cx, &mut out))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Writes several slices. Small ones are joined first: one copy of a few hundred bytes costs less than a vectored
/// system call.
fn write_slices<S: AsyncWrite>(
    stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    slices: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if let [one] = slices {
        return stream.poll_write(cx, one);
    }
    let total: usize = slices.iter().map(|slice| slice.len()).sum();
    let mut joined = [0; JOINED];
    let Some(room) = joined.get_mut(..total) else {
        return stream.poll_write_vectored(cx, slices);
    };
    let mut at = 0;
    for slice in slices {
        room[at..at + slice.len()].copy_from_slice(slice);
        at += slice.len();
    }
    stream.poll_write(cx, room)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.connection.wrote(outcome.is_ready());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = write_slices(Pin::new(&mut self.stream), cx, slices);
        self.connection.wrote(outcome.is_ready());
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        // TLS takes what it is given, and may have to hold some of it.
        if outcome.is_pending() || self.connection.is_write_blocked() {
            self.connection.wrote(outcome.is_ready());
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        if !guard.write_closed {
            ready!(Pin::new(&mut guard.stream).poll_shutdown(cx))?;
            guard.write_closed = true;
            guard.connection.enter(Phase::Lingering);
        }
        if !guard.connection.is_lingering() {
            return Poll::Ready(Ok(()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let mut read = ReadBuf::new(scratch);
                match ready!(Pin::new(&mut guard.stream).poll_read(cx, &mut read)) {
                    Ok(()) if read.filled().is_empty() => return Poll::Ready(Ok(())),
                    Ok(()) => guard.lingered += read.filled().len() as u64,
                    Err(_) => return Poll::Ready(Ok(())),
                }
                if guard.lingered > LINGER_BYTES {
                    return Poll::Ready(Ok(()));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
