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

/// Connections to one endpoint at most. Behind them streams wait for each other.
const MOST_CONNECTIONS: usize = 32;

/// The connections to one endpoint.
#[derive(Default)]
pub struct Pool {
    connections: RefCell<Vec<Rc<Connection>>>,
    /// Somebody makes a connection; others wait for it.
    is_connecting: Cell<bool>,
    connected: Notify,
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
    /// A stream over one of them, or over a new one, within `limit`; whether the connection was there already.
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
            if !self.is_connecting.get() {
                break;
            }
            let connected = self.connected.notified();
            timeout_at(deadline, connected).await.map_err(|_| ProxyError::ConnectTimeout)?;
        }
        self.is_connecting.set(true);
        let _connecting = Connecting(self);
        let left = deadline.saturating_duration_since(Instant::now());
        let made = async { Connection::new(endpoint.wire(left).await?).await };
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
        let free = connections.iter().find(|connection| connection.has_room());
        let is_full = connections.len() >= MOST_CONNECTIONS;
        let least = || connections.iter().min_by_key(|connection| connection.streams());
        free.or_else(|| least().filter(|_| is_full)).map(Connection::slot)
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
