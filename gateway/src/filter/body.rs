//! The request body before it is sent: its limit, and reading it ahead (annotations §3.17).

mod arriving;

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use hyper::body::Incoming;

use crate::{
    error::ProxyError,
    upstream::body::{ClientBody, Progress, RequestBody, Streamed},
};

/// Bodies up to this size are read before the upstream is contacted: it never waits for a slow client, and the
/// request can be sent again. Larger ones are passed on as they arrive.
pub const READ_AHEAD: usize = 1024 * 1024;
/// The same where they are needed twice, whatever the upstream is to wait for.
pub const READ_TWICE: usize = 8 * 1024 * 1024;
/// What a worker holds of such bodies at most; beyond it they are passed on as they arrive, too.
const HELD_LIMIT: usize = 64 * 1024 * 1024;

/// A body that is ready to be sent.
pub struct Prepared {
    kind: Kind,
    /// What `Content-Length` says, if the length is known.
    pub length: Option<u64>,
}

/// What a worker holds of bodies that it reads ahead. The count is shared by one thread; it is atomic because bytes
/// with an owner have to be [`Send`].
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// Bytes that are held at the moment.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Bytes that are counted as long as anybody holds a part of them: the request for its next try, a connection that
/// has not sent them, an upload.
struct Held {
    bytes: BytesMut,
    budget: Budget,
    counted: usize,
}

impl Held {
    fn new(budget: &Budget) -> Self {
        Self { bytes: BytesMut::new(), budget: budget.clone(), counted: 0 }
    }

    /// Adds bytes; false if the worker holds too much with them.
    fn extend(&mut self, bytes: &[u8]) -> bool {
        self.bytes.extend_from_slice(bytes);
        // The room behind them is taken, too.
        let more = self.bytes.capacity() - self.counted;
        self.counted += more;
        self.budget.0.fetch_add(more, Relaxed) + more <= HELD_LIMIT
    }

    fn freeze(self) -> Bytes {
        if self.bytes.is_empty() { Bytes::new() } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.counted, Relaxed);
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

/// Takes over the body of a request. Those of `ahead` bytes at most are read ahead, within `budget`.
///
/// # Errors
/// The body is larger than `limit`, or its client went away.
pub async fn prepare(
    mut body: ClientBody,
    limit: Option<u64>,
    ahead: usize,
    budget: &Budget,
) -> Result<Prepared, ProxyError> {
    let announced = body.announced();
    let mut start = Held::new(budget);
    if ahead > 0 && announced.is_none_or(|length| length <= ahead as u64) {
        loop {
            let Some(frame) = body.next_frame().await? else {
                let length = start.bytes.len() as u64;
                return Ok(Prepared { kind: Kind::Full(start.freeze()), length: Some(length) });
            };
            // Trailers of a body that is sent with a length have no place; they are dropped, as the reference does.
            let Ok(data) = frame.into_data() else { continue };
            let room = start.extend(&data);
            if limit.is_some_and(|limit| start.bytes.len() as u64 > limit) {
                return Err(ProxyError::BodyTooLarge);
            }
            if !room || start.bytes.len() > ahead {
                break;
            }
        }
    }
    let progress = Rc::new(Progress::default());
    let allowance = limit.map(|limit| limit.saturating_sub(start.bytes.len() as u64));
    let streamed = Streamed::new(start.freeze(), body, allowance, Rc::clone(&progress));
    Ok(Prepared { kind: Kind::Streamed(Some(Box::new(streamed)), progress), length: announced })
}

impl Prepared {
    /// No body. Its length is sent on if the client said one.
    pub fn empty(headers: &HeaderMap) -> Self {
        let length = headers.contains_key(header::CONTENT_LENGTH).then_some(0);
        Self { kind: Kind::Empty, length }
    }

    /// The body for a try; `None` when it was passed on and cannot be sent again.
    pub fn take(&mut self) -> Option<RequestBody> {
        match &mut self.kind {
            Kind::Empty => Some(RequestBody::Empty),
            Kind::Full(bytes) => Some(RequestBody::Full(bytes.clone())),
            Kind::Streamed(streamed, _) => streamed.take().map(RequestBody::Streamed),
        }
    }

    /// All of it, if it is held, for somebody else; empty if there is none.
    pub fn held(&self) -> Option<Bytes> {
        match &self.kind {
            Kind::Empty => Some(Bytes::new()),
            Kind::Full(bytes) => Some(bytes.clone()),
            Kind::Streamed(..) => None,
        }
    }

    /// Whether there is one.
    pub fn was_waited_for(&self) -> bool {
        !matches!(self.kind, Kind::Empty)
    }

    /// Drops what cannot be sent (again) with a length in front of it.
    pub fn keep_sendable(&mut self, headers: &HeaderMap) {
        let sendable = match &self.kind {
            Kind::Empty | Kind::Full(_) => true,
            Kind::Streamed(streamed, _) => streamed.is_some() && self.length.is_some(),
        };
        if !sendable {
            *self = Self::empty(headers);
        }
    }

    /// Keeps trailer fields of these names back.
    pub fn withhold<'a>(&mut self, names: impl ExactSizeIterator<Item = &'a str>) {
        if let Kind::Streamed(Some(streamed), _) = &mut self.kind
            && names.len() > 0
        {
            streamed.withhold(names.map(str::to_owned).collect());
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
}

#[cfg(test)]
mod tests;
