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

/// How long a client may pause inside a body (`client-body-timeout`).
pub struct Patience {
    deadline: Deadline,
    limit: Duration,
    waiting: bool,
}

impl Patience {
    /// Patience for one body.
    pub fn new(deadline: Deadline, limit: Duration) -> Self {
        Self { deadline, limit, waiting: false }
    }

    /// The next frame of `body`; `None` at its end. Waiting counts, and not the time in which nobody asked.
    fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, ProxyError>> {
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.waiting = false;
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

    /// Waits for [`Self::poll_frame`].
    ///
    /// # Errors
    /// The client paused for too long, or its body ended early.
    pub async fn next_frame(
        &mut self,
        body: &mut Incoming,
    ) -> Result<Option<Frame<Bytes>>, ProxyError> {
        poll_fn(|cx| self.poll_frame(body, cx)).await
    }
}

/// A body that is passed on as it arrives: the upstream's pace is the client's pace.
pub struct Streamed {
    /// What was read ahead.
    start: Option<Bytes>,
    rest: Incoming,
    /// Bytes that may still come; `None` for no limit.
    allowance: Option<u64>,
    progress: Rc<Progress>,
    patience: Patience,
}

/// How a streamed body is doing, for those who wait for the answer.
#[derive(Debug)]
pub struct Progress {
    last: Cell<Instant>,
    finished: Cell<bool>,
    failure: Cell<Option<ProxyError>>,
    waiting: RefCell<Option<Waker>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            last: Cell::new(Instant::now()),
            finished: Cell::new(false),
            failure: Cell::new(None),
            waiting: RefCell::default(),
        }
    }
}

impl Progress {
    /// When something moved last.
    pub fn last(&self) -> Instant {
        self.last.get()
    }

    /// All of it has been sent.
    pub fn is_finished(&self) -> bool {
        self.finished.get()
    }

    /// Why it ended early.
    pub fn failure(&self) -> Option<ProxyError> {
        self.failure.get()
    }

    /// Notes that something moved.
    pub fn moved(&self) {
        self.last.set(Instant::now());
    }

    /// Notes that all of it has been sent.
    pub fn finish(&self) {
        self.finished.set(true);
        self.wake();
    }

    /// Notes that it ended early.
    pub fn fail(&self, failure: ProxyError) {
        self.failure.set(Some(failure));
        self.wake();
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
        rest: Incoming,
        allowance: Option<u64>,
        progress: Rc<Progress>,
        patience: Patience,
    ) -> Self {
        let start = Some(start).filter(|bytes| !bytes.is_empty());
        Self { start, rest, allowance, progress, patience }
    }

    /// How it is doing.
    pub fn progress(&self) -> &Rc<Progress> {
        &self.progress
    }

    /// The next bytes; `None` at the end. Trailers are dropped, as the reference does.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>> {
        self.progress.moved();
        if let Some(start) = self.start.take() {
            return Poll::Ready(Some(Ok(start)));
        }
        loop {
            let data = match ready!(self.patience.poll_frame(&mut self.rest, cx)) {
                Ok(None) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => data,
                    _ => continue,
                },
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
