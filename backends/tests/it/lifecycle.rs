//! Starting and stopping: signals, draining, and waiting for parts that are not there yet.

use serde_json::json;

use crate::support::{App, eventually};

#[tokio::test]
async fn sigterm_ends_every_service_with_success() {
    let mut app = App::start().await;
    app.post("posts", "/posts/create", json!({"title": "work to do"})).await;
    for service in crate::support::SERVICES {
        app.terminate(service);
    }
    for service in crate::support::SERVICES {
        assert!(app.ended(service).await.success(), "{service}");
        assert_eq!(app.log(service).last().unwrap()["message"], "stopped", "{service}");
    }
}

#[tokio::test]
async fn while_draining_a_service_is_not_ready_but_still_serves() {
    let mut app = App::new(&[("DRAIN_DELAY_SECONDS", "2")]);
    app.start_service("posts");
    app.ready("posts").await;
    app.terminate("posts");
    let url = app.url("posts", "/readyz");
    eventually("not ready", async || app.http.get(&url).await.unwrap().0 == 503).await;
    app.post("posts", "/posts/create", json!({"title": "last minute"})).await;
    assert!(app.ended("posts").await.success());
}

#[tokio::test]
async fn port_zero_is_answered_with_the_port_that_was_found() {
    let mut app = App::new(&[("PORT", "0")]);
    app.start_service("client");
    let listening = || app.log("client").into_iter().find(|line| line["message"] == "listening");
    eventually("the port", async || listening().is_some()).await;
    let port = listening().unwrap()["port"].as_u64().unwrap();
    assert_ne!(port, u64::from(app.port("client")));
    assert_eq!(app.http.get(&format!("http://127.0.0.1:{port}/healthz")).await.unwrap().0, 200);
}

#[tokio::test]
async fn posts_written_while_the_bus_is_down_arrive_when_it_is_back() {
    let mut app = App::start().await;
    app.kill("bus");
    let post = app.post("posts", "/posts/create", json!({"title": "patience"})).await;
    let id = post["id"].as_str().unwrap();
    app.post("comments", &format!("/posts/{id}/comments"), json!({"content": "me too"})).await;
    app.kill("posts");
    app.kill("comments");
    for service in ["posts", "comments", "bus"] {
        app.start_service(service);
    }
    app.statuses(id, &["approved"]).await;
}

#[tokio::test]
async fn query_started_without_the_bus_waits_for_it_and_reads_everything() {
    let mut app = App::start().await;
    let post = app.post("posts", "/posts/create", json!({"title": "kept"})).await;
    let id = post["id"].as_str().unwrap();
    app.post("comments", &format!("/posts/{id}/comments"), json!({"content": "an orange"})).await;
    app.statuses(id, &["rejected"]).await;
    let before = app.get("query", "/posts").await;

    app.kill("bus");
    app.kill("query");
    app.start_service("query");
    let posts = app.url("query", "/posts");
    eventually("an answer", async || app.http.get(&posts).await.is_ok()).await;
    let (status, answer) = app.http.get(&posts).await.unwrap();
    assert_eq!(
        (status, &answer["status"]),
        (503, &json!("Error")),
        "an empty blog must not be shown"
    );
    assert_eq!(app.http.get(&app.url("query", "/readyz")).await.unwrap().0, 503);
    assert_eq!(app.http.get(&app.url("query", "/healthz")).await.unwrap().0, 200);

    app.start_service("bus");
    app.ready("query").await;
    assert_eq!(app.get("query", "/posts").await, before);
}

#[tokio::test]
async fn query_starts_over_when_the_bus_has_lost_its_log() {
    let mut app = App::start().await;
    for number in 0..5 {
        app.post("posts", "/posts/create", json!({"title": format!("old {number}")})).await;
    }
    eventually("the posts", async || {
        app.get("query", "/posts").await.as_object().unwrap().len() == 5
    })
    .await;
    app.kill("bus");
    for suffix in ["db", "db-wal", "db-shm"] {
        let _ = std::fs::remove_file(app.database("bus").with_extension(suffix));
    }
    app.start_service("bus");
    app.ready("bus").await;
    let post = app.post("posts", "/posts/create", json!({"title": "new"})).await;
    let id = post["id"].as_str().unwrap();
    let expected = json!({id: {"id": id, "title": "new", "comments": []}});
    let posts = app.url("query", "/posts");
    eventually("the new log only", async || {
        app.http.get(&posts).await == Ok((200, expected.clone()))
    })
    .await;
}
