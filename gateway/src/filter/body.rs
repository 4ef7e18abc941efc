//! The request body before it is sent: its limit, and reading it ahead (annotations §3.17).

use std::{cell::Cell, rc::Rc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use hyper::body::Incoming;

use crate::{
    error::ProxyError,
    upstream::body::{Patience, Progress, RequestBody, Streamed},
};

/// Bodies up to this size are read before the upstream is contacted: it never waits for a slow client, and the
/// request can be sent again. Larger ones are passed on as they arrive.
const READ_AHEAD: usize = 1024 * 1024;
/// What a worker holds of such bodies at most; beyond it they are passed on as they arrive, too.
const HELD_LIMIT: usize = 64 * 1024 * 1024;

/// A body that is ready to be sent.
pub struct Prepared {
    kind: Kind,
    /// What `Content-Length` says, if the length is known.
    pub length: Option<u64>,
    /// The memory that it takes.
    _held: Option<Held>,
}

/// Memory that is counted until this ends.
struct Held {
    counter: Rc<Cell<usize>>,
    bytes: usize,
}

impl Held {
    /// Counts `more` bytes, unless that would be too many.
    fn grow(&mut self, more: usize) -> bool {
        let total = self.counter.get() + more;
        if total > HELD_LIMIT {
            return false;
        }
        self.counter.set(total);
        self.bytes += more;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counter.set(self.counter.get() - self.bytes);
    }
}

enum Kind {
    Empty,
    Full(Bytes),
    Streamed(Option<Box<Streamed>>, Rc<Progress>),
}

/// Refuses a body whose announced length is over the limit, before a byte of it is asked for.
pub fn check_length(body: &Incoming, limit: Option<u64>) -> Result<(), ProxyError> {
    match (body.size_hint().exact(), limit) {
        (Some(length), Some(limit)) if length > limit => Err(ProxyError::BodyTooLarge),
        _ => Ok(()),
    }
}

/// Takes over the body of a request, reading ahead if `ahead`. `counter` counts what the worker holds.
pub async fn prepare(
    mut body: Incoming,
    limit: Option<u64>,
    ahead: bool,
    counter: &Rc<Cell<usize>>,
    mut patience: Patience,
) -> Result<Prepared, ProxyError> {
    let announced = body.size_hint().exact();
    let mut start = BytesMut::new();
    let mut held = Held { counter: Rc::clone(counter), bytes: 0 };
    if ahead && announced.is_none_or(|length| length <= READ_AHEAD as u64) {
        loop {
            let Some(frame) = patience.next_frame(&mut body).await? else {
                let length = start.len() as u64;
                let kind = Kind::Full(start.freeze());
                return Ok(Prepared { kind, length: Some(length), _held: Some(held) });
            };
            // Trailers of a body that is sent with a length have no place; they are dropped, as the reference does.
            let Ok(data) = frame.into_data() else { continue };
            let room = held.grow(data.len());
            start.extend_from_slice(&data);
            if limit.is_some_and(|limit| start.len() as u64 > limit) {
                return Err(ProxyError::BodyTooLarge);
            }
            if !room || start.len() > READ_AHEAD {
                break;
            }
        }
    }
    let progress = Rc::new(Progress::default());
    let allowance = limit.map(|limit| limit.saturating_sub(start.len() as u64));
    let streamed = Streamed::new(start.freeze(), body, allowance, Rc::clone(&progress), patience);
    Ok(Prepared {
        kind: Kind::Streamed(Some(Box::new(streamed)), progress),
        length: announced,
        _held: Some(held),
    })
}

impl Prepared {
    /// No body. Its length is sent on if the client said one.
    pub fn empty(headers: &HeaderMap) -> Self {
        let length = headers.contains_key(header::CONTENT_LENGTH).then_some(0);
        Self { kind: Kind::Empty, length, _held: None }
    }

    /// The body for a try; `None` when it was passed on and cannot be sent again.
    pub fn take(&mut self) -> Option<RequestBody> {
        match &mut self.kind {
            Kind::Empty => Some(RequestBody::Empty),
            Kind::Full(bytes) => Some(RequestBody::Full(bytes.clone())),
            Kind::Streamed(streamed, _) => streamed.take().map(RequestBody::Streamed),
        }
    }

    /// Whether [`Self::take`] would give something.
    pub fn can_resend(&self) -> bool {
        !matches!(self.kind, Kind::Streamed(None, _))
    }

    /// Puts back a body that was not touched.
    pub fn restore(&mut self, body: RequestBody) {
        if let (Kind::Streamed(slot, _), RequestBody::Streamed(streamed)) = (&mut self.kind, body) {
            *slot = Some(streamed);
        }
    }

    /// How a body that is passed on as it arrives is doing.
    pub fn progress(&self) -> Option<&Rc<Progress>> {
        match &self.kind {
            Kind::Streamed(_, progress) => Some(progress),
            Kind::Empty | Kind::Full(_) => None,
        }
    }

    /// Bytes of a body that was read ahead.
    pub fn read_length(&self) -> u64 {
        match &self.kind {
            Kind::Full(bytes) => bytes.len() as u64,
            Kind::Empty | Kind::Streamed(..) => 0,
        }
    }
}
