//! Throws away the body of a request that is answered without it: the client may send it to its end and read the
//! answer, and the connection goes on. What is not thrown away here is left to the end of the connection, which lingers.

use std::{future::poll_fn, rc::Rc, task::Poll, time::Duration};

use http::{Version, header};
use hyper::body::{Body, Incoming};
use tokio::task::spawn_local;

use super::exchange::Exchange;
use crate::upstream::body::{ClientBody, Received};

/// Largest body that is worth the connection.
const MOST: u64 = 16 * 1024 * 1024;
/// How long a client may take for it.
const TIME: Duration = Duration::from_secs(30);

/// Reads `body` to its end, behind the back of the answer.
pub fn discard(exchange: &mut Exchange, body: Incoming) {
    // Over HTTP/2 a stream is ended without its connection.
    if body.is_end_stream() || exchange.version() == Version::HTTP_2 {
        return;
    }
    let received = Rc::new(Received::default());
    exchange.body = Some(Rc::clone(&received));
    // A client that waits to be told may also leave the body out.
    if exchange.has_header(&header::EXPECT) || body.size_hint().lower() > MOST {
        return;
    }
    received.close();
    let deadlines = &exchange.worker.deadlines;
    let end = deadlines.set(TIME);
    let patience = exchange.body_timeout();
    let mut body = ClientBody::new(body, deadlines.set(patience), patience, Rc::clone(&received));
    let connection = exchange.connection.clone();
    spawn_local(async move {
        loop {
            let frame = poll_fn(|cx| match body.poll_frame(cx) {
                Poll::Pending => end.poll_expired(cx).map(|()| None),
                Poll::Ready(frame) => Poll::Ready(frame.ok()),
            });
            match frame.await {
                Some(None) => return,
                Some(Some(_)) if received.bytes() <= MOST => {}
                _ => break,
            }
        }
        connection.linger();
    });
}
