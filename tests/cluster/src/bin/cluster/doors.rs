//! Ways into a cluster from outside its network: a port on the machine's loopback, a socket in a folder that both sides see, and
//! an address inside.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    task::JoinSet,
    time::sleep,
};

const RETRY: Duration = Duration::from_millis(100);

/// The outer half: connections to a port go to the socket.
pub(crate) async fn outer(listener: TcpListener, socket: PathBuf) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(RETRY).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let socket = socket.clone();
        connections.spawn(async move {
            if let Ok(inside) = UnixStream::connect(socket).await {
                join(client, inside).await;
            }
        });
    }
}

/// The inner half: connections to the socket go where `find` says at that moment.
pub(crate) async fn inner(
    socket: PathBuf,
    find: impl AsyncFn() -> Result<SocketAddr>,
) -> Result<()> {
    let listener = UnixListener::bind(&socket)
        .with_context(|| format!("cannot listen on {}", socket.display()))?;
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(RETRY).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let Ok(address) = find().await else { continue };
        connections.spawn(async move {
            if let Ok(upstream) = TcpStream::connect(address).await {
                join(client, upstream).await;
            }
        });
    }
}

async fn join(
    mut one: impl AsyncRead + AsyncWrite + Unpin,
    mut other: impl AsyncRead + AsyncWrite + Unpin,
) {
    let _ = copy_bidirectional(&mut one, &mut other).await;
}
