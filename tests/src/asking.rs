//! A client that asks as fast as it can until an answer is another one.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::net::TcpStream;

use crate::client::Connection;

/// Asks over one keep-alive connection, which is made anew only if the server closes it.
pub struct Asking {
    address: SocketAddr,
    limit: Duration,
    connection: Option<Connection<TcpStream>>,
}

impl Asking {
    /// Asks an address, for each answer not longer than `limit`.
    pub fn new(address: SocketAddr, limit: Duration) -> Self {
        Self { address, limit, connection: None }
    }

    /// Asks until the echo upstream `wanted` answers; gives the time since `begin`.
    ///
    /// # Errors
    ///
    /// If it has not answered within the limit, or a request fails.
    pub async fn until(
        &mut self,
        begin: Instant,
        host: &str,
        target: &str,
        wanted: &str,
    ) -> Result<Duration> {
        let expected = format!("{wanted} {target}\n");
        let mut seen = String::new();
        while begin.elapsed() < self.limit {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => Connection::open(self.address).await?,
            };
            let answer = connection.get(host, target).await?;
            if !answer.close {
                self.connection = Some(connection);
            }
            seen = format!("{} {}", answer.status, answer.text());
            if answer.status == 200 && answer.text() == expected {
                return Ok(begin.elapsed());
            }
        }
        let limit = self.limit;
        bail!("{host}{target} still answers {seen:?} instead of {expected:?} after {limit:?}")
    }
}
