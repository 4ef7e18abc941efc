//! The body of a request on its way to an upstream.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use hyper::body::Incoming;

use crate::{deadline::Deadline, error::ProxyError};

/// A request body as it is sent.
pub enum RequestBody {
    /// None.
    Empty,
    /// All of it is here; it can be sent again.
    Full(Bytes),
    /// It is passed on as it arrives.
    Streamed(Box<Streamed>),
}

/// The body of a client's request as it arrives: how much of it came, and how long the client may pause inside it
/// (`client-body-timeout`).
pub struct ClientBody {
    body: Incoming,
    deadline: Deadline,
    limit: Duration,
    waiting: bool,
    received: Rc<Received>,
}

/// What came of a body, for those who no longer have it.
#[derive(Debug)]
pub struct Received {
    bytes: Cell<u64>,
    open: Cell<bool>,
}

impl Default for Received {
    fn default() -> Self {
        Self { bytes: Cell::new(0), open: Cell::new(true) }
    }
}

impl Received {
    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Counts more of them.
    pub fn add(&self, bytes: u64) {
        self.bytes.set(self.bytes() + bytes);
    }

    /// Whether more may come, and the connection may end before it is read.
    pub fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Notes that the end was reached, or that somebody goes on to it.
    pub fn close(&self) {
        self.open.set(false);
    }
}

impl ClientBody {
    /// A body whose client may pause for `limit`, which `deadline` measures. `received` is told of what comes.
    pub fn new(
        body: Incoming,
        deadline: Deadline,
        limit: Duration,
        received: Rc<Received>,
    ) -> Self {
        Self { body, deadline, limit, waiting: false, received }
    }

    /// Its length, if the client said it.
    pub fn announced(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next frame; `None` at its end. Waiting counts, and not the time in which nobody asked. The errors are those
    /// of [`Self::next_frame`].
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, ProxyError>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.waiting = false;
                if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref())
                {
                    self.received.add(data.len() as u64);
                }
                if frame.is_none() || self.body.is_end_stream() {
                    self.received.close();
                }
                Poll::Ready(frame.transpose().map_err(|_| ProxyError::ClientGone))
            }
            Poll::Pending => {
                if !self.waiting {
                    self.waiting = true;
                    self.deadline.reset(self.limit);
                }
                self.deadline.poll_expired(cx).map(|()| Err(ProxyError::ClientGone))
            }
        }
    }

    /// Waits for the next frame; `None` at its end.
    ///
    /// # Errors
    /// The client paused for too long, or its body ended early.
    pub async fn next_frame(&mut self) -> Result<Option<Frame<Bytes>>, ProxyError> {
        poll_fn(|cx| self.poll_frame(cx)).await
    }
}

/// A body that is passed on as it arrives: the upstream's pace is the client's pace.
pub struct Streamed {
    /// What was read ahead.
    start: Option<Bytes>,
    rest: ClientBody,
    /// Bytes that may still come; `None` for no limit.
    allowance: Option<u64>,
    progress: Rc<Progress>,
    trailers: Option<HeaderMap>,
    withheld: Vec<String>,
}

/// How a streamed body is doing, for those who wait for the answer.
#[derive(Debug)]
pub struct Progress {
    since: Cell<Instant>,
    stage: Cell<Stage>,
    waiting: RefCell<Option<Waker>>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The client's: it has a limit of its own (`client-body-timeout`).
    Reading,
    /// The upstream's: it takes the body.
    Writing,
    /// The upstream's: it answers. All was sent, or it does not take more.
    Ended,
    /// Nobody's: the body ended early.
    Failed(ProxyError),
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            since: Cell::new(Instant::now()),
            stage: Cell::new(Stage::Reading),
            waiting: RefCell::default(),
        }
    }
}

impl Progress {
    /// Whose turn it is.
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// When that began, or something moved in it.
    pub fn since(&self) -> Instant {
        self.since.get()
    }

    /// Notes whose turn it is, or that something moved.
    pub fn enter(&self, stage: Stage) {
        self.stage.set(stage);
        self.since.set(Instant::now());
        if matches!(stage, Stage::Ended | Stage::Failed(_)) {
            self.wake();
        }
    }

    /// Wakes the task when it ends.
    pub fn watch(&self, cx: &Context<'_>) {
        match &mut *self.waiting.borrow_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

impl Streamed {
    /// A body of which `start` was read ahead. `allowance` counts the bytes after `start`.
    pub fn new(
        start: Bytes,
        rest: ClientBody,
        allowance: Option<u64>,
        progress: Rc<Progress>,
    ) -> Self {
        let start = Some(start).filter(|bytes| !bytes.is_empty());
        Self { start, rest, allowance, progress, trailers: None, withheld: Vec::new() }
    }

    /// How it is doing.
    pub fn progress(&self) -> &Rc<Progress> {
        &self.progress
    }

    /// Keeps trailer fields of these names back: the gateway decides about them in the head.
    pub fn withhold(&mut self, names: Vec<String>) {
        self.withheld = names;
    }

    /// The names of trailer fields that are kept back.
    pub fn withheld(&self) -> &[String] {
        &self.withheld
    }

    /// The client's trailer fields, to be taken once, at the end.
    pub fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// The next bytes; `None` at the end.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>> {
        self.progress.enter(Stage::Reading);
        if let Some(start) = self.start.take() {
            return Poll::Ready(Some(Ok(start)));
        }
        loop {
            let frame = match ready!(self.rest.poll_frame(cx)) {
                Ok(None) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Some(frame)) => frame,
            };
            let data = match frame.into_data() {
                Ok(data) if data.is_empty() => continue,
                Ok(data) => data,
                Err(frame) => {
                    self.trailers = frame.into_trailers().ok();
                    continue;
                }
            };
            if let Some(allowance) = self.allowance.as_mut() {
                match allowance.checked_sub(data.len() as u64) {
                    Some(left) => *allowance = left,
                    None => return Poll::Ready(Some(Err(ProxyError::BodyTooLarge))),
                }
            }
            return Poll::Ready(Some(Ok(data)));
        }
    }
}
