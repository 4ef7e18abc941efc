//! The body of an upstream's answer, as it arrives; at its end the connection is given back.

use std::{
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use crate::{
    deadline::Deadline,
    error::ProxyError,
    filter::snippet::substitute::Substituter,
    upstream::{
        answer::Carrier,
        pool::{Endpoint, KeepAlive},
    },
};

/// The body of an upstream's answer.
pub struct UpstreamBody {
    /// `None` when all of it was read, or an error ended it.
    lease: Option<Lease>,
    /// Largest gap between two reads.
    gap: Duration,
    deadline: Deadline,
    failure: Option<ProxyError>,
    /// What comes behind the last bytes.
    trailers: Option<HeaderMap>,
    /// What is replaced in it.
    substituter: Option<Box<Substituter>>,
}

/// A connection in use, and how it is kept afterwards.
pub struct Lease {
    /// The connection.
    pub connection: Carrier,
    /// Whose it is.
    pub endpoint: Rc<Endpoint>,
    /// Bounds of keeping it.
    pub limits: KeepAlive,
}

impl Lease {
    /// Gives the connection back.
    pub fn release(self) {
        if let Carrier::Http1(connection) = self.connection {
            self.endpoint.keep(connection, &self.limits);
        }
    }
}

impl UpstreamBody {
    /// A body that arrives over the connection of `lease`.
    pub fn new(lease: Lease, gap: Duration, deadline: Deadline) -> Self {
        Self { lease: Some(lease), gap, deadline, failure: None, trailers: None, substituter: None }
    }

    /// Replaces texts in it.
    pub fn substitute(&mut self, substituter: Substituter) {
        self.substituter = Some(Box::new(substituter));
    }

    /// Nobody asked it for a while, which is not its fault.
    pub(super) fn was_held_up(&self) {
        self.deadline.reset(self.gap);
    }

    fn release(&mut self) {
        if let Some(mut lease) = self.lease.take() {
            self.trailers = lease.connection.take_trailers();
            lease.release();
        }
    }

    /// Bytes that are still to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        if self.substituter.as_ref().is_some_and(|substituter| !substituter.is_over()) {
            return None;
        }
        match &self.lease {
            Some(lease) => lease.connection.left(),
            None => (self.failure.is_none() && self.trailers.is_none()).then_some(0),
        }
    }

    /// The next frame.
    pub(super) fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        loop {
            if self.substituter.as_ref().is_some_and(|done| done.is_over()) {
                self.substituter = None;
            }
            let rest = self.substituter.as_mut().and_then(|substituter| substituter.go_on());
            let sent = if let Some(rest) = rest {
                // The upstream was not asked meanwhile.
                self.deadline.reset(self.gap);
                rest
            } else {
                let polled = self.poll_original(cx);
                let Some(substituter) = &mut self.substituter else { return polled };
                match polled {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => substituter.push(data),
                        Err(trailers) => {
                            self.trailers = trailers.into_trailers().ok();
                            substituter.finish()
                        }
                    },
                    Poll::Ready(None) => substituter.finish(),
                    other => return other,
                }
            };
            if !sent.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(sent))));
            }
        }
    }

    fn poll_original(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        if let Some(failure) = self.failure {
            return Poll::Ready(Some(Err(failure)));
        }
        let Some(lease) = &mut self.lease else {
            return Poll::Ready(self.trailers.take().map(|fields| Ok(Frame::trailers(fields))));
        };
        match lease.connection.poll_data(cx) {
            Poll::Ready(Some(Ok(data))) => {
                self.deadline.reset(self.gap);
                if lease.connection.is_done() {
                    self.release();
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Poll::Ready(Some(Err(error))) => self.fail(error, cx),
            Poll::Ready(None) => {
                self.release();
                Poll::Ready(self.trailers.take().map(|fields| Ok(Frame::trailers(fields))))
            }
            Poll::Pending => match self.deadline.poll_expired(cx) {
                Poll::Ready(()) => self.fail(ProxyError::UpstreamTimeout, cx),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    /// Ends the body with an error, but first lets what is already there reach the client: the HTTP library drops
    /// what it has not written when a body fails.
    fn fail(
        &mut self,
        error: ProxyError,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        self.failure = Some(error);
        self.lease = None;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
