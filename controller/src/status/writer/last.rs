//! What the last replica does with the statuses when it stops.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::timeout;

use super::{AT_ONCE, Writer};
use crate::{clock::now, objects::Key};

/// What a single request may take while the program stops, and everything together as long as it gets on.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(2);
const CLEAN_WITHIN: Duration = Duration::from_secs(30);

/// Why a replica may empty statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Office {
    /// It leads.
    Leads,
    /// Nobody does, if the pod that the Lease names is gone.
    Vacant {
        /// The pod; `None` if the Lease names no other.
        holder: Option<String>,
    },
}

impl Writer {
    /// Empties the statuses, if this is the last replica and nobody else serves their addresses (operations §5). Ends
    /// soon if the API server does not answer.
    pub async fn clean(&self, office: Office) {
        if !self.clean_on_shutdown {
            return;
        }
        let decision = async {
            let addresses = self.reader.read().await?;
            if addresses.len() > 1 || self.reader.has_peers().await? {
                return Ok::<_, String>(false);
            }
            match &office {
                Office::Vacant { holder: Some(pod) } => Ok(!self.reader.is_there(pod).await?),
                Office::Leads | Office::Vacant { holder: None } => Ok(true),
            }
        };
        match timeout(LAST_ANSWER_WITHIN, decision).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return,
            Ok(Err(reason)) => return tracing::warn!(reason, "the statuses stay as they are"),
            Err(_) => {
                return tracing::warn!(
                    reason = "no answer in time",
                    "the statuses stay as they are"
                );
            }
        }
        self.board.wake();
        let due = self.board.outdated(&[], now()).due;
        tracing::info!(
            ingresses = due.len(),
            "this was the last replica: the statuses are emptied"
        );
        if timeout(CLEAN_WITHIN, self.empty(due, &office)).await.is_err() {
            tracing::warn!("not all statuses could be emptied in time");
        }
    }

    /// Empties these statuses, until one cannot be because the API server does not answer.
    async fn empty(&self, ingresses: Vec<Key>, office: &Office) {
        let may_write = || *office != Office::Leads || self.leadership.is_leader();
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
