//! One request to a FastCGI application, and its answer.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::{AbortHandle, spawn_local},
};

use super::{
    head,
    record::{Records, Said, body_piece},
};
use crate::{
    error::ProxyError,
    upstream::{
        answer::{Answering, Asked},
        body::{Progress, RequestBody, Stage},
        h1::{Head, Keep},
        wire::{Reading, Wire, Writing},
    },
};

/// Bytes that are read at once, at most.
const READ_SIZE: usize = 16 * 1024;
/// What of an application's complaints is logged for one request, in bytes.
const MOST_COMPLAINT: usize = 2048;

/// What is to be known about a request for reading its answer.
pub struct Expected {
    /// Who answers, for the log.
    pub upstream: SocketAddr,
    /// The request is HEAD: its answer has no body.
    pub to_head: bool,
    /// The headers that are passed on.
    pub keep: Keep,
    /// Largest head in bytes.
    pub head_limit: usize,
}

/// A request that is being sent, and its answer.
pub struct Call {
    read: Reading,
    upload: Upload,
    expected: Expected,
    records: Records,
    /// What arrived and was not looked at.
    held: Bytes,
    /// A head that is not complete.
    partial: BytesMut,
    /// Bytes of the body that are here.
    ready: Bytes,
    /// Bytes of the body that are to come, if that is known.
    left: Option<u64>,
    /// The application's answer has ended, or has no body.
    ended: bool,
    /// All of it came, although the request has not ended.
    no_more_output: bool,
    complaint: Vec<u8>,
}

/// The sending of a request, which goes on while nobody asks for the answer. It ends with this value.
struct Upload {
    progress: Rc<Progress>,
    sent: Rc<Sent>,
    task: AbortHandle,
}

/// How far it is.
#[derive(Default)]
struct Sent {
    /// Bytes that left us.
    bytes: Cell<usize>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Call {
    /// Starts to send a request: `start` are its records in front of the body.
    pub fn start(wire: Wire, start: Vec<u8>, body: RequestBody, expected: Expected) -> Self {
        let (read, write) = wire.split();
        Self {
            read,
            upload: Upload::start(start.into(), body, write),
            expected,
            records: Records::default(),
            held: Bytes::new(),
            partial: BytesMut::new(),
            ready: Bytes::new(),
            left: None,
            ended: false,
            no_more_output: false,
            complaint: Vec::new(),
        }
    }

    /// Whether something of the request left us.
    pub fn has_sent(&self) -> bool {
        self.upload.sent.bytes.get() > 0
    }

    /// The next thing that is said.
    fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Result<Said, ProxyError>> {
        loop {
            match self.records.next(&mut self.held) {
                Ok(Some(Said::Complaint(piece))) => {
                    let room = MOST_COMPLAINT.saturating_sub(self.complaint.len());
                    self.complaint.extend_from_slice(&piece[..piece.len().min(room)]);
                    continue;
                }
                Ok(Some(Said::NoMoreOutput)) => {
                    self.no_more_output = true;
                    continue;
                }
                Ok(Some(said)) => return Poll::Ready(Ok(said)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            if let Poll::Ready(error) = self.upload.poll_failed(cx) {
                return Poll::Ready(Err(error));
            }
            let mut input = BytesMut::with_capacity(READ_SIZE);
            let read = ready!(pin!(self.read.read_buf(&mut input)).poll(cx));
            match read {
                Ok(1..) => self.held = input.freeze(),
                Ok(0) if self.no_more_output => return Poll::Ready(Ok(Said::End)),
                _ => return Poll::Ready(Err(ProxyError::UpstreamClosed)),
            }
        }
    }

    /// Adds a piece to the head; gives it when it is complete.
    fn take_head(&mut self, piece: &Bytes) -> Result<Option<Head>, ProxyError> {
        self.partial.extend_from_slice(piece);
        let parsed = head::parse(&self.partial, self.expected.keep)?;
        let size = parsed.as_ref().map_or(self.partial.len(), |parsed| parsed.size);
        if size > self.expected.head_limit {
            return Err(ProxyError::InvalidAnswer);
        }
        let Some(parsed) = parsed else { return Ok(None) };
        let mut rest = std::mem::take(&mut self.partial).freeze();
        rest.advance(parsed.size);
        let bodiless =
            matches!(parsed.head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if self.expected.to_head || bodiless {
            self.ended = true;
        } else {
            self.left = parsed.length;
            self.ready = self.allowed(rest);
        }
        Ok(Some(parsed.head))
    }

    /// Of a piece of the body what belongs to it: no more than the head has said.
    fn allowed(&mut self, mut piece: Bytes) -> Bytes {
        if let Some(left) = &mut self.left {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
        }
        piece
    }
}

impl Asked for Call {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, ProxyError>> {
        loop {
            match ready!(self.poll_said(cx))? {
                Said::Output(piece) => {
                    if let Some(head) = self.take_head(&piece)? {
                        return Poll::Ready(Ok(head));
                    }
                }
                Said::End => return Poll::Ready(Err(ProxyError::InvalidAnswer)),
                Said::Complaint(_) | Said::NoMoreOutput => {}
            }
        }
    }

    fn unsent(&self) -> usize {
        match self.upload.progress.stage() {
            // It is other than before whenever something has left.
            Stage::Writing => usize::MAX - self.upload.sent.bytes.get(),
            _ => 0,
        }
    }
}

impl Answering for Call {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProxyError>>> {
        loop {
            if !self.ready.is_empty() {
                return Poll::Ready(Some(Ok(std::mem::take(&mut self.ready))));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(self.poll_said(cx)) {
                Ok(Said::Output(piece)) => self.ready = self.allowed(piece),
                Ok(Said::End) => {
                    self.ended = true;
                    if self.left.is_some_and(|left| left > 0) {
                        return Poll::Ready(Some(Err(ProxyError::UpstreamClosed)));
                    }
                }
                Ok(Said::Complaint(_) | Said::NoMoreOutput) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    fn take_trailers(&mut self) -> Option<HeaderMap> {
        None
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.complaint.is_empty() {
            // Whatever it says, it stays one line.
            let message = self.complaint.trim_ascii().escape_ascii();
            tracing::error!(upstream = %self.expected.upstream, %message, "FastCGI application");
        }
    }
}

impl Upload {
    fn start(start: Bytes, body: RequestBody, mut half: Writing) -> Self {
        let progress = match &body {
            RequestBody::Streamed(body) => Rc::clone(body.progress()),
            RequestBody::Empty | RequestBody::Full(_) => Rc::default(),
        };
        let sent = Rc::<Sent>::default();
        let (noted, counted) = (Rc::clone(&progress), Rc::clone(&sent));
        let task = spawn_local(async move {
            let outcome = send(start, body, &mut half, &noted, &counted).await;
            // Applications take the end of this half for the end of the client; the other one keeps the connection.
            half.forget();
            noted.enter(match outcome {
                Err(Failure::Body(error)) => Stage::Failed(error),
                // What the application has to say about it comes with its answer, or with its absence.
                Ok(()) | Err(Failure::Write) => Stage::Ended,
            });
        });
        Self { progress, sent, task: task.abort_handle() }
    }

    /// Ready when the client's body has ended early.
    fn poll_failed(&self, cx: &Context<'_>) -> Poll<ProxyError> {
        match self.progress.stage() {
            Stage::Failed(error) => return Poll::Ready(error),
            Stage::Ended => {}
            Stage::Reading | Stage::Writing => self.progress.watch(cx),
        }
        Poll::Pending
    }
}

enum Failure {
    /// The body ended early.
    Body(ProxyError),
    /// The application does not take it.
    Write,
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Write
    }
}

async fn send(
    start: Bytes,
    body: RequestBody,
    half: &mut Writing,
    progress: &Progress,
    sent: &Sent,
) -> Result<(), Failure> {
    write(half, start, progress, sent).await?;
    match body {
        RequestBody::Empty => {}
        RequestBody::Full(bytes) => send_piece(bytes, half, progress, sent).await?,
        RequestBody::Streamed(mut body) => {
            while let Some(data) = poll_fn(|cx| body.poll_data(cx)).await {
                send_piece(data.map_err(Failure::Body)?, half, progress, sent).await?;
            }
        }
    }
    let (end, _) = body_piece(&mut Bytes::new());
    write(half, Bytes::from(end), progress, sent).await?;
    Ok(half.flush().await?)
}

async fn send_piece(
    mut bytes: Bytes,
    half: &mut Writing,
    progress: &Progress,
    sent: &Sent,
) -> Result<(), Failure> {
    while !bytes.is_empty() {
        let (front, piece) = body_piece(&mut bytes);
        write(half, Bytes::from(front).chain(piece), progress, sent).await?;
    }
    Ok(())
}

/// Writes all of `bytes`, noting every step.
async fn write(
    half: &mut Writing,
    mut bytes: impl Buf,
    progress: &Progress,
    sent: &Sent,
) -> io::Result<()> {
    while bytes.has_remaining() {
        progress.enter(Stage::Writing);
        match half.write_buf(&mut bytes).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => sent.bytes.set(sent.bytes.get() + written),
        }
    }
    Ok(())
}
