//! Connections of a TCP service.

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use headgate_config::StreamSettings;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::spawn_local,
    time::{sleep, timeout},
};

use super::{
    Current,
    connect::{self, ConnectError},
    record::Record,
};
use crate::{
    listen::{
        EXHAUSTED_PAUSE, is_of_one_connection,
        proxy_protocol::{self, Addresses},
    },
    pump::{self, Limits},
    worker::Worker,
};

/// How long a client may take to send its PROXY header.
const HEADER: Duration = Duration::from_secs(30);

/// Accepts connections until it is dropped. Those that are open then go on.
pub async fn accept(worker: Rc<Worker>, listener: std::net::TcpListener, current: Current) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a TCP service cannot be served");
            return;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let serve = serve(Rc::clone(&worker), stream, peer, current.clone());
                spawn_local(worker.tunnels.track_future(serve));
            }
            Err(error) => {
                worker.metrics.connection_refused();
                if !is_of_one_connection(&error) {
                    tracing::warn!(%error, "accepting is not possible for the moment");
                    sleep(EXHAUSTED_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(worker: Rc<Worker>, mut client: TcpStream, peer: SocketAddr, current: Current) {
    let (service, next) = current.next();
    let Ok(server) = client.local_addr() else { return };
    // Only a latency hint: without it the connection still works.
    let _ = client.set_nodelay(true);
    let record = Record::new(&worker, &service, peer, server);
    let mut ends = Addresses { source: peer, destination: server };
    if service.spec.decode_proxy {
        match timeout(HEADER, proxy_protocol::read(&mut client)).await {
            Ok(Ok(Some(proxied))) => {
                record.set_proxied(proxied.source);
                ends = Addresses { source: proxied.source, destination: proxied.destination };
            }
            Ok(Ok(None)) => {}
            Ok(Err(_)) | Err(_) => {
                tracing::debug!(%peer, service = %service.name, "no PROXY header");
                record.status.set(400);
                return;
            }
        }
    }
    let settings = worker.live().settings.spec.stream.clone();
    let begin = Instant::now();
    let upstream = match connect::tcp(&client, &service.upstream, next, &settings).await {
        Ok(connected) => {
            record.tried.replace(connected.tried);
            record.connect_time.set(Some(begin.elapsed()));
            connected.stream
        }
        Err(error) => {
            tracing::debug!(%peer, service = %service.name, %error, "a connection is turned away");
            if let ConnectError::Failed { tried, .. } | ConnectError::Left { tried } = error {
                record.tried.replace(tried);
            }
            return;
        }
    };
    record.status.set(200);
    let header = service.spec.encode_proxy.then(|| proxy_protocol::text(&ends));
    forward(client, upstream, header, &settings, &record).await;
}

async fn forward(
    client: TcpStream,
    mut upstream: TcpStream,
    header: Option<String>,
    settings: &StreamSettings,
    record: &Record,
) {
    let begun: io::Result<()> = match header {
        Some(header) => upstream.write_all(header.as_bytes()).await,
        None => Ok(()),
    };
    if begun.is_ok() {
        let silence = Some(settings.timeout).filter(|limit| !limit.is_zero());
        let limits = Limits { silence, half_silence: pump::HALF_SILENCE };
        pump::pump(&client, &upstream, limits, &record.moved).await;
    }
}
