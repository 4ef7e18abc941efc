//! The admin port: liveness, readiness, metrics.

use std::{process::Stdio, time::Duration};

use headgate_tests::{
    client::Connection,
    gateway::free_addresses,
    manifests::Folder,
    scale::{Layout, Scale},
};

use crate::support::{PATIENCE, Scene, eventually, get, headgate, status};

#[tokio::test]
async fn it_is_not_ready_before_all_manifests_are_read() {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::new(temp.path()).unwrap();
    // Enough to read that the wait is seen from outside.
    let scale = Scale {
        ingresses: 2_000,
        endpoints: 4_000,
        regex_percent: 20,
        tls_percent: 0,
        layout: Layout::Application,
    };
    scale.write(&folder).unwrap();
    let [http, https, healthz] = free_addresses().unwrap();
    let port = |address: std::net::SocketAddr| address.port().to_string();
    let mut child = headgate(&["--manifests", folder.path().to_str().unwrap()])
        .args(["--http-port", &port(http), "--https-port", &port(https)])
        .args(["--healthz-port", &port(healthz), "--bind-address", "127.0.0.1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();

    let mut seen = Vec::new();
    let observed = tokio::time::timeout(PATIENCE * 3, async {
        while seen.last() != Some(&200) {
            if let Ok(mut connection) = Connection::open(healthz).await
                && let Ok(answer) = connection.get("localhost", "/readyz").await
                && seen.last() != Some(&answer.status)
            {
                seen.push(answer.status);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(observed.is_ok(), "never ready: {seen:?}");
    assert_eq!(seen, [503, 200]);
}

#[tokio::test]
async fn liveness_and_readiness_answer_on_the_admin_port_only() {
    let scene = Scene::start().await;
    assert_eq!(status(scene.gateway.healthz, "localhost", "/healthz").await, 200);
    assert_eq!(status(scene.gateway.healthz, "localhost", "/readyz").await, 200);
    assert_eq!(status(scene.gateway.healthz, "localhost", "/nothing").await, 404);
    assert_eq!(status(scene.gateway.http, "localhost", "/readyz").await, 404);
}

#[tokio::test]
async fn the_liveness_path_can_be_chosen() {
    let scene = Scene::start_with("--health-check-path=/alive").await;
    assert_eq!(status(scene.gateway.healthz, "localhost", "/alive").await, 200);
    assert_eq!(status(scene.gateway.healthz, "localhost", "/healthz").await, 404);
}

#[tokio::test]
async fn requests_are_counted_by_host_and_status() {
    let scene = Scene::start_with("--enable-metrics=true").await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    eventually("the request to be counted", async || {
        let (status, text) = get(scene.gateway.healthz, "localhost", "/metrics").await;
        assert_eq!(status, 200);
        text.lines().any(|line| {
            line.starts_with("nginx_ingress_controller_requests{")
                && line.contains("host=\"a.example\"")
                && line.contains("status=\"200\"")
                && line.contains("ingress=\"a\"")
        })
    })
    .await;
}

#[tokio::test]
async fn without_the_flag_no_request_is_counted() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let (status, text) = get(scene.gateway.healthz, "localhost", "/metrics").await;
    assert_eq!(status, 200);
    assert!(!text.contains("nginx_ingress_controller_requests{"), "{text}");
}
