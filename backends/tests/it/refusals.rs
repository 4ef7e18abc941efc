//! What the services answer to requests that make no sense. Always JSON, never a closed connection.

use serde_json::json;

use crate::support::App;

async fn refused(app: &App, service: &str, path: &str, body: &str, expected: u16, message: &str) {
    let (status, answer) = app.http.post_text(&app.url(service, path), body).await.unwrap();
    assert_eq!(status, expected, "{service} {path} {body:.60}: {answer}");
    assert_eq!(answer["status"], "Error", "{service} {path} {body:.60}: {answer}");
    let text = answer["message"].as_str().unwrap();
    assert!(text.contains(message), "{service} {path} {body:.60}: {text}");
}

#[tokio::test]
async fn a_post_needs_a_title() {
    let app = App::start().await;
    let bodies = [
        ("{}", "title is required"),
        (r#"{"title": ""}"#, "title is required"),
        (r#"{"title": " \t"}"#, "title is required"),
        (r#"{"title": null}"#, "title is required"),
        (r#"{"title": 7}"#, "must be a string"),
        (r#"{"title": "#, "expected JSON"),
        ("", "expected JSON"),
        ("[]", "expected JSON"),
        ("\"title\"", "expected JSON"),
    ];
    for (body, message) in bodies {
        refused(&app, "posts", "/posts/create", body, 400, message).await;
    }
    assert_eq!(app.get("bus", "/events").await, json!([]));
}

#[tokio::test]
async fn a_comment_needs_content() {
    let app = App::start().await;
    for (body, message) in [
        ("{}", "content is required"),
        (r#"{"content": ""}"#, "content is required"),
        ("{", "JSON"),
    ] {
        refused(&app, "comments", "/posts/abc/comments", body, 400, message).await;
    }
    refused(&app, "comments", "/posts/%ff/comments", r#"{"content": "a"}"#, 400, "UTF-8").await;
    let long = format!("/posts/{}/comments", "a".repeat(129));
    refused(&app, "comments", &long, r#"{"content": "a"}"#, 400, "too long").await;
    assert_eq!(app.get("bus", "/events").await, json!([]));
}

#[tokio::test]
async fn bodies_are_limited() {
    let app = App::start().await;
    let title = |length: usize| json!({"title": "x".repeat(length)}).to_string();
    refused(&app, "posts", "/posts/create", &title(64 * 1024), 413, "too large").await;
    let (status, _) =
        app.http.post_text(&app.url("posts", "/posts/create"), &title(60 * 1024)).await.unwrap();
    assert_eq!(status, 201);
    let event = json!({"type": "Large", "data": "x".repeat(1024 * 1024)}).to_string();
    refused(&app, "bus", "/events", &event, 413, "too large").await;
}

#[tokio::test]
async fn the_bus_wants_a_type_and_a_sensible_range() {
    let app = App::start().await;
    for body in
        ["{}", r#"{"type": ""}"#, r#"{"type": 7}"#, r#"{"type": "A", "id": ""}"#, "nonsense"]
    {
        refused(&app, "bus", "/events", body, 400, "").await;
    }
    for query in ["after=x", "from=1.5", "limit=-1", "after=1&from=1"] {
        let (status, answer) =
            app.http.get(&app.url("bus", &format!("/events?{query}"))).await.unwrap();
        assert_eq!((status, &answer["status"]), (400, &json!("Error")), "{query}: {answer}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_json() {
    let app = App::start().await;
    for service in crate::support::SERVICES {
        refused(&app, service, "/nonsense", "", 404, "not found").await;
        refused(&app, service, "/healthz", "", 405, "method not allowed").await;
    }
}

#[tokio::test]
async fn events_that_do_not_fit_are_logged_and_stop_nothing() {
    let app = App::start().await;
    for (kind, data) in
        [("PostCreated", json!(7)), ("CommentCreated", json!({})), ("CommentUpdated", json!(null))]
    {
        app.post("bus", "/events", json!({"type": kind, "data": data})).await;
    }
    app.post("bus", "/events", json!({"type": "CommentModerated"})).await;
    let post = app.post("posts", "/posts/create", json!({"title": "after"})).await;
    let id = post["id"].as_str().unwrap();
    app.post("comments", &format!("/posts/{id}/comments"), json!({"content": "good"})).await;
    app.statuses(id, &["approved"]).await;
}
