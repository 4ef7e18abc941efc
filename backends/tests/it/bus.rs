//! The bus by itself: what it stores, what it hands out, how it delivers.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{App, eventually};

/// A subscriber that refuses each event as often as it is told to and remembers those that it took.
#[derive(Clone, Default)]
struct Recorder {
    taken: Arc<Mutex<Vec<Value>>>,
    refusals_left: Arc<Mutex<usize>>,
}

impl Recorder {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/events", post(Self::take)).with_state(self.clone());
        tokio::spawn(axum::serve(listener, routes).into_future());
        url
    }

    async fn take(State(recorder): State<Self>, Json(event): Json<Value>) -> StatusCode {
        let mut refusals = recorder.refusals_left.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        recorder.taken.lock().unwrap().push(event);
        StatusCode::OK
    }

    fn names(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(|event| event["data"].as_str().unwrap().to_owned()).collect()
    }
}

async fn publish(app: &App, name: &str) -> Value {
    app.post("bus", "/events", json!({"type": "Said", "id": name, "data": name})).await
}

async fn bus_with(recorder: &Recorder, start: &str) -> App {
    let mut app = App::new(&[("NEW_SUBSCRIBERS_START", start)]);
    app.set_env("SUBSCRIBERS", &format!("recorder={}", recorder.start().await));
    app.start_service("bus");
    app.ready("bus").await;
    app
}

#[tokio::test]
async fn an_event_with_an_id_is_logged_once_and_one_without_each_time() {
    let app = App::start().await;
    let first = publish(&app, "one").await;
    assert_eq!(first, json!({"status": "OK", "id": "one", "offset": 1}));
    assert_eq!(publish(&app, "one").await, first);
    for _ in 0..2 {
        app.post("bus", "/events", json!({"type": "Plain", "data": {"a": 1}})).await;
    }
    let events = app.get("bus", "/events").await;
    let kinds: Vec<&str> =
        events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Said", "Plain", "Plain"]);
    assert_eq!(events[0], json!({"offset": 1, "id": "one", "type": "Said", "data": "one"}));
}

#[tokio::test]
async fn the_log_can_be_read_from_any_offset() {
    let app = App::start().await;
    for name in ["a", "b", "c", "d"] {
        publish(&app, name).await;
    }
    for (query, expected) in [
        ("", vec!["a", "b", "c", "d"]),
        ("?after=2", vec!["c", "d"]),
        ("?from=2", vec!["b", "c", "d"]),
        ("?from=0", vec!["a", "b", "c", "d"]),
        ("?after=1&limit=2", vec!["b", "c"]),
        ("?after=4", vec![]),
        ("?after=9223372036854775807", vec![]),
    ] {
        let events = app.get("bus", &format!("/events{query}")).await;
        let ids: Vec<&str> =
            events.as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{query}");
    }
}

#[tokio::test]
async fn a_subscriber_that_refuses_gets_every_event_in_order_later() {
    let recorder = Recorder::default();
    *recorder.refusals_left.lock().unwrap() = 3;
    let app = bus_with(&recorder, "earliest").await;
    let names: Vec<String> = (0..30).map(|number| format!("event {number}")).collect();
    for name in &names {
        publish(&app, name).await;
    }
    eventually("all events", async || recorder.names().len() >= names.len()).await;
    assert_eq!(recorder.names(), names);
}

#[tokio::test]
async fn a_restarted_bus_goes_on_where_the_subscriber_stood() {
    let recorder = Recorder::default();
    let mut app = bus_with(&recorder, "earliest").await;
    publish(&app, "before").await;
    eventually("the first event", async || recorder.names() == ["before"]).await;
    app.terminate("bus");
    assert!(app.ended("bus").await.success());
    app.start_service("bus");
    app.ready("bus").await;
    publish(&app, "after").await;
    eventually("the second event", async || {
        recorder.names().last().is_some_and(|name| name == "after")
    })
    .await;
    assert_eq!(recorder.names(), ["before", "after"], "an orderly stop repeats nothing");
}

#[tokio::test]
async fn a_new_subscriber_starts_where_it_was_told_to() {
    for (start, expected) in [("earliest", vec!["old", "new"]), ("latest", vec!["new"])] {
        let nobody = Recorder::default();
        let mut app = bus_with(&nobody, start).await;
        publish(&app, "old").await;
        app.kill("bus");
        let newcomer = Recorder::default();
        app.set_env("SUBSCRIBERS", &format!("newcomer={}", newcomer.start().await));
        app.start_service("bus");
        app.ready("bus").await;
        publish(&app, "new").await;
        eventually("the new event", async || {
            newcomer.names().last().is_some_and(|name| name == "new")
        })
        .await;
        assert_eq!(newcomer.names(), expected, "{start}");
    }
}
