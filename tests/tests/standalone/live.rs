//! Folders of manifests: what changes in them is served without a restart, and what is broken harms nothing else.

use headgate_tests::{
    client::Connection,
    echo::Echo,
    manifests::{Folder, Ingress, ingress_class},
};

use crate::support::{NAMESPACE, Scene, eventually, get, host_of_web, program, status, web};

#[tokio::test]
async fn a_folder_is_served() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let (_, body) = get(scene.gateway.http, "a.example", "/x?y=1").await;
    assert_eq!(body, "web /x?y=1\n");
    assert_eq!(scene.status("b.example").await, 404);
}

#[tokio::test]
async fn edits_renames_and_removals_are_live_on_an_open_connection() {
    let scene = Scene::start().await;
    scene.route("a", "one.example");
    scene.until_status("one.example", 200).await;
    let mut connection = Connection::open(scene.gateway.http).await.unwrap();

    scene.route("a", "two.example");
    scene.until_status("two.example", 200).await;
    assert_eq!(connection.get("one.example", "/").await.unwrap().status, 404);
    assert_eq!(connection.get("two.example", "/").await.unwrap().status, 200);

    let path = |name: &str| scene.folder.path().join(name);
    std::fs::rename(path("a.yaml"), path("a.yaml.off")).unwrap();
    scene.until_status("two.example", 404).await;
    std::fs::rename(path("a.yaml.off"), path("b.yml")).unwrap();
    scene.until_status("two.example", 200).await;

    std::fs::remove_file(path("b.yml")).unwrap();
    scene.until_status("two.example", 404).await;
    assert_eq!(connection.get("two.example", "/").await.unwrap().status, 404);
}

#[tokio::test]
async fn a_file_written_in_place_is_live() {
    let scene = Scene::start().await;
    let file = scene.folder.path().join("a.yaml");
    std::fs::write(&file, host_of_web("a", "one.example")).unwrap();
    scene.until_status("one.example", 200).await;
    std::fs::write(&file, host_of_web("a", "two.example")).unwrap();
    scene.until_status("two.example", 200).await;
    scene.until_status("one.example", 404).await;
}

#[tokio::test]
async fn folders_below_and_a_second_folder_are_served() {
    let scene_folder = tempfile::tempdir().unwrap();
    let first = Folder::new(&scene_folder.path().join("1")).unwrap();
    let second = Folder::new(&scene_folder.path().join("2")).unwrap();
    let upstream = Echo::start("web", ([127, 0, 0, 1], 0).into()).await.unwrap();
    first.write("class", &ingress_class()).unwrap();
    first.write("web", &web(upstream.address())).unwrap();
    second.write("two", &host_of_web("two", "two.example")).unwrap();
    let gateway = program("")
        .start(&[first.path(), second.path()], &scene_folder.path().join("log"))
        .await
        .unwrap();
    assert_eq!(status(gateway.http, "two.example", "/").await, 200);

    let below = first.path().join("team/app");
    std::fs::create_dir_all(&below).unwrap();
    std::fs::write(below.join("three.yaml"), host_of_web("three", "three.example")).unwrap();
    eventually("a file in a new folder to be served", async || {
        status(gateway.http, "three.example", "/").await == 200
    })
    .await;
}

#[tokio::test]
async fn changed_endpoints_are_live() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let other = Echo::start("other", ([127, 0, 0, 1], 0).into()).await.unwrap();
    scene.folder.write("web", &web(other.address())).unwrap();
    eventually("the other upstream to answer", async || {
        get(scene.gateway.http, "a.example", "/").await.1 == "other /\n"
    })
    .await;
}

#[tokio::test]
async fn a_broken_file_keeps_what_worked_and_is_shown() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;

    scene
        .folder
        .write("a", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: [}\n")
        .unwrap();
    let verdict = until_verdict(&scene, "a.yaml").await;
    assert_eq!(verdict["effect"], "refused", "{verdict}");
    assert_eq!(scene.status("a.example").await, 200);
    assert!(scene.log().contains("a.yaml"), "the log names the file: {}", scene.log());

    // A good file next to it is taken all the same.
    scene.route("b", "b.example");
    scene.until_status("b.example", 200).await;
    assert_eq!(scene.status("a.example").await, 200);

    scene.route("a", "repaired.example");
    scene.until_status("repaired.example", 200).await;
    scene.until_status("a.example", 404).await;
    assert_eq!(scene.table().await["verdicts"], serde_json::json!([]));
}

#[tokio::test]
async fn a_bad_object_gets_a_verdict_and_the_rest_is_served() {
    let scene = Scene::start().await;
    let open = Ingress::new(NAMESPACE, "bad").prefix("bad.example", "/", "web");
    let bad = open.clone().annotation("auth-type", "basic").annotation("auth-secret", "missing");
    scene.folder.write("bad", &bad.text()).unwrap();
    scene.route("good", "good.example");
    scene.until_status("good.example", 200).await;
    let verdict = until_verdict(&scene, "auth-secret").await;
    assert_eq!(verdict["object"]["name"], "bad", "{verdict}");
    // Whoever asked for protection gets no open door.
    assert_eq!(scene.status("bad.example").await, 503);

    scene.folder.write("bad", &open.text()).unwrap();
    scene.until_status("bad.example", 200).await;
}

#[tokio::test]
async fn a_pattern_that_is_none_gets_a_verdict() {
    let scene = Scene::start().await;
    let bad = Ingress::new(NAMESPACE, "bad").annotation("use-regex", "true").pattern(
        "bad.example",
        "/(unclosed",
        "web",
    );
    scene.folder.write("bad", &bad.text()).unwrap();
    let verdict = until_verdict(&scene, "unclosed").await;
    assert_eq!(verdict["object"]["name"], "bad", "{verdict}");
    assert_eq!(verdict["effect"], "denied", "{verdict}");
    assert_eq!(scene.status("bad.example").await, 503);
    is_logged_once(&scene, "unclosed").await;

    scene.route("bad", "bad.example");
    scene.until_status("bad.example", 200).await;
    assert_eq!(scene.table().await["verdicts"], serde_json::json!([]));
}

#[tokio::test]
async fn an_alias_that_is_no_pattern_gets_a_verdict_on_the_object_that_wants_it() {
    let scene = Scene::start().await;
    // Of equally old objects the one whose name sorts last created the host.
    scene.route("zoe", "a.example");
    let bad = Ingress::new(NAMESPACE, "bad").annotation("server-alias", "~(unclosed,b.example");
    let bad = bad.prefix("a.example", "/x", "web");
    scene.folder.write("bad", &bad.text()).unwrap();
    let verdict = until_verdict(&scene, "unclosed").await;
    assert_eq!(verdict["object"]["name"], "bad", "{verdict}");
    assert_eq!(verdict["effect"], "warning", "{verdict}");
    for host in ["a.example", "b.example"] {
        assert_eq!(scene.status(host).await, 200);
    }
    is_logged_once(&scene, "unclosed").await;
}

#[tokio::test]
async fn a_rewrite_that_is_none_gets_a_verdict() {
    let scene = Scene::start().await;
    let bad = Ingress::new(NAMESPACE, "bad").annotation("rewrite-target", "/x/$");
    scene.folder.write("bad", &bad.prefix("bad.example", "/", "web").text()).unwrap();
    let verdict = until_verdict(&scene, "/x/$").await;
    assert_eq!(verdict["object"]["name"], "bad", "{verdict}");
    assert_eq!(verdict["effect"], "denied", "{verdict}");
    assert_eq!(scene.status("bad.example").await, 503);
    is_logged_once(&scene, "/x/$").await;
}

/// Changes something else, and looks into the log.
async fn is_logged_once(scene: &Scene, text: &str) {
    for host in ["one.example", "two.example"] {
        scene.route("else", host);
        scene.until_status(host, 200).await;
    }
    let log = scene.log();
    assert_eq!(log.lines().filter(|line| line.contains(text)).count(), 1, "{log}");
}

#[tokio::test]
async fn the_table_names_the_object_and_the_upstream_of_a_route() {
    let scene = Scene::start().await;
    scene.route("a", "a.example");
    scene.until_status("a.example", 200).await;
    let table = scene.table().await;
    let host = table["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|host| host["name"] == "a.example")
        .unwrap_or_else(|| panic!("no a.example in {table}"));
    let location = &host["locations"][0];
    assert_eq!(location["origin"]["object"]["name"], "a", "{location}");
    let address = scene.upstream.address();
    assert!(location["upstream"].to_string().contains(&address.port().to_string()), "{location}");
}

/// Waits until a verdict mentions `text`.
async fn until_verdict(scene: &Scene, text: &str) -> serde_json::Value {
    let mut found = None;
    eventually(&format!("a verdict about {text}"), async || {
        let table = scene.table().await;
        let verdicts = table["verdicts"].as_array().cloned().unwrap_or_default();
        found = verdicts.into_iter().find(|verdict| verdict.to_string().contains(text));
        found.is_some()
    })
    .await;
    found.unwrap()
}
