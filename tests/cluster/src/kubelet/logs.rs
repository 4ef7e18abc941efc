//! What `kubectl logs` asks a kubelet for. One log per container over all its restarts; of the options, `follow` and `tailLines` are
//! honoured. The API server accepts any certificate, so nobody signs this one.

use std::{
    io::{Read, Seek, SeekFrom},
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use super::Kubelet;

/// Port of every node.
pub(crate) const PORT: u16 = 10250;
const LONGEST_HEAD: usize = 16 * 1024;
const FOLLOW_POLL: Duration = Duration::from_millis(200);

/// Serves one node until it is dropped.
pub(crate) async fn run(kubelet: Arc<Kubelet>, node: Ipv4Addr) -> Result<()> {
    let made = rcgen::generate_simple_self_signed([node.to_string()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder().with_no_client_auth();
    let acceptor =
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key)?));
    let listener = TcpListener::bind((node, PORT)).await?;
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let (acceptor, kubelet) = (acceptor.clone(), Arc::clone(&kubelet));
        connections.spawn(async move {
            let _ = serve(acceptor, stream, &kubelet).await;
        });
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, kubelet: &Kubelet) -> Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let target = target(&mut stream).await?;
    let answered = answer(&mut stream, kubelet, &target).await;
    if let Err(error) = answered {
        let text = format!("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{error:#}\n");
        stream.write_all(text.as_bytes()).await?;
    }
    Ok(stream.shutdown().await?)
}

/// The target of the one request that is read.
async fn target(stream: &mut (impl AsyncRead + Unpin)) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < LONGEST_HEAD, "the request is too long");
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    Ok(head.split(' ').nth(1).context("no target")?.to_owned())
}

async fn answer(
    stream: &mut (impl AsyncWrite + Unpin),
    kubelet: &Kubelet,
    target: &str,
) -> Result<()> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parts: Vec<&str> = path.trim_start_matches("/containerLogs/").split('/').collect();
    let [namespace, pod, container] = parts[..] else {
        anyhow::bail!("only logs are served here");
    };
    let key = (namespace.to_owned(), pod.to_owned(), container.to_owned());
    let path = kubelet.log(&key);
    let option = |name: &str| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(each, _)| *each == name)
    };
    let tail = option("tailLines").and_then(|(_, lines)| lines.parse().ok());
    let (mut text, mut end) = read_from(&path, 0)?;
    if let Some(lines) = tail {
        text = last_lines(&text, lines).to_owned();
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(text.as_bytes()).await?;
    let follow = option("follow").is_some_and(|(_, value)| value == "true");
    while follow && kubelet.processes().contains_key(&key) {
        stream.flush().await?;
        sleep(FOLLOW_POLL).await;
        (text, end) = read_from(&path, end)?;
        stream.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

/// What the file holds from `start` on, and where that ends.
fn read_from(path: &Path, start: u64) -> Result<(String, u64)> {
    let mut file = std::fs::File::open(path).context("there is no such container")?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    let length = file.read_to_end(&mut bytes)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), start + length as u64))
}

fn last_lines(text: &str, count: usize) -> &str {
    let lines = text.lines().count();
    let skipped = lines.saturating_sub(count);
    let start: usize = text.split_inclusive('\n').take(skipped).map(str::len).sum();
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn the_last_lines_are_whole() {
        for (count, expected) in [(0, ""), (1, "c\n"), (2, "b\nc\n"), (9, "a\nb\nc\n")] {
            assert_eq!(last_lines("a\nb\nc\n", count), expected);
        }
    }
}
