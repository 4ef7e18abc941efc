//! TLS connections whose server name is passed through: they are connected to their upstream as they are, undecrypted
//! (annotations §3.4, operations §12).

use std::{io, rc::Rc, sync::Arc, time::Duration};

use rustls::server::{Accepted, Acceptor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    client_hello::{self, Hello, RECORD_HEAD},
    conn::{Connection, Phase},
    forward::connect::{self, ConnectError},
};
use crate::{
    pump::{self, Limits, Moved},
    upstream::SharedUpstream,
    worker::Worker,
};

/// Bytes that are read at once of a message that is left to the handshake.
const MORE: usize = 4096;
/// How long an upstream may take to take the first message.
const FIRST: Duration = Duration::from_secs(60);
/// How long a connection may be silent in both directions: as long as those of TCP services are unless it is set.
const SILENCE: Duration = Duration::from_secs(600);

/// The first message of a TLS connection, as it came.
pub(super) struct First {
    bytes: Vec<u8>,
    name: Option<Box<[u8]>>,
}

/// Reads the first message of a connection, and not a byte of what follows it. It has as long as a whole handshake has:
/// the connection is cut after its head's time in [`Phase::Handshake`].
pub(super) async fn read_first(stream: &mut TcpStream) -> io::Result<First> {
    let (mut bytes, mut reader) = (Vec::new(), client_hello::Reader::default());
    loop {
        let begin = bytes.len();
        bytes.resize(begin + RECORD_HEAD, 0);
        stream.read_exact(&mut bytes[begin..]).await?;
        let mut head = [0; RECORD_HEAD];
        head.copy_from_slice(&bytes[begin..]);
        let Some(length) = client_hello::record_length(head) else {
            return Ok(First { bytes, name: None });
        };
        bytes.resize(begin + RECORD_HEAD + length, 0);
        stream.read_exact(&mut bytes[begin + RECORD_HEAD..]).await?;
        match reader.record(&bytes[begin + RECORD_HEAD..]) {
            Hello::Partial => {}
            Hello::Other => return Ok(First { bytes, name: None }),
            Hello::Whole(name) => return Ok(First { bytes, name }),
        }
    }
}

impl First {
    /// Where the connection is passed through to, if it is.
    pub(super) fn target(&self, worker: &Worker) -> Option<Arc<SharedUpstream>> {
        worker.live().streams.passthrough.get(self.name.as_deref()?).cloned()
    }

    /// Begins a handshake of our own with it; a client that cannot be understood is told so. What is missing of a message
    /// that was not read to its end is read here.
    pub(super) async fn accept(self, stream: &mut TcpStream) -> io::Result<Accepted> {
        let mut acceptor = Acceptor::default();
        let mut more = Vec::new();
        let mut rest = &self.bytes[..];
        loop {
            if rest.is_empty() {
                more.resize(MORE, 0);
                let count = stream.read(&mut more).await?;
                rest = &more[..count];
            }
            if acceptor.read_tls(&mut rest)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match acceptor.accept() {
                Ok(Some(accepted)) => return Ok(accepted),
                Ok(None) => {}
                Err((error, mut alert)) => {
                    let mut bytes = Vec::new();
                    alert.write_all(&mut bytes)?;
                    stream.write_all(&bytes).await?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
    }

    /// Connects the client to the upstream until both are done. The upstream sees every byte, from the first.
    pub(super) async fn pass_through(
        self,
        worker: &Rc<Worker>,
        connection: &Connection,
        client: TcpStream,
        target: &SharedUpstream,
    ) {
        // From now on time and shutdown are as for upgraded connections.
        connection.tunnel();
        connection.enter(Phase::Serving);
        let settings = worker.live().settings.spec.stream.clone();
        let upstream = match connect::tcp(&client, target, fastrand::usize(..), &settings).await {
            Ok(upstream) => upstream,
            Err(ConnectError::Left { .. }) => return,
            Err(error) => {
                tracing::warn!(
                    upstream = %target.name, %error,
                    "a TLS connection cannot be passed through"
                );
                return;
            }
        };
        keep_alive(&client);
        keep_alive(&upstream.stream);
        let mut upstream = upstream.stream;
        let begun = timeout(FIRST, upstream.write_all(&self.bytes)).await;
        if matches!(begun, Ok(Ok(()))) {
            let limits = Limits { silence: Some(SILENCE), half_silence: pump::HALF_SILENCE };
            pump::pump(&client, &upstream, limits, &Moved::default()).await;
        }
    }
}

/// Peers that are gone are found out about long before the limit of silence.
fn keep_alive(stream: &TcpStream) {
    let often = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    // Without it the connection still works.
    let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&often);
}
