//! A body that is compressed while it is passed on. Nothing waits in the encoder longer than the upstream is silent, so that
//! streams of events arrive in time.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::Source;
use crate::{
    error::ProxyError,
    filter::compression::{Encoder, Want},
};

/// Pieces of a body that are taken in a row although nothing comes out.
const PATIENCE: u32 = 8;

/// A body and its encoder.
pub struct Encoded {
    inner: Source,
    encoder: Encoder,
    /// What the encoder has not taken yet.
    input: Bytes,
    stage: Stage,
    /// The encoder holds what the client has not got.
    holds: bool,
    /// Bytes that were read since somebody asked.
    read: u64,
}

enum Stage {
    Reading,
    Flushing,
    Finishing(Option<HeaderMap>),
    Trailers(Option<HeaderMap>),
}

impl Encoded {
    /// The body of `inner`, compressed.
    pub fn new(inner: Source, encoder: Encoder) -> Self {
        Self { inner, encoder, input: Bytes::new(), stage: Stage::Reading, holds: false, read: 0 }
    }

    /// Where the bytes come from.
    pub fn inner(&self) -> &Source {
        &self.inner
    }

    /// Bytes that were read since this was asked last.
    pub fn take_read(&mut self) -> u64 {
        std::mem::take(&mut self.read)
    }

    /// Whether all of it was given.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Trailers(None))
    }

    /// The next frame.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        let mut pieces = 0;
        loop {
            let output = match &mut self.stage {
                Stage::Reading if self.input.is_empty() => {
                    if pieces == PATIENCE {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    pieces += 1;
                    match ready!(self.poll_input(cx)) {
                        Ok(()) => continue,
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                Stage::Reading => {
                    self.holds = true;
                    self.step(Want::Encode).map(|(output, _)| output)
                }
                Stage::Flushing => self.step(Want::Flush).map(|(output, done)| {
                    if done {
                        self.holds = false;
                        self.stage = Stage::Reading;
                    }
                    output
                }),
                Stage::Finishing(trailers) => {
                    let trailers = trailers.take();
                    self.step(Want::Finish).map(|(output, done)| {
                        self.stage = match done {
                            true => Stage::Trailers(trailers),
                            false => Stage::Finishing(trailers),
                        };
                        output
                    })
                }
                Stage::Trailers(trailers) => {
                    return Poll::Ready(trailers.take().map(|fields| Ok(Frame::trailers(fields))));
                }
            };
            match output {
                Ok(output) if output.is_empty() => {}
                Ok(output) => return Poll::Ready(Some(Ok(Frame::data(output)))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// Takes what comes next, or notes that the encoder has to give what it holds.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        match self.inner.poll(cx) {
            Poll::Pending if self.holds => self.stage = Stage::Flushing,
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
            Poll::Ready(None) => self.stage = Stage::Finishing(None),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    self.read += data.len() as u64;
                    self.input = data;
                }
                Err(frame) => self.stage = Stage::Finishing(frame.into_trailers().ok()),
            },
        }
        Poll::Ready(Ok(()))
    }

    fn step(&mut self, want: Want) -> Result<(Bytes, bool), ProxyError> {
        self.encoder.step(want, &mut self.input).map_err(|error| {
            tracing::warn!(%error, "an answer cannot be compressed and is cut");
            ProxyError::InvalidAnswer
        })
    }
}
