use std::{sync::mpsc::channel, time::Duration};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    request::mock::Server,
    run::replica::{INGRESS, LEASE, put_ingress, put_pod, write_back},
};

const SECOND: Duration = Duration::from_secs(1);

/// The only replica, which leads and has written the status of the Ingress that it serves.
struct Replica {
    server: Server,
    role: Role,
    commands: mpsc::UnboundedSender<Command>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Replica {
    async fn that_leads() -> Self {
        let server = Server::default();
        put_ingress(&server);
        put_pod(&server, "pod-1");
        let (board, role) = (Arc::<Board>::default(), Role::default());
        let key = Key::new("a", "i");
        board.set_published(&key, vec![]);
        board.set_served(&key, true);
        role.set(Part::Takes);
        let link = Link {
            // Nobody listens: what the watches see does not matter here.
            signals: channel().0,
            scope: NamespaceScope::All,
            config_maps: Vec::new(),
            back: Back {
                write_back: write_back("pod-1"),
                board,
                role: role.clone(),
                leadership: Arc::default(),
                queue: Arc::default(),
            },
        };
        let connection = Connection {
            client: server.client(),
            streams_lists: false,
            knows_classes: true,
            zone: None,
        };
        let (commands, commanded) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(link.serve(connection, commanded, stopped));
        tokio::time::sleep(3 * SECOND).await;
        assert_eq!(holder(&server), "pod-1");
        assert!(is_published(&server));
        Self { server, role, commands, stop, task }
    }
}

fn holder(server: &Server) -> Value {
    server.object(LEASE).unwrap()["spec"]["holderIdentity"].clone()
}

fn is_published(server: &Server) -> bool {
    let status = &server.object(INGRESS).unwrap()["status"]["loadBalancer"]["ingress"];
    *status == json!([{"ip": "192.0.2.1"}])
}

#[tokio::test(start_paused = true)]
async fn the_death_of_the_other_thread_gives_up_the_lease_and_leaves_the_status() {
    let Replica { server, role, commands, stop, task } = Replica::that_leads().await;
    drop(commands);
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(holder(&server), Value::Null);
    assert!(is_published(&server));
    // The owner notices, and ends the process, which whoever supervises it starts anew.
    role.set(Part::Resigns);
    stop.send(()).unwrap();
    task.await.unwrap();
    assert!(is_published(&server));
}

#[tokio::test(start_paused = true)]
async fn who_is_stopped_empties_the_status_though_the_other_thread_ends_at_the_same_time() {
    let Replica { server, commands, stop, task, .. } = Replica::that_leads().await;
    stop.send(()).unwrap();
    drop(commands);
    task.await.unwrap();
    assert!(!is_published(&server));
    assert_eq!(holder(&server), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn who_resigns_empties_the_status_and_is_followed_on() {
    let Replica { server, role, commands, stop, task } = Replica::that_leads().await;
    role.set(Part::Resigns);
    tokio::time::sleep(10 * SECOND).await;
    assert!(!is_published(&server) && !task.is_finished() && !commands.is_closed());
    stop.send(()).unwrap();
    task.await.unwrap();
}
