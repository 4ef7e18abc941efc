//! The side that talks to the API server, on a thread and a runtime of its own: follows what the controller needs, and
//! writes back what it has to say.

use std::sync::{Arc, mpsc::Sender};

use futures_util::future::OptionFuture;
use tokio::sync::{
    mpsc,
    oneshot::{self, error::TryRecvError},
};

use super::{
    super::duty::{Duty, Part, Role, WriteBack},
    Progress, Signal,
};
use crate::{
    events::{self, Queue},
    leader::Leadership,
    objects::{Key, Kind},
    options::{NamespaceScope, NamespacedName},
    source::cluster::{Access, ClusterError, Connection, Watches, Wish},
    status::Board,
};

/// What the controller's thread asks of the thread that talks to the API server.
pub enum Command {
    /// It is known which Secrets anybody asks for.
    FollowSecrets,
    /// Read this Secret.
    Fetch(Key),
    /// Follow a ConfigMap that an Ingress names, or no longer.
    Map(Wish),
    /// Say when the API server answers again.
    Probe,
}

/// What is written back.
pub struct Back {
    /// What is asked for.
    pub write_back: WriteBack,
    /// Which statuses there are.
    pub board: Arc<Board>,
    /// Which part this replica takes.
    pub role: Role,
    /// Is told whether it leads.
    pub leadership: Arc<Leadership>,
    /// The events that wait to be posted.
    pub queue: Arc<Queue>,
}

/// The side that talks to the API server.
pub struct Link {
    /// Who is told what there is.
    pub signals: Sender<Signal>,
    /// The namespaces that are followed.
    pub scope: NamespaceScope,
    /// The ConfigMaps that are followed whether anybody names them or not.
    pub config_maps: Vec<NamespacedName>,
    /// What is written back.
    pub back: Back,
}

impl Link {
    /// Runs until it is stopped. Says whether it is `known` where the API server is.
    pub fn run(
        self,
        access: Access,
        known: Sender<Result<(), ClusterError>>,
        progress: impl Fn(Progress),
        commands: mpsc::UnboundedReceiver<Command>,
        stopped: oneshot::Receiver<()>,
    ) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                runtime.block_on(self.talk(access, known, progress, commands, stopped));
            }
            Err(error) => drop(known.send(Err(ClusterError::Thread(error)))),
        }
    }

    async fn talk(
        self,
        access: Access,
        known: Sender<Result<(), ClusterError>>,
        progress: impl Fn(Progress),
        commands: mpsc::UnboundedReceiver<Command>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let client = match access.client().await {
            Ok(client) => client,
            Err(error) => return drop(known.send(Err(error))),
        };
        let _ = known.send(Ok(()));
        let connect = Connection::open(client, &access, |reason| {
            tracing::warn!("{reason}");
            progress(Progress::Waiting(reason));
        });
        let connection = tokio::select! {
            connection = connect => connection,
            _ = &mut stopped => return,
        };
        self.serve(connection, commands, stopped).await;
    }

    /// Follows and writes back until it is stopped. If nobody commands any more before that, the other thread has died:
    /// then the last state is served on, so that statuses stay, and only the Lease is given up.
    async fn serve(
        self,
        connection: Connection,
        commands: mpsc::UnboundedReceiver<Command>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let Self { signals, scope, config_maps, back } = self;
        let Back { write_back, board, role, leadership, queue } = back;
        let client = || connection.client.clone();
        let duty = Duty::new(client(), &write_back, board, leadership);
        let duty = OptionFuture::from(duty.map(|duty| duty.run(role.clone())));
        let post = events::post(client(), queue);
        let follow = async {
            let is_stopped = tokio::select! {
                () = follow(connection, signals, scope, config_maps, commands) => false,
                // Without events the queue stays empty.
                () = post => false,
                _ = &mut stopped => true,
            };
            // Whoever stops both threads tells this one first.
            if !is_stopped && stopped.try_recv() == Err(TryRecvError::Empty) {
                tracing::error!("the controller's thread has died: statuses stay as they are");
                role.set(Part::StandsBy);
                let _ = stopped.await;
            }
            role.set(Part::Resigns);
        };
        tokio::join!(follow, duty);
    }
}

async fn follow(
    connection: Connection,
    signals: Sender<Signal>,
    scope: NamespaceScope,
    config_maps: Vec<NamespacedName>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let knows_classes = connection.knows_classes;
    // The controller's thread may have ended.
    let _ = signals.send(Signal::Connected(connection.clone()));
    let needs_namespaces = matches!(scope, NamespaceScope::Labelled(_));
    let sink = move |feed| drop(signals.send(Signal::Fed(feed)));
    let mut watches = Watches::new(connection, scope, sink);
    if knows_classes {
        watches.follow(Kind::IngressClass);
    } else {
        watches.follow_classes_when_allowed();
    }
    if needs_namespaces {
        watches.follow(Kind::Namespace);
    }
    for kind in [Kind::Ingress, Kind::Service, Kind::EndpointSlice] {
        watches.follow(kind);
    }
    for map in &config_maps {
        watches.follow_config_map(map);
    }
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            () = watches.next_end() => continue,
        };
        match command {
            Some(Command::FollowSecrets) => watches.follow(Kind::Secret),
            Some(Command::Fetch(secret)) => watches.fetch_secret(secret),
            Some(Command::Map(Wish::Follow(key))) => {
                watches.follow_config_map(&NamespacedName {
                    namespace: key.namespace().into(),
                    name: key.name().into(),
                });
            }
            Some(Command::Map(Wish::Forget(key))) => watches.forget_config_map(&key),
            Some(Command::Probe) => watches.probe(),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
