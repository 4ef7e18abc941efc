//! One question over one connection.

use std::{future::poll_fn, rc::Rc, task::Poll, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::{PATIENCE, failure::Failure};
use crate::{
    error::ProxyError,
    upstream::{
        RequestBody,
        h1::{self, Expect},
        origin::KEEP_ALIVE,
        pool::{Endpoint, Pooled},
    },
    worker::Worker,
};

/// The body of an answer is read up to here, so that its connection can be used again; nobody wants it.
const MOST_BODY: usize = 64 * 1024;
/// … and for so long.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// A question, ready to be sent.
pub struct Question<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its head.
    pub head: &'a [u8],
    /// Its body, whose length the head says.
    pub body: Bytes,
    /// Largest head of an answer, in bytes.
    pub limit: u64,
}

impl Question<'_> {
    /// Asks at an endpoint. A connection that had been closed while it was idle is no reason to fail.
    pub async fn ask(
        &self,
        worker: &Worker,
        endpoint: &Rc<Endpoint>,
    ) -> Result<(StatusCode, HeaderMap), Failure> {
        if let Some(mut idle) = endpoint.take_idle() {
            match self.over(worker, &mut idle).await {
                Ok(head) => return Ok(self.finish(head, idle, endpoint)),
                Err(ProxyError::UpstreamClosed) if !idle.has_answered() => {}
                Err(error) => {
                    if error == ProxyError::UpstreamTimeout {
                        // The others may lead to where nobody is any more, too.
                        endpoint.sweep(Duration::ZERO);
                    }
                    return Err(error.into());
                }
            }
        }
        let mut connection = endpoint.connect(PATIENCE).await?;
        let head = self.over(worker, &mut connection).await?;
        Ok(self.finish(head, connection, endpoint))
    }

    async fn over(&self, worker: &Worker, connection: &mut Pooled) -> Result<h1::Head, ProxyError> {
        let expect = Expect::new(self.method, |_, _| true, self.limit);
        let body = match &self.body {
            none if none.is_empty() => RequestBody::Empty,
            body => RequestBody::Full(body.clone()),
        };
        let write_head = |out: &mut Vec<u8>| out.extend_from_slice(self.head);
        connection.send(write_head, body, None, expect).map_err(|_| ProxyError::UpstreamClosed)?;
        let deadline = worker.deadlines.set(PATIENCE);
        poll_fn(|cx| match connection.poll_head(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => deadline.poll_expired(cx).map(|()| Err(ProxyError::UpstreamTimeout)),
        })
        .await
    }

    /// Keeps the connection if it can be used again.
    fn finish(
        &self,
        head: h1::Head,
        mut connection: Box<Pooled>,
        endpoint: &Rc<Endpoint>,
    ) -> (StatusCode, HeaderMap) {
        // What follows these is no answer.
        let is_tunnel = head.status == StatusCode::SWITCHING_PROTOCOLS
            || (self.method == Method::CONNECT && head.status.is_success());
        if !is_tunnel {
            match connection.take_whole() {
                Some(_) => endpoint.keep(connection, &KEEP_ALIVE),
                None if connection.left().is_none_or(|left| left <= MOST_BODY as u64) => {
                    tokio::task::spawn_local(drain(connection, Rc::clone(endpoint)));
                }
                None => {}
            }
        }
        (head.status, head.headers)
    }
}

/// Reads the rest of an answer.
async fn drain(mut connection: Box<Pooled>, endpoint: Rc<Endpoint>) {
    let read = async {
        let mut length = 0;
        while let Some(data) = poll_fn(|cx| connection.poll_data(cx)).await {
            length += data?.len();
            if length > MOST_BODY {
                return Err(ProxyError::InvalidAnswer);
            }
        }
        Ok(())
    };
    if let Ok(Ok(())) = tokio::time::timeout(BODY_PATIENCE, read).await {
        endpoint.keep(connection, &KEEP_ALIVE);
    }
}
