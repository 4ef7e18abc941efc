//! HTTP/2 streams while they are served, as tasks of the worker's own thread.
//!
//! A reader that stops is felt in its stream, not in the socket: its window stays closed while the connection goes on.
//! A stream of whose answer nothing was taken for as long as a write may take is reset, as the reference does; the
//! others do not notice. An answer of which the HTTP library has everything is out of reach; [`super::pieces`] keeps
//! small what is left of it by then.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::task::spawn_local;

use super::conn::Connection;
use crate::{
    deadline::{Deadline, Deadlines},
    worker::Worker,
};

/// Runs the streams of one connection.
#[derive(Clone)]
pub(super) struct StreamExecutor(Rc<Shared>);

struct Shared {
    connection: Arc<Connection>,
    deadlines: Rc<Deadlines>,
    send_timeout: Duration,
}

impl StreamExecutor {
    /// Runs streams of `connection`, which a reader may hold up for `send_timeout`.
    pub(super) fn new(
        worker: &Worker,
        connection: &Arc<Connection>,
        send_timeout: Duration,
    ) -> Self {
        let (connection, deadlines) = (Arc::clone(connection), Rc::clone(&worker.deadlines));
        Self(Rc::new(Shared { connection, deadlines, send_timeout }))
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, served: F) {
        let shared = Rc::clone(&self.0);
        spawn_local(Stream { served, shared, handed_over_at: 0, deadline: None });
    }
}

pin_project! {
    /// One stream. To drop what serves it resets it, unless its answer is complete.
    struct Stream<F> {
        #[pin]
        served: F,
        shared: Rc<Shared>,
        // The tick at which the peer's turn began; 0 while it is ours.
        handed_over_at: u32,
        deadline: Option<Deadline>,
    }
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let Shared { connection, deadlines, send_timeout } = &**this.shared;
        let before = *this.handed_over_at;
        connection.switch_stream(before);
        let served = this.served.poll(cx);
        *this.handed_over_at = connection.switch_stream(0);
        if served.is_ready() || *this.handed_over_at == 0 {
            *this.deadline = None;
            return served;
        }
        let deadline = this.deadline.get_or_insert_with(|| deadlines.set(*send_timeout));
        if *this.handed_over_at != before {
            deadline.reset(*send_timeout);
        }
        deadline.poll_expired(cx)
    }
}
