//! A body that is passed on in pieces of a size, however small its parts come (`proxy-buffering`, annotations §3.17).

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use super::UpstreamBody;
use crate::{error::ProxyError, filter::snippet::substitute::Substituter};

/// Largest piece, whatever is configured.
const LARGEST: u64 = 256 * 1024;

/// A body and its next piece.
pub struct Gathered {
    inner: Box<UpstreamBody>,
    /// Size of a piece.
    size: usize,
    piece: BytesMut,
    /// What comes behind the piece: trailers, an error, or the end.
    then: Option<Then>,
}

/// What comes behind the last piece.
type Then = Option<Result<Frame<Bytes>, ProxyError>>;

impl Gathered {
    /// The body in pieces of this size.
    pub fn new(inner: Box<UpstreamBody>, size: u64) -> Self {
        let size = usize::try_from(size.clamp(1, LARGEST)).unwrap_or(1);
        Self { inner, size, piece: BytesMut::new(), then: None }
    }

    /// Where the bytes come from.
    pub fn inner(&self) -> &UpstreamBody {
        &self.inner
    }

    /// Replaces texts in it.
    pub fn substitute(&mut self, substituter: Substituter) {
        self.inner.substitute(substituter);
    }

    /// Bytes that are still to come, if that is known.
    pub fn left(&self) -> Option<u64> {
        match &self.then {
            None => self.inner.left().map(|left| left + self.piece.len() as u64),
            Some(None) => Some(self.piece.len() as u64),
            Some(Some(_)) => None,
        }
    }

    /// The next frame.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        while self.then.is_none() {
            match ready!(self.inner.poll_data(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) if self.piece.is_empty() && data.len() >= self.size => {
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Ok(Ok(data))) => {
                    self.piece.extend_from_slice(&data);
                    // All that is announced has come: nobody has to ask for the end.
                    if self.piece.len() >= self.size || self.inner.left() == Some(0) {
                        break;
                    }
                }
                Some(Ok(Err(trailers))) => self.then = Some(Some(Ok(trailers))),
                Some(Err(error)) => self.then = Some(Some(Err(error))),
                None => self.then = Some(None),
            }
        }
        if !self.piece.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(self.piece.split().freeze()))));
        }
        match self.then.take() {
            Some(then) => {
                self.then = Some(None);
                Poll::Ready(then)
            }
            None => Poll::Ready(None),
        }
    }
}
