//! What all loops that accept connections share.

use std::{io, time::Duration};

use tokio::{task::JoinSet, time::sleep};

/// Before it is tried again to accept, which fails for lack of descriptors, for example.
const RETRY: Duration = Duration::from_millis(20);

/// The connections of a listener. They end with it.
#[derive(Debug, Default)]
pub struct Connections(JoinSet<()>);

impl Connections {
    /// Waits for one attempt to accept; `None` if it has failed, after a while.
    pub async fn accepted<C>(&mut self, attempt: impl Future<Output = io::Result<C>>) -> Option<C> {
        let accepted = attempt.await;
        if accepted.is_err() {
            sleep(RETRY).await;
        }
        while self.0.try_join_next().is_some() {}
        accepted.ok()
    }

    /// Serves one beside the others.
    pub fn serve(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }
}
