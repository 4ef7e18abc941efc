//! Folders of manifests as a user names them and handles them.

use std::path::Path;

use headgate_tests::{
    echo::Echo,
    gateway::{Gateway, Program},
    manifests::{Ingress, ingress_class},
};
use serde_json::{Value, json};

use crate::support::{NAMESPACE, Scene, eventually, get, host_of_web, program, status, web};

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

#[tokio::test]
async fn an_ingress_of_no_class_of_ours_is_not_passed_over_in_silence() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let text = Ingress::new(NAMESPACE, "b").prefix("b.example", "/", "web").text();
    scene.folder.write("b", &text.replace("nginx", "ngnix")).unwrap();
    eventually("a verdict", async || scene.table().await["verdicts"] != json!([])).await;
    let verdict = scene.table().await["verdicts"][0].clone();
    assert_eq!((&verdict["object"]["name"], &verdict["effect"]), (&json!("b"), &json!("ignored")));
    assert!(verdict["message"].as_str().unwrap().contains("\"ngnix\""), "{verdict}");

    scene.folder.remove("class").unwrap();
    scene.until_status("a.example", 404).await;
    assert_eq!(scene.table().await["verdicts"].as_array().unwrap().len(), 2);
    let log = scene.log();
    assert!(log.contains("names class \"nginx\""), "{log}");
    assert_eq!(log.matches("ngnix").count(), 2, "with and without the class that exists: {log}");
}

#[tokio::test]
async fn the_examples_are_served() {
    let temp = tempfile::tempdir().unwrap();
    let log = temp.path().join("log");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/examples");
    let gateway = program("").start(&[&examples], &log).await.unwrap();
    assert_eq!(status(gateway.http, "vote.localhost", "/").await, 503);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("ingresses=3 served=3"), "{log}");
    assert!(log.contains("hosts=4"), "the default host is none: {log}");
}

#[tokio::test]
async fn a_folder_that_is_removed_and_made_anew_is_followed_and_that_is_said() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let folder = scene.folder.path();
    std::fs::remove_dir_all(folder).unwrap();
    eventually("a verdict", async || scene.table().await["verdicts"] != json!([])).await;
    assert_eq!(scene.status("a.example").await, 200);
    std::fs::create_dir(folder).unwrap();
    scene.folder.write("class", &ingress_class()).unwrap();
    scene.folder.write("web", &web(scene.upstream.address())).unwrap();
    scene.route("b", "b.example");
    scene.until_status("b.example", 200).await;
    scene.until_status("a.example", 404).await;
    eventually("a new watch", async || scene.log().contains("are watched again")).await;
    let log = scene.log();
    assert!(log.contains("was removed or moved away"), "{log}");
    assert!(!log.contains("descriptor"), "{log}");
}

#[tokio::test]
async fn what_an_api_server_would_refuse_is_not_taken_in_silence() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let edited = host_of_web("a", "b.example").replace("backend:", "backnd:");
    scene.folder.write("a", &edited).unwrap();
    eventually("a verdict", async || scene.table().await["verdicts"] != json!([])).await;
    let verdict = scene.table().await["verdicts"][0].clone();
    assert_eq!((&verdict["effect"], &verdict["reason"]), (&json!("refused"), &json!("Invalid")));
    let message = verdict["message"].as_str().unwrap();
    assert!(
        message.contains("a.yaml:1: ") && message.contains("backnd: unknown field"),
        "{message}"
    );
    assert_eq!(scene.status("a.example").await, 200, "what it held before stays");
    scene.route("a", "b.example");
    scene.until_status("b.example", 200).await;
    assert_eq!(scene.table().await["verdicts"], json!([]));
}
