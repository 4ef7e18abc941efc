//! From a stream to requests: TLS, which version of HTTP, and the HTTP library's connection for HTTP/1.

use std::{io, rc::Rc, sync::Arc};

use headgate_config::HostPattern;
use hyper::{server::conn::http1, service::service_fn};
use rustls::server::Acceptor;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    Security,
    conn::{Connection, Phase},
    guard::Guarded,
    http2, passthrough, proxy_protocol,
    tls::Session,
};
use crate::{live::LiveConfig, observe::metrics, proxy, worker::Worker};

/// The bytes that every HTTP/2 connection begins with (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Buffer of a connection: the most that a reader who stops reading costs us.
pub(super) const BUFFER: usize = 64 * 1024;
/// The fatal alert `unrecognized_name` (RFC 6066 §3) in a record of its own.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
/// First byte of a TLS handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Serves a connection to its end.
pub(super) async fn serve(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    stream: TcpStream,
    security: Security,
    stop: CancellationToken,
    counted: Rc<metrics::Connection>,
) {
    let mut stream = stream;
    if worker.live().settings.spec.proxy_protocol {
        match read_proxied(&worker, &mut stream, security).await {
            Ok(proxied) => proxied.into_iter().for_each(|proxied| connection.set_proxied(proxied)),
            Err(error) => {
                tracing::debug!(peer = %connection.peer, %error, "no PROXY header");
                return;
            }
        }
    }
    match security {
        Security::Plain => serve_plain(worker, connection, stream, stop, counted).await,
        Security::Tls => serve_tls(worker, connection, stream, stop, counted).await,
    }
}

/// Reads the PROXY header of a connection, within a time of its own where TLS may be passed through
/// (`proxy-protocol-header-timeout`).
async fn read_proxied(
    worker: &Worker,
    stream: &mut TcpStream,
    security: Security,
) -> io::Result<Option<proxy_protocol::Proxied>> {
    let limit = {
        let live = worker.live();
        let is_limited = security == Security::Tls && !live.streams.passthrough.is_empty();
        is_limited.then_some(live.settings.spec.proxy_protocol_timeout)
    };
    match limit {
        Some(limit) => timeout(limit, proxy_protocol::read(stream)).await?,
        None => proxy_protocol::read(stream).await,
    }
}

async fn serve_plain(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    mut stream: TcpStream,
    stop: CancellationToken,
    counted: Rc<metrics::Connection>,
) {
    let mut early = Vec::new();
    // Until it is clear which protocol is spoken; nearly always after the first read.
    while PREFACE.starts_with(&early) && early.len() < PREFACE.len() {
        match stream.read_buf(&mut early).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    if early.starts_with(PREFACE) && worker.live().settings.spec.http2 {
        let limits = worker.live().settings.listener;
        http2::serve(worker, connection, stream, early, limits, stop, counted).await;
    } else {
        serve_http1(worker, connection, stream, early, counted).await;
    }
}

async fn serve_tls(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    stream: TcpStream,
    stop: CancellationToken,
    counted: Rc<metrics::Connection>,
) {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1..) if first[0] == TLS_HANDSHAKE => {}
        Ok(1..) if first[0].is_ascii_uppercase() => {
            connection.misdirect();
            serve_http1(worker, connection, stream, Vec::new(), counted).await;
            return;
        }
        _ => return,
    }
    let mut stream = stream;
    let mut first = None;
    if !worker.live().streams.passthrough.is_empty() {
        let Ok(read) = passthrough::read_first(&mut stream).await else { return };
        if let Some(target) = read.target(&worker) {
            return read.pass_through(&worker, &connection, stream, &target).await;
        }
        first = Some(read);
    }
    let (stream, asked) = match shake_hands(&worker, stream, first).await {
        Ok(done) => done,
        Err(error) => {
            tracing::debug!(peer = %connection.peer, %error, "TLS handshake failed");
            return;
        }
    };
    connection.enter(Phase::Head);
    connection.set_session(Session::of(stream.get_ref().1, asked));
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let limits = worker.live().settings.listener;
        http2::serve(worker, connection, stream, Vec::new(), limits, stop, counted).await;
    } else {
        serve_http1(worker, connection, stream, Vec::new(), counted).await;
    }
}

/// Encrypts a connection, and says whether its client was asked for a certificate. That depends on the host that it
/// names; as long as all hosts are alike, and no certificate has to be made first, names do not matter. `first` is what
/// was read already.
async fn shake_hands(
    worker: &Worker,
    mut stream: TcpStream,
    first: Option<passthrough::First>,
) -> io::Result<(TlsStream<TcpStream>, bool)> {
    let usual = |live: &LiveConfig| {
        (!live.hosts_differ && live.tls.is_ready()).then(|| live.tls.server_config())
    };
    // The table is not kept while the client takes its time.
    let config = usual(&worker.live()).filter(|_| first.is_none());
    if let Some(config) = config {
        return Ok((TlsAcceptor::from(config).accept(stream).await?, false));
    }
    let mut hello = match first {
        None => LazyConfigAcceptor::new(Acceptor::default(), stream).await?,
        Some(first) => {
            let accepted = first.accept(&mut stream).await?;
            StartHandshake::from_parts(accepted, stream)
        }
    };
    if is_refused(&worker.live(), hello.client_hello().server_name()) {
        hello.io.write_all(&UNRECOGNIZED_NAME).await?;
        return Err(io::Error::other("no host has the server name"));
    }
    {
        let tls = worker.live().tls.clone();
        tls.ready_for(hello.client_hello().server_name()).await;
    }
    let (config, asks) = {
        let live = worker.live();
        let host = live.host_of(hello.client_hello().server_name());
        let ciphers = host.and_then(|host| host.spec.ciphers.as_ref());
        let trust = host.and_then(|host| host.client_certificates.as_ref()?.asks());
        (live.tls.config_for(ciphers, trust), trust.is_some())
    };
    Ok((hello.into_stream(config).await?, asks))
}

/// Whether clients that name no host of ours are sent away (`ssl-reject-handshake`), and this is one.
fn is_refused(live: &LiveConfig, server_name: Option<&str>) -> bool {
    let is_known = || {
        let host = server_name.and_then(|_| live.host_of(server_name));
        host.is_some_and(|host| host.spec.pattern != HostPattern::Default)
    };
    live.settings.spec.tls.rejects_unknown_names && !is_known()
}

async fn serve_http1<S>(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    stream: S,
    early: Vec<u8>,
    counted: Rc<metrics::Connection>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = worker.live().settings.spec.head_limits;
    let guarded = Guarded::new(stream, Arc::clone(&connection), early, limits);
    let service = service_fn(move |request| {
        proxy::handle(Rc::clone(&worker), Arc::clone(&connection), request, Rc::clone(&counted))
    });
    // What goes wrong on a connection is told to its client or is the client's doing; requests log themselves.
    let _ = http1::Builder::new()
        // The guard shows whole heads only, and with them the beginning of what follows.
        .max_buf_size(BUFFER.max(2 * limits.total as usize))
        .serve_connection(guarded, service)
        .with_upgrades()
        .await;
}
