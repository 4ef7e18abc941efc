//! The comments service: takes comments, keeps their status, and tells the others when moderation has judged one.
//! It does not know which posts exist.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::event::{Comment, Envelope, Event, Status};
use crate::http::body::{JsonBody, PostId, required_text};
use crate::http::error::ApiError;
use crate::http::{MAX_DELIVERY, Readiness, ok};
use crate::id;
use crate::outbox::{self, Outbox};
use crate::service::{Error, Parts, Tasks};
use crate::settings;
use crate::store::Database;
use crate::trace::TraceContext;

const SCHEMA: [&str; 2] = [
    "CREATE TABLE comments(
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        post_id TEXT NOT NULL,
        content TEXT NOT NULL,
        status TEXT NOT NULL
    ) STRICT;
    CREATE INDEX comments_of_post ON comments(post_id, seq)",
    outbox::SCHEMA,
];

#[derive(Clone)]
struct Comments {
    database: Database,
    wake: Arc<Notify>,
}

/// A comment in the list of its post.
#[derive(Serialize)]
struct Listed {
    id: String,
    content: String,
    status: String,
}

/// Opens the database and starts delivering events.
pub async fn open(settings: &settings::Comments, tasks: &mut Tasks) -> Result<Parts, Error> {
    let database = Database::open(&settings.storage.data_dir, "comments", &SCHEMA).await?;
    let outbox = Outbox::new("comments", database.clone(), &settings.bus.bus_url);
    let state = Comments { database: database.clone(), wake: outbox.wake() };
    tasks.spawn(|stop| outbox.deliver(stop));
    let routes = Router::new()
        .route("/posts/{id}/comments", get(list).post(create))
        .route("/events", post(take_event).layer(DefaultBodyLimit::max(MAX_DELIVERY)))
        .with_state(state);
    Ok(Parts { routes, readiness: Readiness::Database(database) })
}

/// The comments of a post, oldest first; none for a post that nobody commented on or that does not exist.
async fn list(
    State(comments): State<Comments>,
    PostId(post_id): PostId,
) -> Result<Json<Vec<Listed>>, ApiError> {
    Ok(Json(comments.database.read(move |connection| of_post(connection, &post_id)).await?))
}

/// The comment and its event commit together. The answer is the post's list, as in the original.
async fn create(
    State(comments): State<Comments>,
    Extension(cause): Extension<TraceContext>,
    PostId(post_id): PostId,
    JsonBody(mut body): JsonBody<Map<String, Value>>,
) -> Result<(StatusCode, Json<Vec<Listed>>), ApiError> {
    let content = required_text(&mut body, "content")?;
    let insert = comments.database.write(move |transaction| {
        let comment =
            Comment { id: free_id(transaction)?, post_id, content, status: Status::Pending };
        transaction.execute(
            "INSERT INTO comments(id, post_id, content, status) VALUES (?1, ?2, ?3, ?4)",
            params![comment.id, comment.post_id, comment.content, comment.status.as_str()],
        )?;
        let list = of_post(transaction, &comment.post_id)?;
        let event = Event::CommentCreated(comment);
        outbox::add(transaction, &event.subject_id(), &event, &cause)?;
        Ok(list)
    });
    let list = insert.await?;
    comments.wake.notify_one();
    Ok((StatusCode::CREATED, Json(list)))
}

/// Takes the verdicts of moderation over. Everything else, misfits included, is acknowledged and left alone:
/// refusing it would make the bus offer it for ever.
async fn take_event(
    State(comments): State<Comments>,
    Extension(cause): Extension<TraceContext>,
    JsonBody(envelope): JsonBody<Envelope>,
) -> Result<Response, ApiError> {
    match Event::read(&envelope.kind, envelope.data) {
        Ok(Some(Event::CommentModerated(verdict))) => {
            let cause_id = envelope.id;
            let update = move |transaction: &Transaction<'_>| {
                record(transaction, &verdict, cause_id, &cause)
            };
            comments.database.write(update).await?;
            comments.wake.notify_one();
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(service = "comments", kind = envelope.kind, %error, "event ignored")
        }
    }
    Ok(ok())
}

/// Stores a verdict and announces it. A verdict that is already stored was announced in the same commit.
fn record(
    transaction: &Transaction<'_>,
    verdict: &Comment,
    cause_id: Option<String>,
    cause: &TraceContext,
) -> rusqlite::Result<()> {
    let status = verdict.status;
    let updated = transaction.query_row(
        "UPDATE comments SET status = ?2 WHERE id = ?1 AND status <> ?2 RETURNING post_id, content",
        params![verdict.id, status.as_str()],
        |row| {
            Ok(Comment {
                id: verdict.id.clone(),
                post_id: row.get(0)?,
                content: row.get(1)?,
                status,
            })
        },
    );
    if let Some(comment) = updated.optional()? {
        let event = Event::CommentUpdated(comment);
        let event_id = event.answer_id(&cause_id.unwrap_or_else(id::long));
        outbox::add(transaction, &event_id, &event, cause)?;
    }
    Ok(())
}

fn of_post(connection: &Connection, post_id: &str) -> rusqlite::Result<Vec<Listed>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, content, status FROM comments WHERE post_id = ?1 ORDER BY seq",
    )?;
    let rows = statement.query_map([post_id], |row| {
        Ok(Listed { id: row.get(0)?, content: row.get(1)?, status: row.get(2)? })
    })?;
    rows.collect()
}

fn free_id(transaction: &Transaction<'_>) -> rusqlite::Result<String> {
    loop {
        let id = id::entity();
        let taken =
            transaction.query_row("SELECT 1 FROM comments WHERE id = ?1", [&id], |_| Ok(()));
        if taken.optional()?.is_none() {
            return Ok(id);
        }
    }
}
