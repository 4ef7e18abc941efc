//! How a request leaves over a connection: at once as far as the system takes it, the rest when whoever waits for the
//! answer polls for it. A body that is passed on as it arrives has a task of its own.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    mem,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, buf::Chain};

use super::{
    super::{stream::Stream, upload::Upload},
    Connection, Expect,
};
use crate::upstream::{body::RequestBody, wire::Wire};

/// Bodies up to this size are written in one piece with their head.
const JOINED: usize = 8 * 1024;

thread_local! {
    /// Where heads of requests are written.
    static OUTPUT: RefCell<Vec<u8>> = RefCell::default();
}

impl Connection {
    /// Starts to send a request. `write_head` appends its head to what it is given; `length` is what the head says
    /// about a streamed body, `None` for chunked.
    ///
    /// # Errors
    /// Nothing was sent; the body comes back.
    pub fn send(
        &mut self,
        write_head: impl FnOnce(&mut Vec<u8>),
        body: RequestBody,
        length: Option<u64>,
        expect: Expect,
    ) -> Result<(), RequestBody> {
        self.expect = expect;
        OUTPUT.with_borrow_mut(|out| {
            out.clear();
            write_head(out);
            match body {
                RequestBody::Empty => {
                    self.write_now(out, Bytes::new()).map_err(|_| RequestBody::Empty)
                }
                RequestBody::Full(bytes) => {
                    let written = if bytes.len() <= JOINED {
                        out.extend_from_slice(&bytes);
                        self.write_now(out, Bytes::new())
                    } else {
                        self.write_now(out, bytes.clone())
                    };
                    written.map_err(|_| RequestBody::Full(bytes))
                }
                RequestBody::Streamed(body) => {
                    if self.write_now(out, Bytes::new()).is_err() {
                        return Err(RequestBody::Streamed(body));
                    }
                    let whole = match mem::replace(&mut self.stream, Stream::Closed) {
                        Stream::Whole(stream) => Some(Wire::Plain(stream)),
                        Stream::Encrypted(stream) => Some(Wire::Encrypted(stream)),
                        Stream::Uploading(..) | Stream::Closed => None,
                    };
                    if let Some(whole) = whole {
                        let (read, write) = whole.split();
                        let head = mem::replace(&mut self.unsent, nothing()).into_inner().0;
                        let upload = Upload::start(head, body, length, write);
                        self.stream = Stream::Uploading(read, upload);
                        // The task may be ahead of what is known here.
                        self.sent = true;
                    }
                    Ok(())
                }
            }
        })
    }

    /// Writes as much as the system takes, and holds the rest.
    fn write_now(&mut self, head: &[u8], body: Bytes) -> io::Result<()> {
        let stream = match &self.stream {
            Stream::Whole(stream) => stream,
            Stream::Encrypted(_) => {
                self.unsent = Bytes::copy_from_slice(head).chain(body);
                return Ok(());
            }
            Stream::Uploading(..) | Stream::Closed => {
                return Err(io::ErrorKind::NotConnected.into());
            }
        };
        let outcome = if body.is_empty() {
            stream.try_write(head)
        } else {
            stream.try_write_vectored(&[IoSlice::new(head), IoSlice::new(&body)])
        };
        let written = match outcome {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.sent = written > 0;
        if written < head.len() + body.len() {
            let head_rest = Bytes::copy_from_slice(head.get(written..).unwrap_or_default());
            self.unsent = head_rest.chain(body.slice(written.saturating_sub(head.len())..));
        }
        Ok(())
    }

    /// Writes what was held.
    pub(super) fn poll_unsent(&mut self, cx: &mut Context<'_>) {
        while self.unsent.has_remaining() {
            let Some(outcome) = self.stream.poll_write(cx, self.unsent.chunk()) else { return };
            match outcome {
                Poll::Pending => return,
                Poll::Ready(Ok(written @ 1..)) => {
                    self.sent = true;
                    self.unsent.advance(written);
                }
                Poll::Ready(_) => {
                    // An answer may have come before the peer closed.
                    self.broken = true;
                    self.unsent = nothing();
                }
            }
        }
        self.broken |= matches!(self.stream.poll_flush(cx), Poll::Ready(Err(_)));
    }

    /// Bytes of the current request that the system has not taken yet, but for those of a streamed body.
    pub fn unsent(&self) -> usize {
        self.unsent.remaining()
    }
}

/// No rest of a request.
pub(super) fn nothing() -> Chain<Bytes, Bytes> {
    Bytes::new().chain(Bytes::new())
}
