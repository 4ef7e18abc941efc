//! The body of a request on its way to an upstream.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::error::ProxyError;

/// A request body as it is sent.
pub enum RequestBody {
    /// None.
    Empty,
    /// All of it is here; it can be sent again.
    Full(Option<Bytes>),
    /// It is passed on as it arrives.
    Streamed(Box<Streamed>),
}

/// A body that is passed on as it arrives: the upstream's pace is the client's pace.
pub struct Streamed {
    /// What was read ahead.
    start: Option<Bytes>,
    rest: Incoming,
    /// Bytes that may still come; `None` for no limit.
    allowance: Option<u64>,
    progress: Rc<Progress>,
}

/// How a streamed body is doing, for those who wait for the answer.
#[derive(Debug)]
pub struct Progress {
    /// When the last bytes were taken by the connection.
    pub last: Cell<Instant>,
    /// All of it has been taken.
    pub finished: Cell<bool>,
    /// Why it ended early.
    pub failure: Cell<Option<ProxyError>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            last: Cell::new(Instant::now()),
            finished: Cell::new(false),
            failure: Cell::new(None),
        }
    }
}

impl Streamed {
    /// A body of which `start` was read ahead. `allowance` counts the bytes after `start`.
    pub fn new(
        start: Bytes,
        rest: Incoming,
        allowance: Option<u64>,
        progress: Rc<Progress>,
    ) -> Self {
        Self { start: Some(start).filter(|bytes| !bytes.is_empty()), rest, allowance, progress }
    }

    fn fail(&self, failure: ProxyError) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        self.progress.failure.set(Some(failure));
        Poll::Ready(Some(Err(failure)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ProxyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        let body = match &mut *self {
            Self::Empty => return Poll::Ready(None),
            Self::Full(bytes) => {
                return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))));
            }
            Self::Streamed(body) => body,
        };
        body.progress.last.set(Instant::now());
        if let Some(start) = body.start.take() {
            return Poll::Ready(Some(Ok(Frame::data(start))));
        }
        match ready!(Pin::new(&mut body.rest).poll_frame(cx)) {
            None => {
                body.progress.finished.set(true);
                Poll::Ready(None)
            }
            Some(Err(_)) => body.fail(ProxyError::ClientGone),
            Some(Ok(frame)) => {
                if let (Some(data), Some(allowance)) = (frame.data_ref(), body.allowance.as_mut()) {
                    match allowance.checked_sub(data.len() as u64) {
                        Some(left) => *allowance = left,
                        None => return body.fail(ProxyError::BodyTooLarge),
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Full(None) => true,
            Self::Full(Some(bytes)) => bytes.is_empty(),
            Self::Streamed(body) => body.start.is_none() && body.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Full(None) => SizeHint::with_exact(0),
            Self::Full(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed(body) => {
                let ahead = body.start.as_ref().map_or(0, |bytes| bytes.len() as u64);
                match body.rest.size_hint().exact() {
                    Some(rest) => SizeHint::with_exact(ahead + rest),
                    None => SizeHint::default(),
                }
            }
        }
    }
}
