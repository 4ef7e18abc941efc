//! Connections of the webhook: TLS, HTTP/1.1, one body at a time.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{AlertDescription, ServerConfig};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, SemaphorePermit},
    task::{AbortHandle, JoinSet},
    time,
};
use tokio_rustls::TlsAcceptor;

use super::{Limits, Reply, Respond};

/// Room for a request's head.
const HEAD_BUFFER: usize = 16 << 10;
/// So much more than the limit is read and thrown away, so that the sender gets to read its answer instead of an error
/// of the connection.
const LEFTOVER: usize = 32 << 20;

/// What all connections share.
pub(super) struct Server {
    limits: Limits,
    tls: TlsAcceptor,
    respond: Respond,
    large_bodies: Semaphore,
    /// Whether it was said that clients do not trust the certificate.
    has_complained: AtomicBool,
}

/// A connection that may have to make room.
struct Open {
    task: AbortHandle,
    /// Whether somebody waits for an answer to a complete request.
    is_awaited: Arc<AtomicBool>,
}

/// Why a body was not read.
enum Unread {
    TooLarge,
    TooSlow,
    /// Too many large ones at a time.
    NoRoom,
    Broken,
}

impl Server {
    pub(super) fn new(limits: Limits, tls: Arc<ServerConfig>, respond: Respond) -> Self {
        Self {
            limits,
            tls: tls.into(),
            respond,
            large_bodies: Semaphore::new(limits.large_bodies),
            has_complained: AtomicBool::new(false),
        }
    }

    /// Serves for ever.
    pub(super) async fn serve(self, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let server = Arc::new(self);
        let mut tasks = JoinSet::new();
        let mut open: Vec<Open> = Vec::new();
        loop {
            let stream = tokio::select! {
                Some(_) = tasks.join_next() => continue,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::debug!(%error, "webhook connection not accepted");
                        // Out of files, most likely: without a pause this loop would spin.
                        time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            if !make_room(&mut open, server.limits.connections) {
                continue;
            }
            let is_awaited = Arc::new(AtomicBool::new(false));
            let connection = Arc::clone(&server).connection(stream, Arc::clone(&is_awaited));
            open.push(Open { task: tasks.spawn(connection), is_awaited });
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, is_awaited: Arc<AtomicBool>) {
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let stream = match time::timeout(self.limits.handshake, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.note_handshake(&error),
            Err(_) => return,
        };
        self.has_complained.store(false, Relaxed);
        let head = self.limits.head;
        let service = service_fn(move |request| {
            let (server, is_awaited) = (Arc::clone(&self), Arc::clone(&is_awaited));
            async move { Ok::<_, Infallible>(server.answer(request, &is_awaited).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            .max_buf_size(HEAD_BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = served.await {
            tracing::debug!(%error, "webhook connection ended");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        is_awaited: &AtomicBool,
    ) -> Response<Full<Bytes>> {
        let (body, _leave) = match self.read(request.into_body()).await {
            Ok(read) => read,
            Err(unread) => return refused(&unread, self.limits.body_size),
        };
        is_awaited.store(true, Relaxed);
        let answer = time::timeout(self.limits.answer, (self.respond)(body)).await;
        is_awaited.store(false, Relaxed);
        let Reply { status, body } = answer.unwrap_or_else(|_| Reply {
            status: 503,
            body: Bytes::from_static(b"no answer in time; try again\n"),
        });
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response(status, body)
    }

    /// Reads a body, with leave if it is a large one.
    async fn read(&self, body: Incoming) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Unread> {
        match time::timeout(self.limits.body, self.read_patiently(body)).await {
            Ok(read) => read,
            Err(_) if self.large_bodies.available_permits() == 0 => Err(Unread::NoRoom),
            Err(_) => Err(Unread::TooSlow),
        }
    }

    async fn read_patiently(
        &self,
        mut body: Incoming,
    ) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Unread> {
        let Limits { body_size, small_body, .. } = self.limits;
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced >= body_size {
            discard(body).await;
            return Err(Unread::TooLarge);
        }
        let mut leave = None;
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(Unread::Broken) };
            let Ok(data) = frame.into_data() else { continue };
            let size = read.len() + data.len();
            if size >= body_size {
                drop((read, leave));
                discard(body).await;
                return Err(Unread::TooLarge);
            }
            if size > small_body && leave.is_none() {
                leave = self.large_bodies.acquire().await.ok();
                read.reserve_exact(announced.max(size) - read.len());
            }
            read.extend_from_slice(&data);
        }
        Ok((read.into(), leave))
    }

    /// Clients that do not trust the certificate are the one fault here that an administrator has to hear of.
    fn note_handshake(&self, error: &io::Error) {
        tracing::debug!(%error, "webhook handshake failed");
        let cause = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA,
        )) = cause
            && !self.has_complained.swap(true, Relaxed)
        {
            tracing::warn!(
                %error,
                "a client does not trust the certificate of the webhook; caBundle of the ValidatingWebhookConfiguration must hold who signed it"
            );
        }
    }
}

/// Forgets connections that have ended, and ends the oldest one that nobody waits for if there are too many; says
/// whether there is room now.
fn make_room(open: &mut Vec<Open>, most: usize) -> bool {
    if open.len() >= most {
        open.retain(|open| !open.task.is_finished());
    }
    if open.len() < most {
        return true;
    }
    let idle = open.iter().position(|open| !open.is_awaited.load(Relaxed));
    if let Some(idle) = idle {
        open.remove(idle).task.abort();
    }
    idle.is_some()
}

async fn discard(mut body: Incoming) {
    let mut left = LEFTOVER;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn refused(unread: &Unread, limit: usize) -> Response<Full<Bytes>> {
    let (status, text) = match unread {
        Unread::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is too large: it must be below {limit} bytes\n"),
        ),
        Unread::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n".into()),
        Unread::NoRoom => (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many large bodies at a time; try again in a moment\n".into(),
        ),
        Unread::Broken => (StatusCode::BAD_REQUEST, "the body cannot be read\n".into()),
    };
    let mut response = response(status, text.into());
    // What is left of the body must not be taken for the next request.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let content = match status {
        StatusCode::OK => "application/json",
        _ => "text/plain; charset=utf-8",
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // The API server's client tries again by itself only where it is told when.
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
