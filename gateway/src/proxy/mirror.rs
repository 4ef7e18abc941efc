//! Copies of requests (annotations §3.20). Whatever becomes of them, their requests do not notice: they are sent in the
//! background, only so many at a time, and never waited for.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Version;
use tokio::{task::spawn_local, time::timeout};

use super::{
    ask::{self, Question},
    decide::variables,
    exchange::Exchange,
    outbound::Outbound,
    protect,
};
use crate::{
    filter::{
        body::Prepared,
        mirror::{Copy, own_headers},
        request_headers::{Bare, Framing, Names, is_endless},
    },
    live::{LiveConfig, LiveLocation, LiveMirror},
    observe::metrics::Mirrored,
    worker::Worker,
};

/// Copies that a worker sends at once.
const MOST: usize = 256;
/// Bytes of bodies that they hold at once. It is less than what is held for requests, so that those find room.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// How long one may take.
const TIME: Duration = Duration::from_secs(60);
/// Largest head of an answer, of which nothing is wanted but its end.
const HEAD_LIMIT: u64 = 64 * 1024;

/// The copies of a worker that are on their way.
#[derive(Default)]
pub struct OnTheirWay {
    copies: Cell<usize>,
    bytes: Cell<usize>,
}

/// A place among them.
struct Place {
    worker: Rc<Worker>,
    bytes: usize,
}

impl Place {
    /// A place for a copy with so many bytes, if there is one.
    fn take(worker: &Rc<Worker>, bytes: usize) -> Option<Self> {
        let OnTheirWay { copies, bytes: held } = &worker.mirrored;
        if copies.get() >= MOST || held.get() + bytes > MOST_BYTES {
            return None;
        }
        copies.set(copies.get() + 1);
        held.set(held.get() + bytes);
        Some(Self { worker: Rc::clone(worker), bytes })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let OnTheirWay { copies, bytes } = &self.worker.mirrored;
        copies.set(copies.get() - 1);
        bytes.set(bytes.get() - self.bytes);
    }
}

/// Sends a copy of a request whose body is `body`, if its location wants one.
pub fn send(
    exchange: &Exchange,
    live: &LiveConfig,
    location: &LiveLocation,
    outbound: &Outbound<'_>,
    body: &Prepared,
) {
    if let Some(mirror) = &location.mirror
        && start(exchange, live, location, mirror, outbound, body).is_none()
    {
        exchange.worker.metrics.mirrored(Mirrored::Dropped);
    }
}

/// Starts to send it; `None` if it cannot be sent, or not now.
fn start(
    exchange: &Exchange,
    live: &LiveConfig,
    location: &LiveLocation,
    mirror: &LiveMirror,
    outbound: &Outbound<'_>,
    body: &Prepared,
) -> Option<()> {
    let inbound = outbound.inbound;
    let parts = &inbound.parts;
    if is_endless(&parts.headers) {
        return None;
    }
    let bytes = if mirror.policy.spec.with_body { body.held()? } else { Bytes::new() };
    let place = Place::take(&exchange.worker, bytes.len())?;
    let (name, target) = (inbound.check().ok()?, inbound.normalise().ok()?);
    let spec = &live.settings.spec;
    let client = inbound.client(&exchange.connection, &spec.forwarded);
    let origin = &location.spec.origin;
    let variables = variables(exchange, inbound, &client, &target, name.as_bytes(), origin);
    let Copy { destination, host } = mirror.policy.copy(&variables)?;
    let mut head = Vec::with_capacity(1024);
    // Without its body the length of one is not said either (annotations §3.20).
    let framing = match body.length.or(body.was_waited_for().then_some(0)) {
        Some(_) => Framing::Length(bytes.len() as u64),
        None => Framing::None,
    };
    let names = Names {
        odd: inbound.head.odd_names || exchange.version() == Version::HTTP_2,
        underscores: spec.underscores_in_headers,
        head: &inbound.head.text,
    };
    let mut own = Vec::from(own_headers(&parts.headers));
    if let Some(protection) = &location.protection {
        own.extend(protect::withheld(protection, &parts.headers));
    }
    own.extend(exchange.span.iter().flat_map(|span| span.headers()));
    let (method, target) = (parts.method.as_str(), &*destination.target);
    Bare { method, target, host: &host, own: &own, framing, names }
        .write(&parts.headers, &mut head);
    let method = parts.method.clone();
    let upstream = mirror.upstream.as_ref().map(Arc::clone);
    spawn_local(async move {
        let worker = &place.worker;
        let question = Question { method: &method, head: &head, body: bytes, limit: HEAD_LIMIT };
        let answer = ask::ask(worker, upstream.as_ref(), &destination, &question);
        let outcome = match timeout(TIME, answer).await {
            Ok(Ok(_)) => Mirrored::Answered,
            _ => Mirrored::Failed,
        };
        worker.metrics.mirrored(outcome);
    });
    Some(())
}
