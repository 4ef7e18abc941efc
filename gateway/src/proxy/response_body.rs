//! The body of an answer while it is sent. Its end is the end of the request: the upstream's connection goes back to
//! its pool, and the exchange is recorded.

mod encoded;
mod gathered;
mod upstream;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

pub use self::{
    encoded::Encoded,
    gathered::Gathered,
    upstream::{Lease, UpstreamBody},
};
use super::{exchange::Exchange, throttle::Throttled};
use crate::{error::ProxyError, filter::snippet::substitute::Substituter};

/// A response body with the record of its request.
pub struct ResponseBody {
    source: Source,
    /// Holds it back, where that is wanted.
    throttled: Option<Box<Throttled>>,
    /// `None` if the request goes on behind its answer.
    exchange: Option<Box<Exchange>>,
    /// The HTTP library holds bytes that it may not have sent yet.
    untaken: bool,
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.untaken
            && let Some(exchange) = &self.exchange
        {
            exchange.connection.taken();
        }
    }
}

/// Where the bytes come from.
pub enum Source {
    /// Nowhere.
    Empty,
    /// Here: all of it.
    Full(Option<Bytes>),
    /// Here: this, and then what a substituter still makes of the rest.
    Substituted(Box<(Bytes, Substituter)>),
    /// An upstream, as they arrive.
    Upstream(Box<UpstreamBody>),
    /// An upstream, in pieces of a size.
    Gathered(Box<Gathered>),
    /// One of these, compressed.
    Encoded(Box<Encoded>),
}

impl Source {
    /// The next frame.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        match self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Substituted(body) => {
                let (first, rest) = &mut **body;
                let first = Some(std::mem::take(first)).filter(|first| !first.is_empty());
                Poll::Ready(first.or_else(|| rest.go_on()).map(|data| Ok(Frame::data(data))))
            }
            Self::Upstream(body) => body.poll_data(cx),
            Self::Gathered(body) => body.poll(cx),
            Self::Encoded(body) => body.poll(cx),
        }
    }

    /// Whether it is an upstream that may go on for hours.
    pub fn is_upstream(&self) -> bool {
        self.upstream().is_some()
    }

    fn upstream(&self) -> Option<&UpstreamBody> {
        match self {
            Self::Empty | Self::Full(_) | Self::Substituted(_) => None,
            Self::Upstream(body) => Some(body),
            Self::Gathered(body) => Some(body.inner()),
            Self::Encoded(body) => body.inner().upstream(),
        }
    }

    /// Bytes that were read from an upstream, where `sent` were passed on.
    fn take_read(&mut self, sent: u64) -> u64 {
        match self {
            Self::Empty | Self::Full(_) | Self::Substituted(_) => 0,
            Self::Upstream(_) | Self::Gathered(_) => sent,
            Self::Encoded(body) if body.inner().is_upstream() => body.take_read(),
            Self::Encoded(_) => 0,
        }
    }

    /// Nobody asked it for a while, which is not its fault.
    pub fn was_held_up(&self) {
        if let Some(body) = self.upstream() {
            body.was_held_up();
        }
    }

    /// Bytes that are still to come, if that is known.
    pub fn left(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Full(bytes) => Some(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Substituted(body) => (body.0.is_empty() && body.1.is_over()).then_some(0),
            Self::Upstream(body) => body.left(),
            Self::Gathered(body) => body.left(),
            Self::Encoded(body) => body.is_done().then_some(0),
        }
    }
}

impl ResponseBody {
    /// The body of an answer whose head is on its way.
    pub fn new(source: Source, exchange: Box<Exchange>) -> Self {
        let throttled = exchange.throttle().map(|throttle| {
            let deadline = exchange.worker.deadlines.set(Duration::ZERO);
            Box::new(Throttled::new(throttle, deadline))
        });
        Self { source, throttled, exchange: Some(exchange), untaken: false }
    }

    /// Bytes that are still to come, if that is known.
    fn left(&self) -> Option<u64> {
        let held = self.throttled.as_ref().map_or(0, |throttled| throttled.held());
        self.source.left().map(|left| left + held)
    }

    /// The body of an answer that changes the protocol: none, and not the end of the request.
    pub fn of_upgrade() -> Self {
        Self { source: Source::Empty, throttled: None, exchange: None, untaken: false }
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
        let Some(exchange) = &mut this.exchange else { return Poll::Ready(None) };
        if std::mem::take(&mut this.untaken) {
            exchange.connection.taken();
        }
        let polled = match &mut this.throttled {
            None => this.source.poll(cx),
            Some(throttled) => throttled.poll(&mut this.source, cx),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let length = data.len() as u64;
            exchange.body_sent += length;
            if length > 0 {
                this.untaken = true;
                exchange.connection.handed_over();
            }
            if let Some(attempt) = exchange.attempts.last_mut() {
                attempt.length += this.source.take_read(length);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.left() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
