//! One request over HTTP/2, and its answer.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client::ResponseFuture};
use http::{HeaderMap, Request, header};
use smallvec::SmallVec;
use tokio::task::{AbortHandle, spawn_local};

use super::connection::Slot;
use crate::{
    error::ProxyError,
    upstream::{
        answer::{Answering, Asked},
        body::{Progress, RequestBody, Stage, Streamed},
        h1::{Head, Keep, kept_request_trailers, kept_trailers},
    },
};

/// A request that was sent, and its answer.
pub struct Call {
    state: State,
    keep: Keep,
    trailers: Option<HeaderMap>,
    is_unprocessed: bool,
    upload: Option<Upload>,
    /// The last to go.
    slot: Slot,
}

enum State {
    Waiting(ResponseFuture),
    Answering(RecvStream),
}

/// A body that is sent by a task of its own: it goes on while nobody asks for the answer. It ends with this value.
struct Upload {
    progress: Rc<Progress>,
    task: AbortHandle,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Call {
    /// Sends a request. `keep` are the headers of its answer that are wanted.
    ///
    /// # Errors
    ///
    /// Nothing was sent; the body comes back.
    pub fn start(
        slot: Slot,
        request: Request<()>,
        body: RequestBody,
        keep: Keep,
    ) -> Result<Self, RequestBody> {
        let is_all = matches!(&body, RequestBody::Empty);
        let (response, mut stream) = match slot.send(request, is_all) {
            Ok(sent) => sent,
            Err(error) => {
                // A connection that has failed must not be found again by the next try. One that does not take this request
                // is as good as ever.
                if error.is_io() || error.is_go_away() {
                    slot.distrust();
                }
                return Err(body);
            }
        };
        let upload = match body {
            RequestBody::Empty => None,
            RequestBody::Full(bytes) => {
                // Whatever keeps it from being sent comes with the answer, or in place of it.
                let _ = stream.send_data(bytes, true);
                None
            }
            RequestBody::Streamed(body) => Some(Upload::start(body, stream)),
        };
        let state = State::Waiting(response);
        Ok(Self { state, keep, trailers: None, is_unprocessed: false, upload, slot })
    }

    /// Whether the peer has surely done nothing about the request (RFC 9113 §8.7).
    pub fn is_unprocessed(&self) -> bool {
        self.is_unprocessed
    }

    /// The connection is used by no other request: this one got no answer in time.
    pub fn distrust(&self) {
        self.slot.distrust();
    }

    /// Ready when the upload has failed.
    fn poll_upload(&self, cx: &Context<'_>) -> Poll<ProxyError> {
        let Some(Upload { progress, .. }) = &self.upload else { return Poll::Pending };
        match progress.stage() {
            Stage::Failed(error) => return Poll::Ready(error),
            Stage::Ended => {}
            Stage::Reading | Stage::Writing => progress.watch(cx),
        }
        Poll::Pending
    }
}

impl Asked for Call {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, ProxyError>> {
        if let Poll::Ready(error) = self.poll_upload(cx) {
            return Poll::Ready(Err(error));
        }
        let State::Waiting(response) = &mut self.state else {
            return Poll::Ready(Err(ProxyError::UpstreamClosed));
        };
        let (head, body) = match ready!(Pin::new(response).poll(cx)) {
            Ok(response) => response.into_parts(),
            Err(error) => {
                let (error, is_unprocessed) = failure(&error);
                self.is_unprocessed = is_unprocessed;
                return Poll::Ready(Err(error));
            }
        };
        self.state = State::Answering(body);
        let mut headers = HeaderMap::with_capacity(head.headers.len() + 4);
        for (name, value) in &head.headers {
            let is_length = name == header::CONTENT_LENGTH && !headers.contains_key(name);
            if is_length || (self.keep)(name, head.status) {
                headers.append(name.clone(), value.clone());
            }
        }
        let (status, connection) = (head.status, SmallVec::new());
        Poll::Ready(Ok(Head { status, headers, connection, buffering: None }))
    }
}

impl Answering for Call {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>> {
        let State::Answering(body) = &mut self.state else {
            return Poll::Ready(Some(Err(ProxyError::UpstreamClosed)));
        };
        loop {
            match body.poll_data(cx) {
                // The peer may send as much again as soon as somebody has taken this.
                Poll::Ready(Some(Ok(data))) => {
                    let _ = body.flow_control().release_capacity(data.len());
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(failure(&error).0)));
                }
                Poll::Ready(None) => break,
                Poll::Pending => {
                    return self.poll_upload(cx).map(|error| Some(Err(error)));
                }
            }
        }
        match ready!(body.poll_trailers(cx)) {
            Ok(fields) => {
                self.trailers = fields.and_then(kept_trailers);
                Poll::Ready(None)
            }
            Err(error) => Poll::Ready(Some(Err(failure(&error).0))),
        }
    }

    fn is_done(&self) -> bool {
        matches!(&self.state, State::Answering(body) if body.is_end_stream())
    }

    fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }
}

impl Upload {
    fn start(body: Box<Streamed>, stream: SendStream<Bytes>) -> Self {
        let progress = Rc::clone(body.progress());
        let task = spawn_local(async move {
            let progress = Rc::clone(body.progress());
            progress.enter(match send(body, stream).await {
                Ok(()) => Stage::Ended,
                Err(error) => Stage::Failed(error),
            });
        });
        Self { progress, task: task.abort_handle() }
    }
}

/// Sends a body as fast as the peer takes it. An error is the client's.
async fn send(mut body: Box<Streamed>, mut stream: SendStream<Bytes>) -> Result<(), ProxyError> {
    let progress = Rc::clone(body.progress());
    while let Some(data) = poll_fn(|cx| body.poll_data(cx)).await {
        let mut data = data.inspect_err(|_| stream.send_reset(Reason::CANCEL))?;
        while !data.is_empty() {
            progress.enter(Stage::Writing);
            stream.reserve_capacity(data.len());
            let room = poll_fn(|cx| room(&mut stream, cx)).await;
            // What the peer has to say about it comes with its answer, or in place of it.
            let Some(room) = room else { return Ok(()) };
            if stream.send_data(data.split_to(room.min(data.len())), false).is_err() {
                return Ok(());
            }
        }
    }
    let fields = body.take_trailers();
    // It may have ended the stream meanwhile, as above.
    let _ = match fields.and_then(|fields| kept_request_trailers(fields, body.withheld())) {
        Some(fields) => stream.send_trailers(fields),
        None => stream.send_data(Bytes::new(), true),
    };
    Ok(())
}

/// Bytes that the peer takes; none if it takes no more of this body.
fn room(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
    loop {
        match stream.capacity() {
            0 => {}
            room => return Poll::Ready(Some(room)),
        }
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(None),
        }
    }
}

/// What a failure comes to, and whether the peer has surely done nothing about the request (RFC 9113 §8.7).
fn failure(error: &h2::Error) -> (ProxyError, bool) {
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    // Streams that a peer which goes away has heard of end as ever; others end like this.
    let is_unprocessed = error.is_remote() && (is_refused || error.is_go_away());
    let error = match error.is_library() {
        true => ProxyError::InvalidAnswer,
        false => ProxyError::UpstreamClosed,
    };
    (error, is_unprocessed)
}
