//! What the webhook accepts and answers: connections up to a limit, one body at a time on each.

use std::{
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
use hyper::body::{Body, Incoming};
use rustls::{AlertDescription, ServerConfig};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, SemaphorePermit, watch},
    task::JoinSet,
    time::{self, Instant},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    Limits, Reply, Respond,
    connection::{self, Phase},
    crowd::Crowd,
};

/// So much more than the limit is read and thrown away, so that the sender gets to read its answer instead of an error
/// of the connection.
const LEFTOVER: usize = 32 << 20;

/// What all connections share.
pub(super) struct Server {
    pub(super) limits: Limits,
    pub(super) tls: TlsAcceptor,
    /// No new connections, and none goes on after its answer.
    pub(super) stop: CancellationToken,
    respond: Respond,
    large_bodies: Semaphore,
    /// Whether it was said that clients do not trust the certificate.
    pub(super) has_complained: AtomicBool,
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
    pub(super) fn new(
        limits: Limits,
        tls: Arc<ServerConfig>,
        respond: Respond,
        stop: CancellationToken,
    ) -> Self {
        Self {
            limits,
            tls: tls.into(),
            stop,
            respond,
            large_bodies: Semaphore::new(limits.large_bodies),
            has_complained: AtomicBool::new(false),
        }
    }

    /// Serves until it is stopped, and then what is under way, for a while.
    pub(super) async fn serve(self, listener: std::net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let server = Arc::new(self);
        let mut tasks = JoinSet::new();
        let mut crowd = Crowd::new(server.limits.connections);
        loop {
            let stream = tokio::select! {
                () = server.stop.cancelled() => break,
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
            if !crowd.make_room().await {
                continue;
            }
            let (phase, shown) = watch::channel(Phase::Handshake(Instant::now()));
            let connection = connection::run(Arc::clone(&server), stream, phase);
            crowd.add(tasks.spawn(connection), shown);
        }
        drop(listener);
        let rest = async { while tasks.join_next().await.is_some() {} };
        if time::timeout(server.limits.farewell, rest).await.is_err() {
            tracing::warn!("the webhook stops without having answered all reviews");
        }
        Ok(())
    }

    /// Answers a request, and shows whether it has come in full.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        phase: &watch::Sender<Phase>,
    ) -> Response<Full<Bytes>> {
        phase.send_replace(Phase::Body(Instant::now()));
        let (body, _leave) = match self.read(request.into_body()).await {
            Ok(read) => read,
            Err(unread) => return refused(&unread, self.limits.body_size),
        };
        phase.send_replace(Phase::Awaited);
        let answer = time::timeout(self.limits.answer, (self.respond)(body)).await;
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
    pub(super) fn note_handshake(&self, error: &io::Error) {
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
