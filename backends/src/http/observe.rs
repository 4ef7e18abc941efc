//! The outermost layer of every service: trace context in, one structured log line out, and a deadline for the whole request.

use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::error::ApiError;
use crate::trace::{REQUEST_ID, TraceContext};

/// Longer than any handler takes; ends requests whose body never arrives.
const DEADLINE: Duration = Duration::from_secs(30);

/// Serves `request` and logs it. Handlers find the [`TraceContext`] among the request's extensions.
pub async fn observe(
    State(service): State<&'static str>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let context = TraceContext::receive(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(context.clone());

    let served = tokio::time::timeout(DEADLINE, next.run(request)).await;
    let mut response = served
        .unwrap_or_else(|_| ApiError::unavailable("the request took too long").into_response());
    if let Ok(value) = HeaderValue::from_str(&context.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    log(service, method.as_str(), &path, response.status().as_u16(), started.elapsed(), &context);
    response
}

/// Probes, and the readers of the bus's log, come every few seconds from every side: they are logged at debug level.
fn log(
    service: &str,
    method: &str,
    path: &str,
    status: u16,
    duration: Duration,
    context: &TraceContext,
) {
    // Whole microseconds: more digits are noise.
    let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
    let TraceContext { request_id, trace_id, .. } = context;
    let routine = matches!((method, path), ("GET", "/healthz" | "/readyz" | "/events"));
    if routine && status < 500 {
        tracing::debug!(
            service,
            method,
            path,
            status,
            duration_ms,
            request_id,
            trace_id,
            "request"
        );
    } else {
        tracing::info!(service, method, path, status, duration_ms, request_id, trace_id, "request");
    }
}
