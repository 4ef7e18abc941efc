use serde_json::{Value, json};

use tokio::time::timeout;

use super::*;
use crate::request::mock::{Fate, Server};

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(60);
const SERVICE: &str = "/api/v1/namespaces/ingress/services/gateway";
const POD: &str = "/api/v1/namespaces/ingress/pods/pod-1";

fn path(name: &str) -> String {
    format!("/apis/networking.k8s.io/v1/namespaces/a/ingresses/{name}")
}

fn ingress(name: &str, ip: &str) -> Value {
    let addresses = if ip.is_empty() { json!(null) } else { json!([{"ip": ip}]) };
    json!({"metadata": {"name": name, "namespace": "a"}, "spec": {},
        "status": {"loadBalancer": {"ingress": addresses}}})
}

fn service(ips: &[&str]) -> Value {
    let given: Vec<_> = ips.iter().map(|ip| json!({"ip": ip})).collect();
    json!({"metadata": {"name": "gateway"}, "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": given}}})
}

fn pod(name: &str, phase: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": "gateway"}},
        "spec": {"nodeName": "node-1", "containers": []},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]}})
}

fn by_service() -> AddressSource {
    AddressSource::Service(NamespacedName { namespace: "ingress".into(), name: "gateway".into() })
}

struct Scene {
    server: Server,
    board: Arc<Board>,
    leadership: Arc<Leadership>,
    writer: Writer,
}

impl Scene {
    fn new(source: AddressSource, clean_on_shutdown: bool) -> Self {
        let (server, board) = (Server::default(), Arc::<Board>::default());
        let leadership = Arc::<Leadership>::default();
        leadership.set(Some(now() + 3600 * SECOND));
        let settings =
            StatusSettings { update: true, clean_on_shutdown, source, interval: INTERVAL };
        let pod_name = NamespacedName { namespace: "ingress".into(), name: "pod-1".into() };
        let (shown, led) = (Arc::clone(&board), Arc::clone(&leadership));
        let writer = Writer::new(server.client(), &settings, pod_name, shown, led);
        server.put(SERVICE, service(&["192.0.2.1"]));
        server.put(POD, pod("pod-1", "Running"));
        Self { server, board, leadership, writer }
    }

    /// Ends as a replica does, if need be after it has taken the Lease of this holder.
    async fn end(&self, holder: Option<String>) {
        if self.writer.is_last(holder.as_deref()).await {
            self.writer.clean().await;
        }
    }

    fn of_service() -> Self {
        Self::new(by_service(), true)
    }

    /// A served Ingress with this address in its status.
    fn serve(&self, name: &str, ip: &str) {
        self.server.put(&path(name), ingress(name, ip));
        let key = Key::new("a", name);
        self.board.set_published(&key, Address::list(ip));
        self.board.set_served(&key, true);
    }

    fn ip(&self, name: &str) -> String {
        let object = self.server.object(&path(name)).unwrap();
        let address = &object["status"]["loadBalancer"]["ingress"][0]["ip"];
        address.as_str().unwrap_or_default().to_owned()
    }

    async fn run_for(&self, time: Duration) {
        let _ = timeout(time, self.writer.run()).await;
    }

    /// The writes since this was asked last.
    fn writes(&self) -> Vec<String> {
        let log = self.server.take_log().into_iter();
        log.filter_map(|line| Some(line.strip_prefix("PUT ")?.to_owned())).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_outdated_is_written() {
    let scene = Scene::of_service();
    scene.serve("new", "");
    scene.serve("right", "192.0.2.1");
    scene.serve("foreign", "192.0.2.66");
    scene.server.put(&path("not-ours"), ingress("not-ours", ""));
    scene.board.set_published(&Key::new("a", "not-ours"), vec![]);
    scene.run_for(SECOND).await;
    assert_eq!(scene.writes(), [path("foreign") + "/status", path("new") + "/status"]);
    assert_eq!([scene.ip("new"), scene.ip("foreign")], ["192.0.2.1", "192.0.2.1"]);
    scene.run_for(10 * INTERVAL).await;
    assert!(scene.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_ingress_that_becomes_served_is_written_at_once() {
    let scene = Scene::of_service();
    let later = async {
        tokio::time::sleep(10 * SECOND).await;
        scene.serve("new", "");
        tokio::time::sleep(SECOND / 10).await;
        assert_eq!(scene.ip("new"), "192.0.2.1");
    };
    tokio::select! {
        () = scene.writer.run() => {}
        () = later => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_tried_again_with_the_new_version() {
    let scene = Scene::of_service();
    scene.serve("i", "");
    let mut refusals = 2;
    scene.server.decide(move |request| {
        if request.ends_with("/status") && refusals > 0 {
            refusals -= 1;
            return Fate::Refuse(409);
        }
        Fate::Serve
    });
    scene.run_for(SECOND).await;
    let log = scene.server.take_log();
    let asked = log.iter().filter(|line| line.ends_with("/i")).count();
    assert_eq!((asked, scene.ip("i").as_str()), (3, "192.0.2.1"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_read_empties_nothing() {
    for code in [403, 404, 500] {
        let scene = Scene::of_service();
        scene.serve("i", "192.0.2.7");
        scene.server.decide(move |request| {
            if request.ends_with(SERVICE) { Fate::Refuse(code) } else { Fate::Serve }
        });
        scene.run_for(10 * INTERVAL).await;
        assert_eq!((scene.writes().len(), scene.ip("i").as_str()), (0, "192.0.2.7"), "{code}");
        scene.server.decide(|_| Fate::Serve);
        scene.run_for(SECOND).await;
        assert_eq!(scene.ip("i"), "192.0.2.1");
    }
}

#[tokio::test(start_paused = true)]
async fn other_addresses_are_noticed_after_the_interval_at_the_latest() {
    let scene = Scene::of_service();
    scene.serve("i", "");
    let later = async {
        tokio::time::sleep(SECOND).await;
        scene.server.put(SERVICE, service(&["192.0.2.2"]));
        tokio::time::sleep(INTERVAL + SECOND).await;
        assert_eq!(scene.ip("i"), "192.0.2.2");
    };
    tokio::select! {
        () = scene.writer.run() => {}
        () = later => {}
    }
}

#[tokio::test(start_paused = true)]
async fn two_writers_who_disagree_do_not_fight_without_a_pause() {
    let scene = Scene::of_service();
    scene.serve("i", "");
    let foreign = async {
        for _ in 0..INTERVAL.as_secs() * 10 {
            tokio::time::sleep(SECOND).await;
            if scene.ip("i") == "192.0.2.1" {
                scene.serve("i", "192.0.2.66");
            }
        }
    };
    tokio::select! {
        () = scene.writer.run() => {}
        () = foreign => {}
    }
    let writes = scene.writes().len();
    assert!((8..=11).contains(&writes), "{writes}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_lead_writes_nothing() {
    let scene = Scene::of_service();
    scene.leadership.set(None);
    scene.serve("i", "");
    scene.run_for(10 * INTERVAL).await;
    assert!(scene.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_stops_leading_between_reading_and_writing_does_not_write() {
    let scene = Scene::of_service();
    scene.serve("i", "");
    let leadership = Arc::clone(&scene.leadership);
    scene.server.decide(move |request| {
        if request.ends_with("/i") {
            leadership.set(None);
        }
        Fate::Serve
    });
    scene.run_for(SECOND).await;
    assert!(scene.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_nodes_of_ready_pods_are_published_and_none_is_not_an_answer() {
    let scene = Scene::new(AddressSource::Nodes { only_internal: false }, true);
    scene.serve("i", "192.0.2.7");
    let node = |ip| json!({"status": {"addresses": [{"type": "InternalIP", "address": ip}]}});
    scene.server.put("/api/v1/nodes/node-1", node("10.0.0.1"));
    scene.server.put(POD, pod("pod-1", "Pending"));
    scene.run_for(INTERVAL).await;
    assert!(scene.writes().is_empty());
    scene.server.put(POD, pod("pod-1", "Running"));
    scene.run_for(SECOND).await;
    assert_eq!(scene.ip("i"), "10.0.0.1");
}

#[tokio::test(start_paused = true)]
async fn the_last_replica_empties_the_statuses() {
    let with_peer = |phase: &'static str| {
        move |scene: &Scene| {
            scene.server.put("/api/v1/namespaces/ingress/pods/pod-2", pod("pod-2", phase));
        }
    };
    type Prepare = Box<dyn Fn(&Scene)>;
    let with_leaving = |scene: &Scene| {
        let mut leaving = pod("pod-2", "Running");
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        scene.server.put("/api/v1/namespaces/ingress/pods/pod-2", leaving);
    };
    let cases: [(&str, bool, Prepare, &str); 7] = [
        ("alone", true, Box::new(|_| {}), ""),
        ("told not to", false, Box::new(|_| {}), "192.0.2.1"),
        ("a replica stays", true, Box::new(with_peer("Pending")), "192.0.2.1"),
        ("a replica that has failed is none", true, Box::new(with_peer("Failed")), ""),
        ("a replica that leaves, too, is none", true, Box::new(with_leaving), ""),
        (
            "several addresses",
            true,
            Box::new(|scene| scene.server.put(SERVICE, service(&["192.0.2.1", "192.0.2.2"]))),
            "192.0.2.1",
        ),
        (
            "nobody knows",
            true,
            Box::new(|scene| {
                scene.server.decide(|request| {
                    if request.ends_with("/pods") { Fate::Refuse(403) } else { Fate::Serve }
                });
            }),
            "192.0.2.1",
        ),
    ];
    for (name, clean, prepare, expected) in cases {
        let scene = Scene::new(by_service(), clean);
        scene.serve("i", "192.0.2.1");
        prepare(&scene);
        scene.end(None).await;
        assert_eq!(scene.ip("i"), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_replica_empties_the_statuses_for_a_leader_that_is_gone() {
    let holder = || Some("old".to_owned());
    let put = |object: Value| {
        move |scene: &Scene| scene.server.put("/api/v1/namespaces/ingress/pods/old", object.clone())
    };
    let (mut leaving, finished) = (pod("old", "Running"), pod("old", "Succeeded"));
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    type Prepare = Box<dyn Fn(&Scene)>;
    let cases: [(&str, Option<String>, Prepare, &str); 4] = [
        ("the Lease is free", None, Box::new(|_| {}), ""),
        ("its holder is gone", holder(), Box::new(|_| {}), ""),
        ("its holder is finished", holder(), Box::new(put(finished)), ""),
        ("its holder empties them itself", holder(), Box::new(put(leaving)), "192.0.2.1"),
    ];
    for (name, holder, prepare, expected) in cases {
        let scene = Scene::of_service();
        scene.serve("i", "192.0.2.1");
        prepare(&scene);
        scene.end(holder).await;
        assert_eq!(scene.ip("i"), expected, "{name}");
    }
    let scene = Scene::of_service();
    scene.leadership.set(None);
    scene.serve("i", "192.0.2.1");
    scene.end(None).await;
    assert_eq!(scene.ip("i"), "192.0.2.1", "it leads no more");
}

#[tokio::test(start_paused = true)]
async fn cleaning_ends_soon_when_the_api_server_is_gone() {
    for at_once in [true, false] {
        let scene = Scene::of_service();
        for number in 0..100 {
            scene.serve(&format!("i{number}"), "192.0.2.1");
        }
        scene.server.decide(move |request| {
            let is_lost = at_once || request.ends_with("/status");
            if is_lost { Fate::Lose } else { Fate::Serve }
        });
        let began = now();
        scene.end(None).await;
        assert!(now() - began <= 4 * SECOND, "{:?}", now() - began);
    }
}
