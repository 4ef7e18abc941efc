use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::Instant};

use super::*;
use crate::{
    objects::Key,
    request::mock::{Fate, Server},
    run::replica::{INGRESS, LEASE, put_ingress, put_pod, write_back},
    status::Address,
};

const SECOND: Duration = Duration::from_secs(1);

/// A replica that serves one Ingress.
struct Replica {
    role: Role,
    leadership: Arc<Leadership>,
    task: JoinHandle<()>,
}

fn start(server: &Server, name: &str) -> Replica {
    start_with(server, name, vec![])
}

/// One that has read these addresses in the status.
fn start_with(server: &Server, name: &str, published: Vec<Address>) -> Replica {
    let (board, role) = (Arc::<Board>::default(), Role::default());
    let leadership = Arc::<Leadership>::default();
    let key = Key::new("a", "i");
    board.set_published(&key, published);
    board.set_served(&key, true);
    put_pod(server, name);
    let (client, led) = (server.client(), Arc::clone(&leadership));
    let duty = Duty::new(client, &write_back(name), board, led).unwrap();
    let task = tokio::spawn(duty.run(role.clone()));
    Replica { role, leadership, task }
}

fn server() -> Server {
    let server = Server::default();
    put_ingress(&server);
    server
}

fn status(server: &Server) -> Value {
    server.object(INGRESS).unwrap()["status"]["loadBalancer"]["ingress"].clone()
}

async fn settle() {
    tokio::time::sleep(3 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_before_the_role_is_known_or_while_standing_by() {
    let server = server();
    let replica = start(&server, "pod-1");
    settle().await;
    replica.role.set(Part::StandsBy);
    tokio::time::sleep(300 * SECOND).await;
    assert!(server.take_log().is_empty());
    replica.task.abort();
}

#[tokio::test(start_paused = true)]
async fn promoted_it_leads_and_writes_and_rolled_back_it_leaves_the_status() {
    let server = server();
    let replica = start(&server, "pod-1");
    replica.role.set(Part::Takes);
    settle().await;
    assert!(replica.leadership.is_leader());
    assert_eq!(status(&server), json!([{"ip": "192.0.2.1"}]));

    replica.role.set(Part::StandsBy);
    settle().await;
    assert!(!replica.leadership.is_leader());
    assert_eq!(server.object(LEASE).unwrap()["spec"]["holderIdentity"], Value::Null);
    assert_eq!(status(&server), json!([{"ip": "192.0.2.1"}]));
    server.take_log();
    tokio::time::sleep(300 * SECOND).await;
    assert!(server.take_log().is_empty());

    replica.role.set(Part::Takes);
    settle().await;
    assert!(replica.leadership.is_leader());
    replica.task.abort();
}

#[tokio::test(start_paused = true)]
async fn the_leader_that_stops_hands_over_and_leaves_the_status_to_the_other() {
    let server = server();
    let (first, second) = (start(&server, "pod-1"), start(&server, "pod-2"));
    first.role.set(Part::Takes);
    settle().await;
    second.role.set(Part::Takes);
    settle().await;
    assert!(first.leadership.is_leader() && !second.leadership.is_leader());

    first.role.set(Part::Resigns);
    first.task.await.unwrap();
    settle().await;
    assert!(second.leadership.is_leader());
    assert_eq!(status(&server), json!([{"ip": "192.0.2.1"}]));
    second.task.abort();
}

#[tokio::test(start_paused = true)]
async fn the_last_one_empties_the_status_and_releases_the_lease() {
    let server = server();
    let replica = start(&server, "pod-1");
    replica.role.set(Part::Takes);
    settle().await;
    replica.role.set(Part::Resigns);
    replica.role.set(Part::Takes);
    replica.task.await.unwrap();
    assert_eq!(status(&server), Value::Null);
    assert_eq!(server.object(LEASE).unwrap()["spec"]["holderIdentity"], Value::Null);
}

/// A status and a Lease as a leader leaves them that is killed.
fn leave_behind(server: &Server) {
    let status = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
    let metadata = json!({"name": "i", "namespace": "a"});
    server.put(INGRESS, json!({"metadata": metadata, "spec": {}, "status": status}));
    let spec = json!({"holderIdentity": "pod-0", "leaseDurationSeconds": 30});
    server.put(LEASE, json!({"metadata": {"name": "the-leader"}, "spec": spec}));
}

#[tokio::test(start_paused = true)]
async fn the_last_one_empties_the_status_though_it_does_not_lead_yet() {
    let server = server();
    leave_behind(&server);
    let replica = start_with(&server, "pod-1", Address::list("192.0.2.1"));
    replica.role.set(Part::Takes);
    settle().await;
    assert!(!replica.leadership.is_leader());
    // Whoever starts meanwhile finds the Lease taken.
    let holder = Arc::<Mutex<Value>>::default();
    let (seen, shared) = (server.clone(), Arc::clone(&holder));
    server.decide(move |line| {
        if line == format!("PUT {INGRESS}/status") {
            *shared.lock() = seen.object(LEASE).unwrap()["spec"]["holderIdentity"].clone();
        }
        Fate::Serve
    });
    replica.role.set(Part::Resigns);
    replica.task.await.unwrap();
    assert_eq!(status(&server), Value::Null);
    assert_eq!(*holder.lock(), "pod-1");
    assert_eq!(server.object(LEASE).unwrap()["spec"]["holderIdentity"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_the_lease_before_the_last_one_does_keeps_the_status() {
    let server = server();
    leave_behind(&server);
    let replica = start_with(&server, "pod-1", Address::list("192.0.2.1"));
    replica.role.set(Part::Takes);
    settle().await;
    let seen = server.clone();
    server.decide(move |line| {
        if line.ends_with("/pods/pod-0") {
            let mut lease = seen.object(LEASE).unwrap();
            lease["spec"]["holderIdentity"] = "pod-2".into();
            seen.put(LEASE, lease);
        }
        Fate::Serve
    });
    replica.role.set(Part::Resigns);
    replica.task.await.unwrap();
    assert_eq!(status(&server), json!([{"ip": "192.0.2.1"}]));
    assert_eq!(server.object(LEASE).unwrap()["spec"]["holderIdentity"], "pod-2");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_lead_empties_no_status_while_the_leader_is_there_or_while_it_stands_by() {
    for (part, has_leader) in [(Part::Takes, true), (Part::StandsBy, false)] {
        let server = server();
        leave_behind(&server);
        let replica = start_with(&server, "pod-1", Address::list("192.0.2.1"));
        if has_leader {
            // Another controller: ours has no labels, so that no other pod is one of its replicas.
            for name in ["pod-0", "pod-1"] {
                let pod = json!({"metadata": {"name": name}, "spec": {"containers": []}});
                server.put(&format!("/api/v1/namespaces/ingress/pods/{name}"), pod);
            }
        }
        replica.role.set(part);
        settle().await;
        replica.role.set(Part::Resigns);
        replica.task.await.unwrap();
        assert_eq!(status(&server), json!([{"ip": "192.0.2.1"}]), "{part:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_takes_a_few_seconds_when_the_api_server_is_gone() {
    for leads in [true, false] {
        let server = server();
        if !leads {
            leave_behind(&server);
        }
        let replica = start(&server, "pod-1");
        replica.role.set(Part::Takes);
        settle().await;
        assert_eq!(replica.leadership.is_leader(), leads);
        server.decide(|_| Fate::Lose);
        let began = Instant::now();
        replica.role.set(Part::Resigns);
        replica.task.await.unwrap();
        assert!(began.elapsed() <= 5 * SECOND, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_pod_or_an_election_there_is_no_duty() {
    let duty = |write_back| {
        Duty::new(Server::default().client(), &write_back, Arc::default(), Arc::default())
    };
    assert!(duty(WriteBack { pod: None, ..write_back("pod-1") }).is_none());
    assert!(duty(WriteBack { election: None, ..write_back("pod-1") }).is_none());
    assert!(duty(write_back("pod-1")).is_some());
}
