//! Messages of HTTP/2 whose bodies nobody holds.

use std::{future::poll_fn, net::SocketAddr};

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::{RecvStream, SendStream, client, server};
use tokio::net::TcpStream;

use super::payload::Payload;
use crate::client::tcp;

/// Windows of a peer that wants its bytes fast.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// Where a client sends its requests.
pub type Sender = client::SendRequest<Bytes>;
/// What a server is asked.
pub type Served = server::Connection<TcpStream, Bytes>;

/// Connects with prior knowledge.
///
/// # Errors
/// There is nobody, or somebody who speaks another protocol.
pub async fn connect(address: SocketAddr) -> Result<Sender> {
    let (sender, connection) = client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(tcp(address).await?)
        .await?;
    tokio::spawn(connection);
    Ok(sender.ready().await?)
}

/// Serves a connection.
///
/// # Errors
/// The peer speaks another protocol.
pub async fn serve(stream: TcpStream) -> Result<Served> {
    stream.set_nodelay(true)?;
    let served = server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(stream)
        .await?;
    Ok(served)
}

/// Takes a body to its end.
pub(super) async fn receive(stream: &mut RecvStream, payload: &Payload) -> Result<()> {
    while let Some(data) = stream.data().await {
        let data = data?;
        payload.take(&data).await?;
        stream.flow_control().release_capacity(data.len())?;
    }
    payload.check()
}

/// Sends a body, and leaves its end to somebody else.
pub(super) async fn send(stream: &mut SendStream<Bytes>, payload: &Payload) -> Result<()> {
    let mut at = 0;
    while at < payload.total() {
        let piece = payload.piece(at);
        stream.reserve_capacity(piece.len());
        while stream.capacity() == 0 {
            poll_fn(|cx| stream.poll_capacity(cx)).await.context("the stream has ended")??;
        }
        let count = stream.capacity().min(piece.len());
        stream.send_data(piece.slice(..count), false)?;
        payload.count_sent(count);
        at += count as u64;
    }
    Ok(())
}
