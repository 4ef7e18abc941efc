//! What the last replica does with the statuses when it stops.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::timeout;

use super::{AT_ONCE, Writer};
use crate::{clock::now, objects::Key};

/// What a single request may take while the program stops, and everything together as long as it gets on.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(2);
const CLEAN_WITHIN: Duration = Duration::from_secs(30);

impl Writer {
    /// Whether the statuses are to be emptied because this is the last replica, and nobody else serves their addresses
    /// (operations §5). If another one holds the Lease, its pod has to be gone. Says no soon if the API server does not
    /// answer.
    pub async fn is_last(&self, holder: Option<&str>) -> bool {
        if !self.clean_on_shutdown {
            return false;
        }
        let decision = async {
            let addresses = self.reader.read().await?;
            if addresses.len() > 1 || self.reader.has_peers().await? {
                return Ok::<_, String>(false);
            }
            match holder {
                Some(pod) => Ok(!self.reader.is_there(pod).await?),
                None => Ok(true),
            }
        };
        let decided = timeout(LAST_ANSWER_WITHIN, decision).await;
        decided.unwrap_or_else(|_| Err("no answer in time".into())).unwrap_or_else(|reason| {
            tracing::warn!(reason, "the statuses stay as they are");
            false
        })
    }

    /// Empties the statuses, as long as this replica leads. Ends soon if the API server does not answer.
    pub async fn clean(&self) {
        self.board.wake();
        let due = self.board.outdated(&[], now()).due;
        tracing::info!(
            ingresses = due.len(),
            "this was the last replica: the statuses are emptied"
        );
        if timeout(CLEAN_WITHIN, self.empty(due)).await.is_err() {
            tracing::warn!("not all statuses could be emptied in time");
        }
    }

    /// Empties these statuses, until one cannot be because the API server does not answer.
    async fn empty(&self, ingresses: Vec<Key>) {
        let may_write = || self.leadership.is_leader();
        let mut ingresses = ingresses.into_iter();
        let mut open = FuturesUnordered::new();
        let mut is_answering = true;
        loop {
            while is_answering
                && open.len() < AT_ONCE
                && let Some(key) = ingresses.next()
            {
                open.push(self.write(key, &[], LAST_ANSWER_WITHIN, &may_write));
            }
            let Some((ingress, written)) = open.next().await else { return };
            if let Err(failure) = written {
                tracing::warn!(%ingress, %failure, "its status is not emptied");
                is_answering &= !failure.is_passing();
            }
        }
    }
}
