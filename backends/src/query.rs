//! The query service: the page's view of posts with their comments, kept in memory and folded from the bus's log.
//! It reads the log at start, is ready once it has seen the end of it, and from then on takes what the bus pushes.

mod follow;
mod view;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::bus::LOG_ID;
use crate::event::Envelope;
use crate::http::body::{JsonBody, PostId};
use crate::http::error::ApiError;
use crate::http::{MAX_DELIVERY, Readiness, ok};
use crate::query::follow::{Follower, Pushed};
use crate::query::view::Shown;
use crate::service::{Parts, Tasks};
use crate::settings;

/// How long a pushed event waits for the reading of what lies before it. Then the bus offers it again.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Starts following the log.
pub fn open(settings: &settings::Query, tasks: &mut Tasks) -> Parts {
    let (follower, up_to_date) = Follower::new(&settings.bus.bus_url, settings.poll_interval());
    let follower = Arc::new(follower);
    let following = Arc::clone(&follower);
    tasks.spawn(|stop| following.run(stop));
    let routes = Router::new()
        .route("/posts", get(posts))
        .route("/posts/{id}/comments", get(comments))
        .route("/events", post(take_event).layer(DefaultBodyLimit::max(MAX_DELIVERY)))
        .with_state(follower);
    Parts { routes, readiness: Readiness::Signal(up_to_date) }
}

/// An object keyed by post id, in the order in which the posts were written.
async fn posts(State(follower): State<Arc<Follower>>) -> Result<Response, ApiError> {
    let view = follower.view().ok_or_else(not_ready)?;
    let json =
        serde_json::to_vec(&*view).map_err(|error| ApiError::unavailable(error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

/// The comments of one post, oldest first; none if nobody knows the post.
async fn comments(
    State(follower): State<Arc<Follower>>,
    PostId(post_id): PostId,
) -> Result<Json<Vec<Shown>>, ApiError> {
    let view = follower.view().ok_or_else(not_ready)?;
    Ok(Json(view.comments_of(&post_id).to_vec()))
}

/// Acknowledged when the view includes the event, whichever way it got there.
async fn take_event(
    State(follower): State<Arc<Follower>>,
    headers: HeaderMap,
    JsonBody(envelope): JsonBody<Envelope>,
) -> Result<Response, ApiError> {
    let log_id = headers.get(LOG_ID).and_then(|value| value.to_str().ok());
    if let Pushed::Ahead { log_id, offset } = follower.push(log_id, envelope) {
        let reading = follower.read_up_to(&log_id, offset);
        if tokio::time::timeout(CATCH_UP, reading).await.is_err() {
            return Err(ApiError::unavailable("the log has not been read up to this event yet"));
        }
    }
    Ok(ok())
}

fn not_ready() -> ApiError {
    ApiError::unavailable("the posts are being read from the event bus")
}
