//! What every service's HTTP side has in common: health endpoints, limits, errors in JSON, one log line per request.

pub mod body;
pub mod error;
mod observe;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde_json::json;
use tokio::sync::watch;

use crate::http::error::ApiError;
use crate::store::Database;

/// Largest body of a public request, in bytes.
pub const MAX_PUBLIC_BODY: usize = 64 * 1024;
/// Largest event that the bus takes, in bytes of JSON as the bus writes it.
pub const MAX_EVENT: usize = 1024 * 1024;
/// Largest body on `POST /events` of a subscriber: it must take whatever the bus took, or it would block its own queue.
pub const MAX_DELIVERY: usize = MAX_EVENT + 16 * 1024;

/// What has to hold for `/readyz` to say yes, apart from not being about to stop.
#[derive(Clone)]
pub enum Readiness {
    /// Nothing: the service has no state.
    Always,
    /// The database answers.
    Database(Database),
    /// Somebody says so.
    Signal(watch::Receiver<bool>),
}

/// State of the health endpoints.
#[derive(Clone)]
pub struct Health {
    /// The service's own condition.
    pub readiness: Readiness,
    /// True from the shutdown signal on.
    pub draining: watch::Receiver<bool>,
}

/// The service's routes with everything around them that is common.
pub fn router(service: &'static str, routes: Router, health: Health) -> Router {
    let probes =
        Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).with_state(health);
    routes
        .merge(probes)
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_PUBLIC_BODY))
        .layer(middleware::from_fn_with_state(service, observe::observe))
}

/// The answer to an event that was taken: the original's words.
pub fn ok() -> Response {
    Json(json!({"status": "OK"})).into_response()
}

async fn alive() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

async fn ready(State(health): State<Health>) -> Response {
    let stopping = *health.draining.borrow();
    let condition = match &health.readiness {
        Readiness::Always => true,
        Readiness::Database(database) => database.answers().await,
        Readiness::Signal(signal) => *signal.borrow(),
    };
    if condition && !stopping {
        Json(json!({"status": "ready"})).into_response()
    } else {
        let status = if stopping { "stopping" } else { "not ready" };
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": status}))).into_response()
    }
}
