//! The body of an answer in the pieces in which the HTTP/2 library is given it.
//!
//! The library takes a piece as soon as its reader has room for one byte of it, and holds the rest for as long as the
//! connection lives. It asks for the next piece when there is room for all of the one before. So the end of a large
//! piece is handed over on its own: whoever stops reading stops in front of it, where [`super::stream`] notices, or
//! leaves no more behind than that.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Response, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::conn::Connection;

/// Pieces up to this size are handed over whole.
const SMALL: usize = 4096;
/// What is held back of larger ones.
const END: usize = 1024;

/// An answer as the HTTP/2 library is given it. To a HEAD request it has no body, but says how long that would be: the
/// library leaves this to us, other than with HTTP/1. `connection` is told when the end of a piece is handed over.
pub(super) fn answer<B: Body<Data = Bytes>>(
    mut answer: Response<B>,
    to_head: bool,
    connection: Arc<Connection>,
) -> Response<Pieces<B>> {
    let body = answer.body();
    if to_head
        && !body.is_end_stream()
        && let Some(length) = body.size_hint().exact()
    {
        answer.headers_mut().entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    answer.map(|body| Pieces { body, end: None, hidden: to_head, connection })
}

pin_project! {
    /// A body whose large pieces come in two.
    pub(super) struct Pieces<B> {
        #[pin]
        body: B,
        // Nothing of it is shown.
        hidden: bool,
        // The end of the piece that was handed over last.
        end: Option<Bytes>,
        connection: Arc<Connection>,
    }
}

impl<B: Body<Data = Bytes>> Body for Pieces<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if let Some(end) = this.end.take() {
            this.connection.handed_over();
            return Poll::Ready(Some(Ok(Frame::data(end))));
        }
        let frame = ready!(this.body.poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|mut data| {
                    // A copy: the bytes may be a small part of a large buffer, which they would hold.
                    if data.len() <= SMALL {
                        return Bytes::copy_from_slice(&data);
                    }
                    let end = data.split_off(data.len() - END);
                    *this.end = Some(Bytes::copy_from_slice(&end));
                    data
                })
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.hidden || (self.end.is_none() && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.end.as_ref().map_or(0, |end| end.len() as u64);
        let mut hint = self.body.size_hint();
        // Upwards first: the bounds must not cross.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + held);
        }
        hint.set_lower(hint.lower() + held);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full};

    use super::*;

    fn pieces(length: usize) -> Pieces<Full<Bytes>> {
        let body: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let body = Response::new(Full::new(body.into()));
        answer(body, false, crate::listen::tests::connection()).into_body()
    }

    /// The sizes of the frames, and whether each was known to be the last.
    fn frames(mut body: Pieces<Full<Bytes>>) -> Vec<(usize, bool)> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut frames = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
            let length = frame.data_ref().expect("data").len();
            frames.push((length, body.is_end_stream()));
        }
        frames
    }

    #[test]
    fn the_end_of_a_large_piece_comes_on_its_own() {
        assert_eq!(frames(pieces(SMALL)), [(SMALL, true)]);
        assert_eq!(frames(pieces(SMALL + 1)), [(SMALL + 1 - END, false), (END, true)]);
    }

    #[tokio::test]
    async fn nothing_is_lost_and_the_length_stays_known() -> Result<(), Infallible> {
        let mut body = pieces(10_000);
        assert_eq!(body.size_hint().exact(), Some(10_000));
        let first = body.frame().await.expect("a frame")?.into_data().expect("data");
        assert_eq!(body.size_hint().exact(), Some(END as u64));
        let rest = body.collect().await?.to_bytes();
        let all = [first, rest].concat();
        assert!(all.len() == 10_000 && all.iter().enumerate().all(|(at, b)| *b == at as u8));
        Ok(())
    }
}
