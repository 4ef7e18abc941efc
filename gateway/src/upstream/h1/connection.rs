//! One connection to an endpoint. Whoever uses it drives it: the request polls it for its answer, the answer's body
//! for its bytes. While idle it holds no buffer, and nobody polls it.

mod sending;

use std::{
    io, mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes, BytesMut, buf::Chain};
use http::{HeaderMap, Method};
use memchr::memmem;
use tokio::io::{AsyncRead, ReadBuf};

use self::sending::nothing;
use super::{
    body::Decoder,
    head::{self, Head, Keep, Parsed},
    stream::Stream,
    trailers,
};
use crate::{
    error::ProxyError,
    upstream::{body::Stage, wire::Wire},
};

/// Largest head of an answer, whatever is configured.
const MAX_HEAD: usize = 1024 * 1024;
/// Most bytes of interim answers in front of an answer.
const MAX_INTERIM: usize = 64 * 1024;
/// A connection that is ready for a request, or busy with one.
pub struct Connection {
    stream: Stream,
    /// Bytes of a head that is not complete.
    partial: BytesMut,
    /// Bytes behind what was used so far.
    held: Bytes,
    /// The rest of a request that the system did not take at once.
    unsent: Chain<Bytes, Bytes>,
    expect: Expect,
    body: Decoder,
    keep_alive: bool,
    /// Something of the current request left us.
    sent: bool,
    /// Something of the current answer arrived.
    answered: bool,
    /// Writing failed.
    broken: bool,
    /// Bytes of interim answers.
    interim: usize,
    /// The trailer section of the answer's body.
    trailers: Vec<u8>,
}

/// What decides about the answer to a request.
#[derive(Clone, Copy, Debug)]
pub struct Expect {
    /// The request is HEAD: its answer has no body.
    pub to_head: bool,
    /// The headers that are passed on.
    pub keep: Keep,
    /// Largest head in bytes.
    pub head_limit: usize,
}

impl Expect {
    /// The answer to a request with this method.
    pub fn new(method: &Method, keep: Keep, head_limit: u64) -> Self {
        let head_limit = usize::try_from(head_limit).map_or(MAX_HEAD, |bytes| bytes.min(MAX_HEAD));
        Self { to_head: method == Method::HEAD, keep, head_limit }
    }
}

impl Connection {
    /// A connection over a stream that was just made.
    pub fn new(wire: Wire) -> Self {
        Self::over(match wire {
            Wire::Plain(stream) => Stream::Whole(stream),
            Wire::Encrypted(stream) => Stream::Encrypted(stream),
        })
    }

    fn over(stream: Stream) -> Self {
        Self {
            stream,
            partial: BytesMut::new(),
            held: Bytes::new(),
            unsent: nothing(),
            expect: Expect { to_head: false, keep: |_, _| false, head_limit: 0 },
            body: Decoder::Length(0),
            keep_alive: true,
            sent: false,
            answered: false,
            broken: false,
            interim: 0,
            trailers: Vec::new(),
        }
    }

    /// Whether it can take a request: its peer has neither closed it nor said anything unasked. Costs a system call
    /// only if something has happened to it.
    pub fn is_idle(&mut self) -> bool {
        let stream = match &mut self.stream {
            Stream::Whole(stream) => stream,
            // What its peer says may be for the encryption only, so it has to be read.
            Stream::Encrypted(stream) => {
                let mut byte = [0];
                let mut byte = ReadBuf::new(&mut byte);
                let mut cx = Context::from_waker(Waker::noop());
                return Pin::new(stream).poll_read(&mut cx, &mut byte).is_pending();
            }
            Stream::Uploading(..) | Stream::Closed => return false,
        };
        matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether something of the current request left us.
    pub fn has_sent(&self) -> bool {
        self.sent
    }

    /// Whether something of the current answer arrived.
    pub fn has_answered(&self) -> bool {
        self.answered
    }

    /// Waits for the head of the answer.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, ProxyError>> {
        loop {
            if let Poll::Ready(failure) = self.poll_upload(cx) {
                return Poll::Ready(Err(failure));
            }
            self.poll_unsent(cx);
            let read = match self.stream.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(read)) if !read.is_empty() => read,
                Poll::Ready(_) => return Poll::Ready(Err(ProxyError::UpstreamClosed)),
            };
            self.answered = true;
            match self.take_head(read) {
                Ok(None) => {}
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Adds what was read to the head; gives it when it is complete.
    fn take_head(&mut self, read: Bytes) -> Result<Option<Head>, ProxyError> {
        let mut text = read;
        if !self.partial.is_empty() {
            let before = self.partial.len().saturating_sub(3);
            self.partial.extend_from_slice(&text);
            if self.partial.len() <= self.expect.head_limit && !has_end(&self.partial[before..]) {
                return Ok(None);
            }
            text = mem::take(&mut self.partial).freeze();
        }
        loop {
            match head::parse(&text, self.expect.to_head, self.expect.keep)? {
                Parsed::Partial if text.len() > self.expect.head_limit => {
                    return Err(ProxyError::InvalidAnswer);
                }
                Parsed::Partial => {
                    self.partial = BytesMut::from(text);
                    return Ok(None);
                }
                Parsed::Interim(length) => {
                    text.advance(length);
                    self.interim += length;
                    if length > self.expect.head_limit || self.interim > MAX_INTERIM {
                        return Err(ProxyError::InvalidAnswer);
                    }
                    if text.is_empty() {
                        return Ok(None);
                    }
                }
                Parsed::Final { length, .. } if length > self.expect.head_limit => {
                    return Err(ProxyError::InvalidAnswer);
                }
                Parsed::Final { head, body, keep_alive, length } => {
                    text.advance(length);
                    self.held = text;
                    self.body = body;
                    self.keep_alive = keep_alive;
                    return Ok(Some(head));
                }
            }
        }
    }

    /// The next bytes of the answer's body; `None` at its end.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>> {
        loop {
            match self.body.next(&mut self.held, &mut self.trailers) {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(None) if self.body.is_done() => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            if let Poll::Ready(failure) = self.poll_upload(cx) {
                return Poll::Ready(Some(Err(failure)));
            }
            self.poll_unsent(cx);
            match self.stream.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(read)) if !read.is_empty() => self.held = read,
                Poll::Ready(Ok(_)) if self.body.close() => return Poll::Ready(None),
                Poll::Ready(_) => return Poll::Ready(Some(Err(ProxyError::UpstreamClosed))),
            }
        }
    }

    /// All of the answer's body, if it has arrived already and needs no further look.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match self.body.left() {
            Some(left) if left <= self.held.len() as u64 => {
                match self.body.next(&mut self.held, &mut self.trailers) {
                    Ok(piece) if self.body.is_done() => Some(piece.unwrap_or_default()),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Bytes of the answer's body that are left, if that is known.
    pub fn left(&self) -> Option<u64> {
        self.body.left()
    }

    /// The trailer fields of an answer that is all read (RFC 9110 §6.5), to be taken once.
    pub fn take_trailers(&mut self) -> Option<HeaderMap> {
        trailers::parse(&mem::take(&mut self.trailers))
    }

    /// Whether all of the answer was taken.
    pub fn is_done(&self) -> bool {
        self.body.is_done()
    }

    /// Makes it ready for the next request; false if it cannot take one: the request was not sent to its end, the
    /// answer not read to its end, its peer wants to close it, or said more than was asked.
    pub fn renew(&mut self) -> bool {
        let clean = self.keep_alive
            && self.body.is_done()
            && self.held.is_empty()
            && !self.unsent.has_remaining()
            && !self.broken;
        if !clean {
            return false;
        }
        self.stream = match mem::replace(&mut self.stream, Stream::Closed) {
            Stream::Uploading(read, upload) => {
                match upload.finish().and_then(|write| read.reunite(write)) {
                    Some(Wire::Plain(stream)) => Stream::Whole(stream),
                    Some(Wire::Encrypted(stream)) => Stream::Encrypted(stream),
                    None => return false,
                }
            }
            other => other,
        };
        self.held = Bytes::new();
        self.trailers = Vec::new();
        (self.sent, self.answered, self.interim) = (false, false, 0);
        true
    }

    /// The stream and what was read ahead from it, for another protocol. `None` if the request is still on its way.
    pub fn into_stream(mut self) -> Option<(Wire, Bytes)> {
        self.keep_alive = true;
        self.body = Decoder::Length(0);
        let held = mem::take(&mut self.held);
        match (self.renew(), self.stream) {
            (true, Stream::Whole(stream)) => Some((Wire::Plain(stream), held)),
            (true, Stream::Encrypted(stream)) => Some((Wire::Encrypted(stream), held)),
            _ => None,
        }
    }

    /// Ready when the upload has failed.
    fn poll_upload(&self, cx: &Context<'_>) -> Poll<ProxyError> {
        let Stream::Uploading(_, upload) = &self.stream else { return Poll::Pending };
        let progress = upload.progress();
        match progress.stage() {
            Stage::Failed(error) => return Poll::Ready(error),
            Stage::Ended => {}
            Stage::Reading | Stage::Writing => progress.watch(cx),
        }
        Poll::Pending
    }
}

/// Whether the empty line behind a head may be in here.
fn has_end(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"\n\r\n").is_some() || memmem::find(bytes, b"\n\n").is_some()
}
