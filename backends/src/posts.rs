//! The posts service: takes new posts. The list that the page shows is the query service's affair.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::event::{Event, Post};
use crate::http::body::{JsonBody, required_text};
use crate::http::error::ApiError;
use crate::http::{MAX_DELIVERY, Readiness, ok};
use crate::id;
use crate::outbox::{self, Outbox};
use crate::service::{Error, Parts, Tasks};
use crate::settings;
use crate::store::Database;
use crate::trace::TraceContext;

const SCHEMA: [&str; 2] = [
    "CREATE TABLE posts(
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL
    ) STRICT",
    outbox::SCHEMA,
];

#[derive(Clone)]
struct Posts {
    database: Database,
    wake: Arc<Notify>,
}

/// Opens the database and starts delivering events.
pub async fn open(settings: &settings::Posts, tasks: &mut Tasks) -> Result<Parts, Error> {
    let database = Database::open(&settings.storage.data_dir, "posts", &SCHEMA).await?;
    let outbox = Outbox::new("posts", database.clone(), &settings.bus.bus_url);
    let state = Posts { database: database.clone(), wake: outbox.wake() };
    tasks.spawn(|stop| outbox.deliver(stop));
    let routes = Router::new()
        .route("/posts/create", post(create))
        .route("/posts", get(list))
        .route("/events", post(ignore_event).layer(DefaultBodyLimit::max(MAX_DELIVERY)))
        .with_state(state);
    Ok(Parts { routes, readiness: Readiness::Database(database) })
}

/// The post and its event commit together, or not at all.
async fn create(
    State(posts): State<Posts>,
    Extension(cause): Extension<TraceContext>,
    JsonBody(mut body): JsonBody<Map<String, Value>>,
) -> Result<(StatusCode, Json<Post>), ApiError> {
    let title = required_text(&mut body, "title")?;
    let insert = posts.database.write(move |transaction| {
        let post = Post { id: free_id(transaction)?, title };
        transaction.execute(
            "INSERT INTO posts(id, title) VALUES (?1, ?2)",
            params![post.id, post.title],
        )?;
        let event = Event::PostCreated(post.clone());
        outbox::add(transaction, &event.subject_id(), &event, &cause)?;
        Ok(post)
    });
    let post = insert.await?;
    posts.wake.notify_one();
    Ok((StatusCode::CREATED, Json(post)))
}

fn free_id(transaction: &Transaction<'_>) -> rusqlite::Result<String> {
    loop {
        let id = id::entity();
        let taken = transaction.query_row("SELECT 1 FROM posts WHERE id = ?1", [&id], |_| Ok(()));
        if taken.optional()?.is_none() {
            return Ok(id);
        }
    }
}

/// The posts without their comments, keyed by id, as the original's service has it.
async fn list(State(posts): State<Posts>) -> Result<Json<Map<String, Value>>, ApiError> {
    let select = posts.database.read(|connection| {
        let mut statement =
            connection.prepare_cached("SELECT id, title FROM posts ORDER BY seq")?;
        let rows = statement.query_map([], |row| {
            let (id, title): (String, String) = (row.get(0)?, row.get(1)?);
            let post = serde_json::json!({"id": id, "title": title});
            Ok((id, post))
        })?;
        rows.collect()
    });
    Ok(Json(select.await?))
}

/// Posts do not change through events; the bus still tells everybody.
async fn ignore_event(JsonBody(_): JsonBody<Value>) -> axum::response::Response {
    ok()
}
