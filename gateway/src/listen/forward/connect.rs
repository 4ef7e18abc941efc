//! Connecting a stream to one endpoint after the other.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use headgate_config::StreamSettings;
use tokio::{
    io::Interest,
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::upstream::SharedUpstream;

/// How long one attempt may take: the reference's, which nobody can change there.
const ATTEMPT: Duration = Duration::from_secs(60);
/// How long a client that sends nothing more is still connected: it may have ended its half only, and wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// The client has left before there was a connection.
    #[error("the client has left")]
    Left {
        /// Those that were tried.
        tried: Vec<SocketAddr>,
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

/// Connects `client` to an endpoint, beginning with the one whose turn it is at `start`.
///
/// # Errors
///
/// None of those that may be tried could be connected to, or the client did not wait for it.
pub async fn tcp(
    client: &TcpStream,
    upstream: &SharedUpstream,
    start: usize,
    settings: &StreamSettings,
) -> Result<Connected, ConnectError> {
    let addresses = upstream.addresses();
    let begin = Instant::now();
    let mut tried = Vec::new();
    let mut failure = None;
    let mut left = std::pin::pin!(left(client, PATIENCE));
    for address in in_turn(&addresses, start, settings) {
        let budget = settings.next_upstream_timeout;
        if failure.is_some() && !budget.is_zero() && begin.elapsed() >= budget {
            break;
        }
        tried.push(address);
        let outcome = tokio::select! {
            biased;
            outcome = timeout(ATTEMPT, TcpStream::connect(address)) => outcome,
            () = &mut left => return Err(ConnectError::Left { tried }),
        };
        match outcome {
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

/// Ends when the client has left. Nothing of what it sends is taken.
async fn left(client: &TcpStream, patience: Duration) {
    match client.peek(&mut [0]).await {
        Err(_) => {}
        Ok(0) => sleep(patience).await,
        // Whether it ends behind what it has sent cannot be seen, but that the connection is gone can.
        Ok(_) => drop(client.ready(Interest::ERROR).await),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    /// Both ends of a connection.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_noticed_and_keeps_what_it_has_said() {
        let (client, accepted) = pair().await;
        drop(client);
        left(&accepted, Duration::ZERO).await;
        // One that breaks off behind what it has sent.
        let (mut client, accepted) = pair().await;
        client.write_all(b"hello").await.unwrap();
        accepted.readable().await.unwrap();
        client.set_zero_linger().unwrap();
        drop(client);
        left(&accepted, Duration::MAX).await;
    }

    #[tokio::test]
    async fn a_client_that_waits_has_not_left() {
        let (mut client, accepted) = pair().await;
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        accepted.readable().await.unwrap();
        let mut left = std::pin::pin!(left(&accepted, Duration::ZERO));
        let mut polled = 0;
        std::future::poll_fn(|cx| {
            polled += 1;
            assert!(left.as_mut().poll(cx).is_pending());
            cx.waker().wake_by_ref();
            if polled < 3 { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
        })
        .await;
        let mut said = [0; 5];
        assert_eq!(accepted.try_read(&mut said).unwrap(), 5, "nothing was taken");
    }

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
