//! Clients of the gateway that send what is expected, and take it.

use anyhow::{Context, Result, ensure};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter, split};

use super::{
    http1::{self, Framing, Head},
    http2,
    origin::{BUFFER, CHUNKED, TRAILER},
    payload::Payload,
    scene::{Client, GRPC, Transfer},
};
use crate::{client::tcp, gateway::Gateway, tls};

/// Carries a body through the gateway.
pub async fn carry(transfer: &Transfer, gateway: &Gateway, payload: &Payload) -> Result<()> {
    match transfer.client {
        Client::Http1 => over_http1(tcp(gateway.http).await?, transfer, payload).await,
        Client::Https1 => {
            let (stream, _) = tls::Client::new()?.connect(gateway.https, transfer.host).await?;
            over_http1(stream, transfer, payload).await
        }
        Client::Http2 => over_http2(http2::connect(gateway.http).await?, transfer, payload).await,
    }
}

async fn over_http1<S: AsyncRead + AsyncWrite>(
    stream: S,
    transfer: &Transfer,
    payload: &Payload,
) -> Result<()> {
    let (reader, writer) = split(stream);
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let mut writer = BufWriter::with_capacity(BUFFER, writer);
    let (host, target) = (transfer.host, target(transfer));
    let framing = match transfer.chunked {
        true => Framing::Chunked,
        false => Framing::Length(payload.total()),
    };
    let sending = async {
        let (method, header) = match transfer.up {
            true => ("POST", framing.header()),
            false => ("GET", String::new()),
        };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{header}\r\n");
        writer.write_all(head.as_bytes()).await?;
        match transfer.up {
            true => http1::send(&mut writer, framing, payload).await,
            false => Ok(writer.flush().await?),
        }
    };
    // An answer that comes too early ends the upload.
    let receiving = async {
        let head = Head::read(&mut reader).await?.context("no answer")?;
        head.is_ok()?;
        if transfer.up {
            return payload.check();
        }
        http1::receive(&mut reader, head.framing()?, payload).await
    };
    tokio::try_join!(sending, receiving).map(|_| ())
}

async fn over_http2(
    mut sender: http2::Sender,
    transfer: &Transfer,
    payload: &Payload,
) -> Result<()> {
    let uri = format!("http://{}{}", transfer.host, target(transfer));
    let method = if transfer.up { "POST" } else { "GET" };
    let request = Request::builder().method(method).uri(uri).header("te", "trailers").body(())?;
    let (answer, mut body) = sender.send_request(request, !transfer.up)?;
    let sending = async {
        if transfer.up {
            http2::send(&mut body, payload).await?;
            body.send_data(bytes::Bytes::new(), true)?;
        }
        Ok(())
    };
    let receiving = async {
        let answer = answer.await?;
        ensure!(answer.status() == 200, "answered {}", answer.status());
        if transfer.up {
            return payload.check();
        }
        let mut body = answer.into_body();
        http2::receive(&mut body, payload).await?;
        let trailers = body.trailers().await?.unwrap_or_default();
        ensure!(trailers.contains_key(TRAILER) == (transfer.host == GRPC), "trailers {trailers:?}");
        Ok(())
    };
    tokio::try_join!(sending, receiving).map(|_| ())
}

fn target(transfer: &Transfer) -> &'static str {
    if transfer.chunked { CHUNKED } else { "/" }
}
