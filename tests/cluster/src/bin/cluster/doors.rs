//! Ways into a cluster from outside its network: a port on the machine's loopback, a socket in a folder that both sides see, and
//! an address inside.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use headgate_cluster::Connections;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

/// The outer half: connections to a port go to the socket.
pub(crate) async fn outer(listener: TcpListener, socket: PathBuf) {
    let mut connections = Connections::default();
    loop {
        let Some((client, _)) = connections.accepted(listener.accept()).await else { continue };
        let socket = socket.clone();
        connections.serve(async move {
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
    let mut connections = Connections::default();
    loop {
        let Some((client, _)) = connections.accepted(listener.accept()).await else { continue };
        let Ok(address) = find().await else { continue };
        connections.serve(async move {
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
