//! The way of posts and comments through the services while nothing fails.

use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{App, SERVICES, eventually};

#[tokio::test]
async fn a_post_and_its_comments_are_shown_with_their_verdicts() {
    let app = App::start().await;
    let (status, post) = app
        .http
        .post(&app.url("posts", "/posts/create"), &json!({"title": "First"}))
        .await
        .unwrap();
    let id = post["id"].as_str().unwrap();
    assert_eq!((status, &post), (201, &json!({"id": id, "title": "First"})));
    assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");

    let path = format!("/posts/{id}/comments");
    let (status, list) =
        app.http.post(&app.url("comments", &path), &json!({"content": "fine"})).await.unwrap();
    let fine = list[0]["id"].as_str().unwrap();
    assert_eq!(
        (status, &list),
        (201, &json!([{"id": fine, "content": "fine", "status": "pending"}]))
    );
    let list = app.post("comments", &path, json!({"content": "an orange"})).await;
    let orange = list[1]["id"].as_str().unwrap();

    app.statuses(id, &["approved", "rejected"]).await;
    let comments = json!([
        {"id": fine, "content": "fine", "status": "approved"},
        {"id": orange, "content": "an orange", "status": "rejected"},
    ]);
    assert_eq!(
        app.get("query", "/posts").await[id],
        json!({"id": id, "title": "First", "comments": comments})
    );
    assert_eq!(app.get("query", &path).await, comments);
    assert_eq!(app.get("comments", &path).await, comments);
}

#[tokio::test]
async fn the_banned_words_are_configurable() {
    let app = App::start_with(&[("BANNED_WORDS", "plum, Quince")]).await;
    let post = app.post("posts", "/posts/create", json!({"title": "Fruit"})).await;
    let id = post["id"].as_str().unwrap();
    let path = format!("/posts/{id}/comments");
    for content in ["orange", "a plum", "QUINCES"] {
        app.post("comments", &path, json!({"content": content})).await;
    }
    app.statuses(id, &["approved", "rejected", "rejected"]).await;
}

#[tokio::test]
async fn comments_of_an_unknown_post_wait_for_it() {
    let app = App::start().await;
    assert_eq!(app.get("comments", "/posts/abc/comments").await, json!([]));
    app.post("comments", "/posts/abc/comments", json!({"content": "early"})).await;
    eventually("the comment to be judged", async || {
        app.get("query", "/posts/abc/comments").await[0]["status"] == "approved"
    })
    .await;
    assert_eq!(app.get("query", "/posts").await, json!({}));

    // Only the bus can give a post an id of one's choice.
    let event = json!({"type": "PostCreated", "data": {"id": "abc", "title": "late"}});
    app.post("bus", "/events", event).await;
    app.statuses("abc", &["approved"]).await;
}

#[tokio::test]
async fn posts_keep_the_order_in_which_they_were_written() {
    let app = App::start().await;
    let mut ids = Vec::new();
    for number in 0..12 {
        let post =
            app.post("posts", "/posts/create", json!({"title": format!("post {number}")})).await;
        ids.push(post["id"].as_str().unwrap().to_owned());
    }
    let last = ids.last().unwrap().clone();
    eventually("the last post", async || app.get("query", "/posts").await[&last].is_object()).await;
    // The test's own JSON type sorts keys, so the order is read from the text.
    let (_, text) = app.http.text(&app.url("query", "/posts")).await;
    let places: Vec<usize> =
        ids.iter().map(|id| text.find(&format!("\"{id}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

#[tokio::test]
async fn request_id_and_trace_reach_every_hop() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let app = App::start().await;
    let request = Request::post(app.url("comments", "/posts/abc/comments"))
        .header("x-request-id", "req-42")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
        .body(r#"{"content": "traced"}"#.to_owned().into());
    assert_eq!(app.http.send(request.unwrap()).await.unwrap().0, 201);

    let lines = |service: &str| -> usize {
        let of_request = |line: &Value| line["request_id"] == "req-42" && line["trace_id"] == TRACE;
        app.log(service).iter().filter(|line| of_request(line)).count()
    };
    // CommentCreated, CommentModerated and CommentUpdated are published to the bus and pushed to the four.
    for (service, hops) in
        [("comments", 4), ("bus", 3), ("query", 3), ("moderation", 3), ("posts", 3)]
    {
        eventually(&format!("{hops} lines of {service}"), async || lines(service) == hops).await;
    }
    let line =
        app.log("comments").into_iter().find(|line| line["path"] == "/posts/abc/comments").unwrap();
    assert_eq!(
        (&line["service"], &line["method"], &line["status"]),
        (&json!("comments"), &json!("POST"), &json!(201))
    );
    assert!(line["duration_ms"].is_number(), "{line}");
}

#[tokio::test]
async fn every_service_reports_health_and_readiness() {
    let app = App::start().await;
    for service in SERVICES {
        assert_eq!(app.get(service, "/healthz").await, json!({"status": "ok"}), "{service}");
        assert_eq!(app.get(service, "/readyz").await, json!({"status": "ready"}), "{service}");
    }
}

#[tokio::test]
async fn the_page_forbids_foreign_and_inline_code() {
    let app = App::start().await;
    for path in ["/", "/app.js", "/style.css", "/icon.svg"] {
        let (headers, _) = app.http.text(&app.url("client", path)).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
}
