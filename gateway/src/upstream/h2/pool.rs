//! The connections of HTTP/2 that a worker has to one endpoint.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::connection::{Connection, Slot};
use crate::{
    error::ProxyError,
    upstream::pool::{Endpoint, KeepAlive},
};

/// Connections to one endpoint at most. When they are full streams wait for each other.
const MOST_CONNECTIONS: usize = 32;

/// The connections to one endpoint.
#[derive(Default)]
pub struct Pool {
    connections: RefCell<Vec<Rc<Connection>>>,
    /// Somebody makes a connection; others wait for it.
    is_connecting: Cell<bool>,
    connected: Notify,
    /// Told when a stream ends.
    room: Rc<Notify>,
}

/// Somebody makes a connection.
struct Connecting<'a>(&'a Pool);

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        self.0.is_connecting.set(false);
        self.0.connected.notify_waiters();
    }
}

impl Pool {
    /// A stream over one of them, or over a new one, within `limit`; whether the connection was there already. Where there
    /// can be neither it waits until another stream ends.
    pub async fn stream(
        &self,
        endpoint: &Endpoint,
        limits: &KeepAlive,
        limit: Duration,
    ) -> Result<(Slot, bool), ProxyError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(slot) = self.take(limits) {
                return Ok((slot, true));
            }
            let is_full = self.connections.borrow().len() >= MOST_CONNECTIONS;
            if !is_full && !self.is_connecting.get() {
                break;
            }
            let told = async {
                tokio::select! {
                    () = self.connected.notified() => {}
                    () = self.room.notified(), if is_full => {}
                }
            };
            timeout_at(deadline, told).await.map_err(|_| ProxyError::ConnectTimeout)?;
        }
        self.is_connecting.set(true);
        let _connecting = Connecting(self);
        let left = deadline.saturating_duration_since(Instant::now());
        let made = async { Connection::new(endpoint.wire(left).await?, &self.room).await };
        let made = timeout_at(deadline, made).await;
        let connection = made.map_err(|_| ProxyError::ConnectTimeout)??;
        let slot = connection.slot();
        if limits.connections > 0 && !endpoint.is_retired() {
            self.connections.borrow_mut().push(connection);
        }
        Ok((slot, false))
    }

    fn take(&self, limits: &KeepAlive) -> Option<Slot> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| connection.is_usable(limits));
        connections.iter().find(|connection| connection.has_room()).map(Connection::slot)
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty()
    }

    /// Lets go of those that carried nothing for `limit`.
    pub fn sweep(&self, limit: Duration) {
        self.connections.borrow_mut().retain(|connection| !connection.is_idle_for(limit));
    }

    /// Lets go of all. Streams that there are go on.
    pub fn clear(&self) {
        self.connections.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tokio::{net::TcpListener, task::LocalSet};

    use super::*;
    use crate::upstream::pool::IdleCount;

    const LIMITS: KeepAlive =
        KeepAlive { connections: 1, requests: u64::MAX, age: Duration::from_secs(3600) };
    const LONG: Duration = Duration::from_secs(60);

    /// Runs it with an endpoint that answers nothing. Clients of HTTP/2 speak first.
    async fn with_endpoint(test: impl AsyncFnOnce(&Endpoint)) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::new(listener.local_addr().unwrap(), IdleCount::default());
        LocalSet::new().run_until(test(&endpoint)).await;
    }

    #[tokio::test]
    async fn where_all_connections_are_full_a_stream_waits_for_another_to_end() {
        with_endpoint(async |endpoint| {
            let pool = Pool::default();
            let mut slots = Vec::new();
            loop {
                match pool.stream(endpoint, &LIMITS, Duration::from_millis(300)).await {
                    Ok((slot, _)) => slots.push(slot),
                    Err(error) => {
                        assert_eq!(error, ProxyError::ConnectTimeout);
                        break;
                    }
                }
                assert!(slots.len() <= MOST_CONNECTIONS * 100);
            }
            assert_eq!(pool.connections.borrow().len(), MOST_CONNECTIONS);
            let (taken, ()) = tokio::join!(pool.stream(endpoint, &LIMITS, LONG), async {
                tokio::task::yield_now().await;
                slots.pop();
            });
            assert!(taken.is_ok_and(|(_, is_old)| is_old));
        })
        .await;
    }

    #[tokio::test]
    async fn streams_that_a_peer_does_not_take_yet_leave_the_connection_as_it_is() {
        with_endpoint(async |endpoint| {
            let pool = Pool::default();
            let (slot, _) = pool.stream(endpoint, &LIMITS, LONG).await.unwrap();
            let request = || Request::get("http://a.test/").body(()).unwrap();
            let mut sent = Vec::new();
            for number in 0..110 {
                sent.push(slot.send(request(), true));
                assert!(sent[number].is_ok(), "{number}");
                // The connection opens it, if it may.
                tokio::task::yield_now().await;
            }
            assert!(pool.take(&LIMITS).is_some());
        })
        .await;
    }
}
