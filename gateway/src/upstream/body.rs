//! The body of a request on its way to an upstream.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;

use crate::error::ProxyError;

/// A request body as it is sent.
pub enum RequestBody {
    /// None.
    Empty,
    /// All of it is here; it can be sent again.
    Full(Bytes),
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
    ) -> Self {
        Self { start: Some(start).filter(|bytes| !bytes.is_empty()), rest, allowance, progress }
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
            let data = match ready!(Pin::new(&mut self.rest).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(_)) => return Poll::Ready(Some(Err(ProxyError::ClientGone))),
                Some(Ok(frame)) => match frame.into_data() {
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
