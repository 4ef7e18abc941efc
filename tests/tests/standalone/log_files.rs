//! Logs in files, as the ConfigMap names them, and their rotation.

use std::{fs, path::Path};

use crate::support::{NAMESPACE, Scene, eventually, web};

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn conf(keys: &[(&str, &str)]) -> String {
    let data: String = keys.iter().map(|(key, value)| format!("  {key}: {value:?}\n")).collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{namespace: {NAMESPACE}, name: conf}}\ndata:\n{data}"
    )
}

#[tokio::test]
async fn requests_and_messages_have_files_that_can_be_rotated() {
    let scene = Scene::start_with(&format!("--configmap={NAMESPACE}/conf")).await;
    let [access, moved, errors] =
        ["access.log", "access.log.1", "errors.log"].map(|name| scene.temp.path().join(name));
    let keys = [
        ("http-access-log-path", access.to_str().unwrap()),
        ("log-format-upstream", "$status $host"),
        ("error-log-path", errors.to_str().unwrap()),
    ];
    scene.folder.write("conf", &conf(&keys)).unwrap();
    scene.route("shop", "shop.example");
    scene.until_status("shop.example", 200).await;
    eventually("a line", async || text(&access).contains("200 shop.example")).await;

    fs::rename(&access, &moved).unwrap();
    scene.gateway.signal("USR1").await.unwrap();
    eventually("a new file", async || {
        scene.status("shop.example").await;
        access.exists()
    })
    .await;

    // A port that is taken, and that nobody listens on.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    scene.folder.write("web", &web(socket.local_addr().unwrap())).unwrap();
    scene.until_status("shop.example", 502).await;
    eventually("a message of the data plane", async || !text(&errors).is_empty()).await;
    assert!(scene.log().contains("ready"), "the others stay where they were: {}", scene.log());
}
