//! Messages of HTTP/1 whose bodies nobody holds.

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

use super::payload::Payload;

const MOST_LINES: usize = 100;

/// The head of a message.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its first line.
    pub start: String,
    fields: Vec<(String, String)>,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By its length.
    Length(u64),
    /// By its last chunk.
    Chunked,
}

impl Head {
    /// Reads the next head; `None` if there is no more.
    ///
    /// # Errors
    /// The connection ends within it, or it is none.
    pub async fn read<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Option<Self>> {
        let mut start = String::new();
        if reader.read_line(&mut start).await? == 0 {
            return Ok(None);
        }
        let fields = fields(reader).await?;
        Ok(Some(Self { start: start.trim_end().to_owned(), fields }))
    }

    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// How its body ends, where it has one.
    ///
    /// # Errors
    /// Neither length nor coding is told.
    pub fn framing(&self) -> Result<Framing> {
        if self.header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            return Ok(Framing::Chunked);
        }
        let length = self.header("content-length");
        Ok(Framing::Length(length.with_context(|| format!("no length in {self:?}"))?.parse()?))
    }

    /// Makes sure that it is the head of an answer with status 200.
    ///
    /// # Errors
    /// It is not.
    pub fn is_ok(&self) -> Result<()> {
        ensure!(self.start.starts_with("HTTP/1.1 200"), "answered {:?}", self.start);
        Ok(())
    }
}

impl Framing {
    /// The header that says so.
    pub fn header(self) -> String {
        match self {
            Self::Length(length) => format!("Content-Length: {length}\r\n"),
            Self::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        }
    }
}

/// Header or trailer lines up to the empty one, with names in lower case.
pub async fn fields<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    while fields.len() < MOST_LINES {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line).await? > 0, "the connection ends within a head");
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').with_context(|| format!("a line {line:?}"))?;
        fields.push((name.to_lowercase(), value.trim().to_owned()));
    }
    bail!("more than {MOST_LINES} lines")
}

/// The size of the next chunk; 0 for the last, which its trailers follow.
pub async fn chunk_size<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<u64> {
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    u64::from_str_radix(line.trim(), 16).with_context(|| format!("a chunk of size {line:?}"))
}

/// Takes a body to its end.
pub(super) async fn receive<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    framing: Framing,
    payload: &Payload,
) -> Result<()> {
    match framing {
        Framing::Length(length) => take(reader, length, payload).await?,
        Framing::Chunked => loop {
            let size = chunk_size(reader).await?;
            if size == 0 {
                fields(reader).await?;
                break;
            }
            take(reader, size, payload).await?;
            ensure!(fields(reader).await?.is_empty(), "no end of line behind a chunk");
        },
    }
    payload.check()
}

async fn take<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    mut left: u64,
    payload: &Payload,
) -> Result<()> {
    while left > 0 {
        let data = reader.fill_buf().await?;
        ensure!(!data.is_empty(), "the connection ends within a body");
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let count = data.len().min(most);
        payload.take(data.get(..count).unwrap_or_default()).await?;
        reader.consume(count);
        left -= count as u64;
    }
    Ok(())
}

/// Sends a body.
pub(super) async fn send<W: AsyncWrite + Unpin>(
    writer: &mut W,
    framing: Framing,
    payload: &Payload,
) -> Result<()> {
    let mut at = 0;
    while at < payload.total() {
        let piece = payload.piece(at);
        if framing == Framing::Chunked {
            writer.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
        }
        writer.write_all(&piece).await?;
        if framing == Framing::Chunked {
            writer.write_all(b"\r\n").await?;
        }
        payload.count_sent(piece.len());
        at += piece.len() as u64;
    }
    if framing == Framing::Chunked {
        writer.write_all(b"0\r\n\r\n").await?;
    }
    writer.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_sent_is_received() {
        for framing in [Framing::Length(300_000), Framing::Chunked] {
            let (there, mut bytes) = (Payload::new(300_000), Vec::new());
            bytes.extend(format!("POST / HTTP/1.1\r\n{}\r\n", framing.header()).into_bytes());
            send(&mut bytes, framing, &there).await.unwrap();
            let mut reader = bytes.as_slice();
            let head = Head::read(&mut reader).await.unwrap().unwrap();
            assert_eq!(
                (head.start.as_str(), head.framing().unwrap()),
                ("POST / HTTP/1.1", framing)
            );
            receive(&mut reader, framing, &there).await.unwrap();
            assert!(Head::read(&mut reader).await.unwrap().is_none());
        }
    }
}
