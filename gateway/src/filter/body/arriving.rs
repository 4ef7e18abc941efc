//! A body whose upstream does not wait for its end: it may never come.

use std::{future::poll_fn, rc::Rc, task::Poll};

use bytes::Bytes;

use super::{Budget, Held, Kind, Prepared};
use crate::{
    error::ProxyError,
    upstream::body::{ClientBody, Progress, Streamed},
};

/// What is taken of it at once, at most.
const MOST: usize = 64 * 1024;

enum End {
    Reached,
    NotYet,
}

impl Prepared {
    /// Takes over a body without waiting. If all of it is here it is held, and can be sent again.
    ///
    /// # Errors
    /// The body is larger than `limit`, or its client went away.
    pub async fn arriving(
        mut body: ClientBody,
        limit: Option<u64>,
        budget: &Budget,
    ) -> Result<Self, ProxyError> {
        let announced = body.announced();
        let mut start = Held::new(budget);
        let end = poll_fn(|cx| {
            loop {
                match body.poll_frame(cx) {
                    Poll::Pending => return Poll::Ready(Ok(End::NotYet)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(None)) => return Poll::Ready(Ok(End::Reached)),
                    Poll::Ready(Ok(Some(frame))) => {
                        let data: Bytes = frame.into_data().unwrap_or_default();
                        let room = start.extend(&data);
                        let held = start.bytes.len();
                        if limit.is_some_and(|limit| held as u64 > limit) {
                            return Poll::Ready(Err(ProxyError::BodyTooLarge));
                        }
                        if !room || held > MOST {
                            return Poll::Ready(Ok(End::NotYet));
                        }
                    }
                }
            }
        });
        if let End::Reached = end.await? {
            let length = Some(start.bytes.len() as u64);
            return Ok(Self { kind: Kind::Full(start.freeze()), length });
        }
        let progress = Rc::new(Progress::default());
        let allowance = limit.map(|limit| limit.saturating_sub(start.bytes.len() as u64));
        let streamed = Streamed::new(start.freeze(), body, allowance, Rc::clone(&progress));
        Ok(Self { kind: Kind::Streamed(Some(Box::new(streamed)), progress), length: announced })
    }
}
