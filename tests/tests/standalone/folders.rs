//! Folders of manifests as a user names them and handles them.

use std::path::Path;

use headgate_tests::{
    echo::Echo,
    gateway::{Gateway, Program},
    manifests::ingress_class,
};
use serde_json::{Value, json};

use crate::support::{eventually, get, host_of_web, program, status, web};

async fn until_status(gateway: &Gateway, host: &str, wanted: u16) {
    eventually(&format!("{host} to answer {wanted}"), async || {
        status(gateway.http, host, "/").await == wanted
    })
    .await;
}

async fn verdicts(gateway: &Gateway) -> Value {
    let (_, body) = get(gateway.healthz, "localhost", "/api/routes").await;
    serde_json::from_str::<Value>(&body).unwrap()["verdicts"].clone()
}

/// A folder that is named `named` where the program is started: edits, deletions and repairs are live.
async fn is_followed(named: &str) {
    let temp = tempfile::tempdir().unwrap();
    let started_in = temp.path().join("here");
    let folder = started_in.join(named);
    std::fs::create_dir_all(&started_in).unwrap();
    std::fs::create_dir_all(temp.path().join("there")).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    let upstream = Echo::start("web", ([127, 0, 0, 1], 0).into()).await.unwrap();
    std::fs::write(folder.join("class.yaml"), ingress_class()).unwrap();
    std::fs::write(folder.join("web.yaml"), web(upstream.address())).unwrap();
    let file = folder.join("a.yaml");
    std::fs::write(&file, host_of_web("a", "one.example")).unwrap();
    let program = Program { directory: Some(started_in), ..program("") };
    let gateway = program.start(&[Path::new(named)], &temp.path().join("log")).await.unwrap();
    assert_eq!(status(gateway.http, "one.example", "/").await, 200);

    std::fs::write(&file, host_of_web("a", "two.example")).unwrap();
    until_status(&gateway, "two.example", 200).await;
    until_status(&gateway, "one.example", 404).await;
    assert_eq!(verdicts(&gateway).await, json!([]));

    std::fs::write(&file, "kind: [").unwrap();
    eventually("a verdict", async || verdicts(&gateway).await != json!([])).await;
    assert_eq!(status(gateway.http, "two.example", "/").await, 200);
    std::fs::write(&file, host_of_web("a", "three.example")).unwrap();
    until_status(&gateway, "three.example", 200).await;
    assert_eq!(verdicts(&gateway).await, json!([]));

    std::fs::remove_file(&file).unwrap();
    until_status(&gateway, "three.example", 404).await;
}

#[tokio::test]
async fn a_folder_named_from_here_is_followed() {
    is_followed("my").await;
}

#[tokio::test]
async fn a_folder_named_with_a_dot_is_followed() {
    is_followed("./my/").await;
}

#[tokio::test]
async fn a_folder_named_by_the_one_above_is_followed() {
    is_followed("../there/my").await;
}
