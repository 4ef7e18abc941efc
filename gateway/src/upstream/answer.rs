//! The rest of an answer, whatever protocol it comes by.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use super::{h1, pool::Pooled};
use crate::error::ProxyError;

/// What the body of an answer arrives over.
pub enum Carrier {
    /// A connection of HTTP/1, which can be used again afterwards.
    Http1(Box<Pooled>),
    /// Another protocol.
    Other(Box<dyn Answering>),
}

/// A request that was sent, or is being sent.
pub trait Asked {
    /// Waits for the head of the answer.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<h1::Head, ProxyError>>;

    /// Bytes of the request that the system has not taken yet, but for those of a streamed body.
    fn unsent(&self) -> usize {
        0
    }
}

impl Asked for h1::Connection {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<h1::Head, ProxyError>> {
        self.poll_head(cx)
    }

    fn unsent(&self) -> usize {
        self.unsent()
    }
}

/// An answer of another protocol whose head has arrived.
pub trait Answering {
    /// The next bytes of the body; `None` at its end.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>>;

    /// Whether nothing follows.
    fn is_done(&self) -> bool;

    /// The trailer fields of an answer that is all read, to be taken once.
    fn take_trailers(&mut self) -> Option<HeaderMap>;
}

impl Carrier {
    /// The next bytes of the body; `None` at its end.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>> {
        match self {
            Self::Http1(connection) => connection.poll_data(cx),
            Self::Other(answer) => answer.poll_data(cx),
        }
    }

    /// All of the body, if it has arrived already and needs no further look.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        match self {
            Self::Http1(connection) => connection.take_whole(),
            Self::Other(answer) => answer.is_done().then(Bytes::new),
        }
    }

    /// Bytes of the body that are left, if that is known.
    pub fn left(&self) -> Option<u64> {
        match self {
            Self::Http1(connection) => connection.left(),
            Self::Other(answer) => answer.is_done().then_some(0),
        }
    }

    /// Whether all of the answer was taken.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_done(),
            Self::Other(answer) => answer.is_done(),
        }
    }

    /// The trailer fields of an answer that is all read, to be taken once.
    pub fn take_trailers(&mut self) -> Option<HeaderMap> {
        match self {
            Self::Http1(connection) => connection.take_trailers(),
            Self::Other(answer) => answer.take_trailers(),
        }
    }
}
