//! The body of an answer while it is sent. Its end is the end of the request: the upstream's connection goes back to
//! its pool, and the exchange is recorded.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::exchange::Exchange;
use crate::{
    deadline::Deadline,
    error::ProxyError,
    upstream::{
        body::Progress,
        pool::{Connection, Endpoint, KeepAlive},
    },
};

/// A response body with the record of its request.
pub struct ResponseBody {
    source: Source,
    exchange: Box<Exchange>,
}

/// Where the bytes come from.
pub enum Source {
    /// Nowhere.
    Empty,
    /// The gateway itself.
    Full(Option<Bytes>),
    /// An upstream.
    Upstream(UpstreamBody),
}

/// The body of an upstream's answer.
pub struct UpstreamBody {
    incoming: Incoming,
    lease: Option<Lease>,
    /// Largest gap between two reads.
    gap: Duration,
    deadline: Deadline,
    failure: Option<ProxyError>,
    /// The request's body, if it may still be on its way.
    upload: Option<Rc<Progress>>,
}

/// A connection in use, and how it is kept afterwards.
pub struct Lease {
    /// The connection.
    pub connection: Connection,
    /// Whose it is.
    pub endpoint: Rc<Endpoint>,
    /// Bounds of keeping it.
    pub limits: KeepAlive,
}

impl Lease {
    /// Gives the connection back.
    pub fn release(self) {
        self.endpoint.keep(self.connection, &self.limits);
    }
}

impl UpstreamBody {
    /// A body that arrives over the connection of `lease`.
    pub fn new(
        incoming: Incoming,
        lease: Lease,
        gap: Duration,
        deadline: Deadline,
        upload: Option<Rc<Progress>>,
    ) -> Self {
        Self { incoming, lease: Some(lease), gap, deadline, failure: None, upload }
    }

    fn release(&mut self) {
        // A connection over which the request is still being sent is of no use to another one.
        let sent = self.upload.as_ref().is_none_or(|upload| upload.finished.get());
        if let (Some(lease), true) = (self.lease.take(), sent) {
            lease.release();
        }
    }

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        if let Some(failure) = self.failure {
            return Poll::Ready(Some(Err(failure)));
        }
        if let Some(lease) = &mut self.lease {
            lease.connection.drive(cx);
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.deadline.reset(self.gap);
                if self.incoming.is_end_stream() {
                    self.release();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => self.fail(ProxyError::UpstreamClosed, cx),
            Poll::Ready(None) => {
                self.release();
                Poll::Ready(None)
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
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl ResponseBody {
    /// The body of an answer whose head is on its way.
    pub fn new(mut source: Source, exchange: Box<Exchange>) -> Self {
        if let Source::Upstream(body) = &mut source
            && body.incoming.is_end_stream()
        {
            body.release();
        }
        Self { source, exchange }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ProxyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        let this = &mut *self;
        let polled = match &mut this.source {
            Source::Empty => Poll::Ready(None),
            Source::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Upstream(body) => body.poll_data(cx),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let length = data.len() as u64;
            this.exchange.body_sent += length;
            if let (Source::Upstream(_), Some(attempt)) =
                (&this.source, this.exchange.attempts.last_mut())
            {
                attempt.length += length;
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty | Source::Full(None) => true,
            Source::Full(Some(bytes)) => bytes.is_empty(),
            Source::Upstream(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty | Source::Full(None) => SizeHint::with_exact(0),
            Source::Full(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            Source::Upstream(body) => body.incoming.size_hint(),
        }
    }
}
