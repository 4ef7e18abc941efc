//! What only one replica does, or none: the order in which a replica stands by, is elected, writes, and gives it back.

use std::{sync::Arc, time::Duration};

use kube::Client;
use tokio::sync::watch;

use crate::{
    leader::{Election, Elector, Leadership},
    options::NamespacedName,
    status::{Board, StatusSettings, Writer},
};

/// What a replica that does not lead may take, when it stops, to find out whether it is the last one and to take the Lease.
const SUCCEED_WITHIN: Duration = Duration::from_secs(4);

/// What is written back to the cluster.
#[derive(Clone, Debug)]
pub struct WriteBack {
    /// The pod that this is (`POD_NAMESPACE`, `POD_NAME`). Without one there is no election, and no status is written.
    pub pod: Option<NamespacedName>,
    /// How the one is elected who writes statuses; `None` is nobody (`--disable-leader-election`).
    pub election: Option<Election>,
    /// What is written into the statuses.
    pub status: StatusSettings,
    /// Stand by, unless the ConfigMap says otherwise (`--standby`).
    pub standby: bool,
    /// Whether events are posted (`--disable-sync-events` is no).
    pub events: bool,
}

/// Whether this replica may do what only one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The ConfigMap has not been read yet. Nothing is done until then.
    Undecided,
    /// It serves, and leaves Lease and statuses alone.
    StandsBy,
    /// It takes part in the election, and writes if it is elected.
    Takes,
    /// It stops for good.
    Resigns,
}

/// Says which part this replica takes. Once it has resigned, that is final.
#[derive(Clone, Debug)]
pub struct Role(Arc<watch::Sender<Part>>);

impl Default for Role {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Part::Undecided)))
    }
}

impl Role {
    /// Changes it, unless this replica has resigned.
    pub fn set(&self, part: Part) {
        self.0.send_if_modified(|now| {
            let changes = *now != Part::Resigns && *now != part;
            if changes {
                *now = part;
            }
            changes
        });
    }

    /// Follows it.
    pub fn follow(&self) -> watch::Receiver<Part> {
        self.0.subscribe()
    }
}

/// Does what only one replica does, while it is its turn.
pub struct Duty {
    elector: Elector,
    /// `None` if no status is to be written.
    writer: Option<Writer>,
}

impl Duty {
    /// The duty of this replica; `None` if it never has one.
    pub fn new(
        client: Client,
        write_back: &WriteBack,
        board: Arc<Board>,
        leadership: Arc<Leadership>,
    ) -> Option<Self> {
        let election = write_back.election.as_ref()?;
        let Some(pod) = &write_back.pod else {
            tracing::info!(
                "POD_NAME or POD_NAMESPACE is not set: this replica takes no part in the election and writes no status"
            );
            return None;
        };
        let writer = write_back.status.update.then(|| {
            let (client, leadership) = (client.clone(), Arc::clone(&leadership));
            Writer::new(client, &write_back.status, pod.clone(), board, leadership)
        });
        Some(Self { elector: Elector::new(client, election, pod, leadership), writer })
    }

    /// Follows the role until it is to resign; returns when everything is given back. Takes no longer than a few
    /// seconds for that if the API server does not answer.
    pub async fn run(mut self, role: Role) {
        let mut role = role.follow();
        loop {
            let part = *role.borrow_and_update();
            match part {
                Part::Undecided => changed(&mut role, part).await,
                Part::StandsBy => {
                    tracing::info!("standing by: no election, no status");
                    changed(&mut role, part).await;
                }
                Part::Takes => {
                    tokio::select! {
                        () = self.take_turns() => {}
                        () = changed(&mut role, part) => {}
                    }
                    if *role.borrow() == Part::Resigns {
                        self.clean().await;
                    }
                    self.elector.release().await;
                }
                Part::Resigns => return,
            }
        }
    }

    /// Is elected, writes, loses, and so on. Never ends. Dropped, it may leave behind a write that is on its way, which
    /// changes nothing that somebody else has written by then.
    async fn take_turns(&mut self) {
        loop {
            self.elector.campaign().await;
            tokio::select! {
                () = self.elector.hold() => {}
                () = async {
                    match &self.writer {
                        Some(writer) => writer.run().await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    /// Leaves the statuses as a replica does that stops. The last one empties them though it does not lead, as when the
    /// leader has just gone without releasing the Lease (operations §5); but never while a leader is there. It takes the
    /// Lease for that, so that a replica that starts meanwhile waits until it is done.
    async fn clean(&mut self) {
        let Some(writer) = &self.writer else { return };
        if !self.elector.leads() {
            match tokio::time::timeout(SUCCEED_WITHIN, succeed(&mut self.elector, writer)).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return,
                Ok(Err(reason)) => return stays(&reason),
                Err(_) => return stays("no answer in time"),
            }
            return tokio::select! {
                () = self.elector.hold() => {}
                () = writer.clean() => {}
            };
        }
        tokio::select! {
            () = self.elector.hold() => {}
            () = async {
                if writer.is_last(None).await {
                    writer.clean().await;
                }
            } => {}
        }
    }
}

/// Takes the Lease for the last replica, if this is it and nobody leads; says whether it has.
async fn succeed(elector: &mut Elector, writer: &Writer) -> Result<bool, String> {
    let holder = elector.other_holder().await?;
    Ok(writer.is_last(holder.as_deref()).await && elector.take_over().await?)
}

fn stays(reason: &str) {
    tracing::warn!(reason, "the statuses stay as they are");
}

/// Returns when the role is another one.
async fn changed(role: &mut watch::Receiver<Part>, part: Part) {
    if role.wait_for(|now| *now != part).await.is_err() {
        // Nobody is left who could change it.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
