//! Connecting a stream to one endpoint after the other.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use headgate_config::StreamSettings;
use tokio::{net::TcpStream, time::timeout};

use crate::upstream::SharedUpstream;

/// How long one attempt may take: the reference's, which nobody can change there.
const ATTEMPT: Duration = Duration::from_secs(60);

/// A connection to an endpoint.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: TcpStream,
    /// Those that were tried, the last one with success.
    pub tried: Vec<SocketAddr>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no endpoint.
    #[error("there is no endpoint")]
    Empty,
    /// The last attempt failed.
    #[error("{}: {error}", tried.last().map(SocketAddr::to_string).unwrap_or_default())]
    Failed {
        /// Those that were tried.
        tried: Vec<SocketAddr>,
        /// Why the last one failed.
        error: io::Error,
    },
}

/// Endpoints in turn, as many as may be tried.
pub fn in_turn(
    addresses: &[SocketAddr],
    start: usize,
    settings: &StreamSettings,
) -> impl Iterator<Item = SocketAddr> {
    let most = match (settings.next_upstream, settings.next_upstream_tries) {
        (false, _) => 1,
        (true, 0) => usize::MAX,
        (true, tries) => tries as usize,
    };
    let count = addresses.len();
    (0..count.min(most)).map(move |number| addresses[start.wrapping_add(number) % count])
}

/// Connects to an endpoint, beginning with the one whose turn it is at `start`.
///
/// # Errors
///
/// None of those that may be tried could be connected to.
pub async fn tcp(
    upstream: &SharedUpstream,
    start: usize,
    settings: &StreamSettings,
) -> Result<Connected, ConnectError> {
    let addresses = upstream.addresses();
    let begin = Instant::now();
    let mut tried = Vec::new();
    let mut failure = None;
    for address in in_turn(&addresses, start, settings) {
        let budget = settings.next_upstream_timeout;
        if failure.is_some() && !budget.is_zero() && begin.elapsed() >= budget {
            break;
        }
        tried.push(address);
        match timeout(ATTEMPT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Only a latency hint: without it the connection still works.
                let _ = stream.set_nodelay(true);
                return Ok(Connected { stream, tried });
            }
            Ok(Err(error)) => failure = Some(error),
            Err(_) => failure = Some(io::ErrorKind::TimedOut.into()),
        }
    }
    match failure {
        Some(error) => Err(ConnectError::Failed { tried, error }),
        None => Err(ConnectError::Empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_take_turns_and_are_tried_once_each() {
        let addresses: Vec<SocketAddr> =
            (1..=3).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let ports = |start, next_upstream, next_upstream_tries| {
            let settings =
                StreamSettings { next_upstream, next_upstream_tries, ..StreamSettings::default() };
            let turn = in_turn(&addresses, start, &settings);
            turn.map(|address| address.port()).collect::<Vec<_>>()
        };
        assert_eq!(ports(1, true, 3), [2, 3, 1]);
        assert_eq!(ports(2, true, 2), [3, 1]);
        assert_eq!(ports(0, true, 0), [1, 2, 3]);
        assert_eq!(ports(4, false, 3), [2]);
        assert_eq!(ports(usize::MAX, true, 9).len(), 3);
        assert_eq!(in_turn(&[], 7, &StreamSettings::default()).count(), 0);
    }
}
