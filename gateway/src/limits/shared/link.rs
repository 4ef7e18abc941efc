//! What requests know of the way to the store: whether it can be asked, and over which connection.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::{sync::watch, time};

use super::script;
use crate::limits::Paces;

/// The way to the store.
pub struct Link(watch::Sender<State>);

/// Whether the store can be asked.
pub enum State {
    /// Nobody knows yet.
    Starting,
    /// It has answered over this connection; the number tells it from others.
    Up(u64, MultiplexedConnection),
    /// It has failed somebody, for this reason.
    Down(String),
}

impl Default for Link {
    fn default() -> Self {
        Self(watch::Sender::new(State::Starting))
    }
}

impl Link {
    /// Whether the client with this key may make a request, which is counted if so. Nothing if that cannot be said
    /// within `limit`: then nobody else asks until the link is open again.
    pub async fn take(&self, key: &str, paces: &Paces, limit: Duration) -> Option<bool> {
        let mut number = None;
        let asked = time::timeout(limit, async {
            let (of, mut connection) = self.connection().await?;
            number = Some(of);
            Some(script::take(&mut connection, key, paces).await)
        });
        let reason = match asked.await {
            Ok(None) => return None,
            Ok(Some(Ok(passes))) => return Some(passes),
            Ok(Some(Err(error))) => error.to_string(),
            Err(_) => format!("no answer within {limit:?}"),
        };
        self.fail(number, reason);
        None
    }

    /// The connection. Waits only while nobody knows whether there is one.
    async fn connection(&self) -> Option<(u64, MultiplexedConnection)> {
        let opened = |state: &State| match state {
            State::Up(number, connection) => Some((*number, connection.clone())),
            State::Starting | State::Down(_) => None,
        };
        let is_known = |state: &State| !matches!(state, State::Starting);
        {
            let state = self.0.borrow();
            if is_known(&state) {
                return opened(&state);
            }
        }
        let mut states = self.0.subscribe();
        let known = states.wait_for(is_known).await;
        opened(&*known.ok()?)
    }

    /// Nobody keeps the link open any more, for this reason.
    pub fn give_up(&self, reason: String) {
        self.0.send_replace(State::Down(reason));
    }

    /// The store can be asked over this connection.
    pub fn open(&self, number: u64, connection: MultiplexedConnection) {
        self.0.send_replace(State::Up(number, connection));
    }

    /// Notes a failure of the connection with this number, or of the wait for the first one. One that is not in use any
    /// more changes nothing.
    pub fn fail(&self, number: Option<u64>, reason: String) {
        self.0.send_if_modified(|state| {
            let current = match state {
                State::Starting => None,
                State::Up(number, _) => Some(*number),
                State::Down(_) => return false,
            };
            let is_current = current == number;
            if is_current {
                *state = State::Down(reason);
            }
            is_current
        });
    }

    /// Whether the store can be asked.
    pub fn is_up(&self) -> bool {
        matches!(*self.0.borrow(), State::Up(..))
    }

    /// Waits until it cannot be asked any more; the reason.
    pub async fn failure(&self) -> String {
        let mut states = self.0.subscribe();
        let down = states.wait_for(|state| matches!(state, State::Down(_))).await;
        match down.as_deref() {
            Ok(State::Down(reason)) => reason.clone(),
            // The sender is `self`.
            _ => String::new(),
        }
    }
}
