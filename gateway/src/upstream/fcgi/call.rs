//! One request to a FastCGI application, and its answer.

use std::{
    future::Future,
    net::SocketAddr,
    pin::pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use tokio::io::AsyncReadExt;

use super::{
    head,
    record::{Records, Said},
    upload::Upload,
};
use crate::{
    error::ProxyError,
    upstream::{
        answer::{Answering, Asked},
        body::RequestBody,
        h1::{Head, Keep},
        wire::{Reading, Wire},
    },
};

/// Bytes that are read at once, at most.
const READ_SIZE: usize = 16 * 1024;
/// What of an application's complaints is logged for one request, in bytes.
const MOST_COMPLAINT: usize = 2048;

/// What is to be known about a request for reading its answer.
pub struct Expected {
    /// Who answers, for the log.
    pub upstream: SocketAddr,
    /// The request is HEAD: its answer has no body.
    pub to_head: bool,
    /// The headers that are passed on.
    pub keep: Keep,
    /// Largest head in bytes.
    pub head_limit: usize,
}

/// A request that is being sent, and its answer.
pub struct Call {
    read: Reading,
    upload: Upload,
    expected: Expected,
    records: Records,
    /// What arrived and was not looked at.
    held: Bytes,
    /// A head that is not complete.
    partial: BytesMut,
    /// Bytes of the body that are here.
    ready: Bytes,
    /// Bytes of the body that are to come, if that is known.
    left: Option<u64>,
    /// The application's answer has ended, or has no body.
    ended: bool,
    /// All of it came, although the request has not ended.
    no_more_output: bool,
    complaint: Vec<u8>,
}

impl Call {
    /// Starts to send a request: `start` are its records in front of the body.
    pub fn start(wire: Wire, start: Vec<u8>, body: RequestBody, expected: Expected) -> Self {
        let (read, write) = wire.split();
        Self {
            read,
            upload: Upload::start(start.into(), body, write),
            expected,
            records: Records::default(),
            held: Bytes::new(),
            partial: BytesMut::new(),
            ready: Bytes::new(),
            left: None,
            ended: false,
            no_more_output: false,
            complaint: Vec::new(),
        }
    }

    /// Whether something of the request left us.
    pub fn has_sent(&self) -> bool {
        self.upload.sent() > 0
    }

    /// The next thing that is said.
    fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Result<Said, ProxyError>> {
        loop {
            match self.records.next(&mut self.held) {
                Ok(Some(Said::Complaint(piece))) => {
                    let room = MOST_COMPLAINT.saturating_sub(self.complaint.len());
                    self.complaint.extend_from_slice(&piece[..piece.len().min(room)]);
                    continue;
                }
                Ok(Some(Said::NoMoreOutput)) => {
                    self.no_more_output = true;
                    continue;
                }
                Ok(Some(said)) => return Poll::Ready(Ok(said)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            if let Poll::Ready(error) = self.upload.poll_failed(cx) {
                return Poll::Ready(Err(error));
            }
            let mut input = BytesMut::with_capacity(READ_SIZE);
            let read = ready!(pin!(self.read.read_buf(&mut input)).poll(cx));
            match read {
                Ok(1..) => self.held = input.freeze(),
                Ok(0) if self.no_more_output => return Poll::Ready(Ok(Said::End)),
                _ => return Poll::Ready(Err(ProxyError::UpstreamClosed)),
            }
        }
    }

    /// Adds a piece to the head; gives it when it is complete.
    fn take_head(&mut self, piece: &Bytes) -> Result<Option<Head>, ProxyError> {
        self.partial.extend_from_slice(piece);
        let parsed = head::parse(&self.partial, self.expected.keep)?;
        let size = parsed.as_ref().map_or(self.partial.len(), |parsed| parsed.size);
        if size > self.expected.head_limit {
            return Err(ProxyError::InvalidAnswer);
        }
        let Some(parsed) = parsed else { return Ok(None) };
        let mut rest = std::mem::take(&mut self.partial).freeze();
        rest.advance(parsed.size);
        let bodiless =
            matches!(parsed.head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if self.expected.to_head || bodiless {
            self.ended = true;
        } else {
            self.left = parsed.length;
            self.ready = self.allowed(rest);
        }
        Ok(Some(parsed.head))
    }

    /// Of a piece of the body what belongs to it: no more than the head has said.
    fn allowed(&mut self, mut piece: Bytes) -> Bytes {
        if let Some(left) = &mut self.left {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
        }
        piece
    }
}

impl Asked for Call {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, ProxyError>> {
        loop {
            match ready!(self.poll_said(cx))? {
                Said::Output(piece) => {
                    if let Some(head) = self.take_head(&piece)? {
                        return Poll::Ready(Ok(head));
                    }
                }
                Said::End => return Poll::Ready(Err(ProxyError::InvalidAnswer)),
                Said::Complaint(_) | Said::NoMoreOutput => {}
            }
        }
    }

    fn unsent(&self) -> usize {
        // It is other than before whenever something has left.
        if self.upload.is_writing() { usize::MAX - self.upload.sent() } else { 0 }
    }
}

impl Answering for Call {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>> {
        loop {
            if !self.ready.is_empty() {
                return Poll::Ready(Some(Ok(std::mem::take(&mut self.ready))));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(self.poll_said(cx)) {
                Ok(Said::Output(piece)) => self.ready = self.allowed(piece),
                Ok(Said::End) => {
                    self.ended = true;
                    if self.left.is_some_and(|left| left > 0) {
                        return Poll::Ready(Some(Err(ProxyError::UpstreamClosed)));
                    }
                }
                Ok(Said::Complaint(_) | Said::NoMoreOutput) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    fn take_trailers(&mut self) -> Option<HeaderMap> {
        None
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.complaint.is_empty() {
            // Whatever it says, it stays one line.
            let message = self.complaint.trim_ascii().escape_ascii();
            tracing::error!(upstream = %self.expected.upstream, %message, "FastCGI application");
        }
    }
}
