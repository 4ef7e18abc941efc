//! Bytes between two TCP connections, both ways, until both directions have ended. While nothing moves no memory is held
//! for it.

use std::{
    cell::Cell,
    io,
    net::Shutdown,
    time::{Duration, Instant},
};

use socket2::SockRef;
use tokio::{net::TcpStream, task::consume_budget, time::sleep};

/// How long one half of a connection may be silent whose other half has ended.
pub const HALF_SILENCE: Duration = Duration::from_secs(600);
/// Bytes that are moved in one go.
const PORTION: usize = 16 * 1024;

/// What has moved so far.
#[derive(Debug)]
pub struct Moved {
    /// Bytes from the client.
    pub received: Cell<u64>,
    /// Bytes to the client.
    pub sent: Cell<u64>,
    last: Cell<Instant>,
    /// Whether one direction has ended.
    is_half: Cell<bool>,
}

impl Default for Moved {
    fn default() -> Self {
        Self {
            received: Cell::new(0),
            sent: Cell::new(0),
            last: Cell::new(Instant::now()),
            is_half: Cell::new(false),
        }
    }
}

/// How long a pair of connections may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// While both directions are open; `None` is forever.
    pub silence: Option<Duration>,
    /// When one of them has ended.
    pub half_silence: Duration,
}

/// Moves bytes until both ends are done, one fails, or they were silent for too long.
pub async fn pump(client: &TcpStream, upstream: &TcpStream, limits: Limits, moved: &Moved) {
    moved.last.set(Instant::now());
    let both = async {
        tokio::try_join!(
            one_way(client, upstream, &moved.received, moved),
            one_way(upstream, client, &moved.sent, moved),
        )
    };
    tokio::select! {
        biased;
        _ = both => {}
        () = silence(limits, moved) => {}
    }
}

/// Ends when nothing has moved for too long.
async fn silence(limits: Limits, moved: &Moved) {
    loop {
        let whole = limits.silence.unwrap_or(Duration::MAX);
        let limit = if moved.is_half.get() { whole.min(limits.half_silence) } else { whole };
        let silent = moved.last.get().elapsed();
        let Some(left) = limit.checked_sub(silent).filter(|left| !left.is_zero()) else { return };
        // Whether a half has ended is looked at from time to time.
        sleep(left.min(limits.half_silence)).await;
    }
}

async fn one_way(
    from: &TcpStream,
    to: &TcpStream,
    count: &Cell<u64>,
    moved: &Moved,
) -> io::Result<()> {
    loop {
        from.readable().await?;
        let step = step(from, to);
        moved.last.set(Instant::now());
        match step {
            Step::Moved(bytes) => count.set(count.get() + bytes as u64),
            Step::Stuck(rest, bytes) => {
                count.set(count.get() + bytes as u64);
                write_all(to, &rest, count, moved).await?;
            }
            Step::Nothing => {}
            Step::End => {
                moved.is_half.set(true);
                // The other side learns it; should it be gone its own direction says so.
                let _ = SockRef::from(to).shutdown(Shutdown::Write);
                return Ok(());
            }
            Step::Failed(error) => return Err(error),
        }
        // Two that are always ready must not keep the others of the thread waiting.
        consume_budget().await;
    }
}

enum Step {
    Moved(usize),
    /// So many bytes were taken, and these not yet.
    Stuck(Vec<u8>, usize),
    Nothing,
    End,
    Failed(io::Error),
}

fn step(from: &TcpStream, to: &TcpStream) -> Step {
    let mut buffer = [0; PORTION];
    let bytes = match from.try_read(&mut buffer) {
        Ok(0) => return Step::End,
        Ok(count) => &buffer[..count],
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Nothing,
        Err(error) => return Step::Failed(error),
    };
    match to.try_write(bytes) {
        Ok(taken) if taken == bytes.len() => Step::Moved(taken),
        Ok(taken) => Step::Stuck(bytes[taken..].to_vec(), taken),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Step::Stuck(bytes.to_vec(), 0),
        Err(error) => Step::Failed(error),
    }
}

async fn write_all(
    to: &TcpStream,
    mut rest: &[u8],
    count: &Cell<u64>,
    moved: &Moved,
) -> io::Result<()> {
    while !rest.is_empty() {
        to.writable().await?;
        match to.try_write(rest) {
            Ok(taken) => {
                rest = &rest[taken..];
                count.set(count.get() + taken as u64);
                moved.last.set(Instant::now());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
