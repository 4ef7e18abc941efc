//! SIGTERM: requests under way end, nothing new is taken, and the exit status is 0.

use std::time::Duration;

use headgate_tests::client::{Connection, tcp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

use crate::support::{NAMESPACE, PATIENCE, Scene, eventually, host_of_web, status, web};

/// A request that its upstream holds, and the connection on which the upstream will answer.
struct Held {
    answer: JoinHandle<String>,
    upstream: TcpStream,
}

impl Held {
    async fn begin(scene: &Scene) -> Self {
        let slow = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = slow.local_addr().unwrap();
        scene
            .folder
            .write(
                "slow",
                &web(address)
                    .replace("name: web", "name: slow")
                    .replace("service-name: web", "service-name: slow"),
            )
            .unwrap();
        let ingress = host_of_web("slow", "slow.example").replace("name: web", "name: slow");
        assert!(ingress.contains(NAMESPACE));
        scene.folder.write("slow-route", &ingress).unwrap();
        eventually("the slow host to be known", async || {
            scene.table().await["hosts"].to_string().contains(&address.port().to_string())
        })
        .await;
        let mut client = tcp(scene.gateway.http).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: slow.example\r\n\r\n").await.unwrap();
        let (upstream, _) = timeout(PATIENCE, slow.accept()).await.unwrap().unwrap();
        let answer = tokio::spawn(async move {
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        });
        Self { answer, upstream }
    }

    async fn finish(mut self) -> String {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
        self.upstream.write_all(answer).await.unwrap();
        timeout(PATIENCE, self.answer).await.expect("the client to be answered").unwrap()
    }
}

#[tokio::test]
async fn a_request_under_way_is_finished() {
    let scene = Scene::start().await;
    let held = Held::begin(&scene).await;
    let http = scene.gateway.http;
    let stopping = tokio::spawn(scene.gateway.stop());
    eventually("new connections to be refused", async || TcpStream::connect(http).await.is_err())
        .await;
    assert!(!stopping.is_finished(), "the program waits for the request");

    let answer = held.finish().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    stopping.await.unwrap().expect("exit status 0");
}

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let mut idle = Connection::open(scene.gateway.http).await.unwrap();
    idle.get("a.example", "/").await.unwrap();
    timeout(Duration::from_secs(5), scene.gateway.stop())
        .await
        .expect("an end without waiting for the idle connection")
        .expect("exit status 0");
    assert!(idle.get("a.example", "/").await.is_err());
}

#[tokio::test]
async fn requests_that_take_longer_than_the_drain_timeout_are_cut() {
    let scene = Scene::start_with("--drain-timeout=1").await;
    let held = Held::begin(&scene).await;
    scene.gateway.stop().await.expect("exit status 0");
    let answer = timeout(PATIENCE, held.answer).await.unwrap();
    assert!(answer.is_err() || !answer.unwrap().contains("200"), "an answer out of nothing");
}

#[tokio::test]
async fn a_second_signal_ends_the_wait_for_requests() {
    let scene = Scene::start_with("--drain-timeout=60").await;
    let held = Held::begin(&scene).await;
    let http = scene.gateway.http;
    scene.gateway.terminate().await.unwrap();
    eventually("new connections to be refused", async || TcpStream::connect(http).await.is_err())
        .await;
    assert!(!held.answer.is_finished(), "the program waits for the request");
    timeout(Duration::from_secs(20), scene.gateway.stop())
        .await
        .expect("an end without waiting for the request")
        .expect("exit status 0");
    let answer = timeout(PATIENCE, held.answer).await.unwrap();
    assert!(answer.is_err() || !answer.unwrap().contains("200"), "an answer out of nothing");
}

#[tokio::test]
async fn probes_fail_during_the_grace_period_while_requests_are_served() {
    let scene = Scene::start_with("--shutdown-grace-period=2").await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let (http, healthz) = (scene.gateway.http, scene.gateway.healthz);
    let mut kept = Connection::open(http).await.unwrap();
    assert!(!kept.get("a.example", "/").await.unwrap().close);
    let stopping = tokio::spawn(scene.gateway.stop());
    eventually("readiness to fail", async || status(healthz, "localhost", "/readyz").await == 503)
        .await;
    assert_eq!(status(healthz, "localhost", "/healthz").await, 500);
    assert_eq!(status(http, "a.example", "/").await, 200);
    let answer = kept.get("a.example", "/").await.expect("the connection is kept");
    assert!(answer.close, "the client is asked to go elsewhere");
    stopping.await.unwrap().expect("exit status 0");
}
