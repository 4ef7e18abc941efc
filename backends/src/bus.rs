//! The event bus: a durable, ordered log of everything that happened, pushed to each subscriber in order, at least once.
//!
//! - `POST /events` takes `{type, data}` and, so that a sender can repeat itself safely, `id`; an id is logged once.
//!   The answer is `{"status":"OK","id":…,"offset":…}`, the same for a repetition.
//! - `GET /events` is a JSON array of `{offset, id, type, data}`, all of it or `?after=OFFSET` (or `?from=OFFSET`, inclusive),
//!   at most `?limit=N`. The header `X-Log-Id` names the log: offsets of another log mean nothing here.
//! - A subscriber gets the same objects one by one, with `X-Log-Id`, the request id and the trace of whoever caused them.

mod delivery;
mod log;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::bus::delivery::Delivery;
use crate::bus::log::{Log, NewEvent, Stored};
use crate::event::Envelope;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::{MAX_EVENT, Readiness};
use crate::id;
use crate::service::{Error, Parts, Tasks};
use crate::settings;
use crate::trace::TraceContext;

/// Names the log that offsets belong to; a bus that lost its disk has another one.
pub const LOG_ID: &str = "x-log-id";

const MAX_NAME: usize = 256;
/// A page with a limit ends early beyond this many bytes of events.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Opens the log and starts one delivery per subscriber.
pub async fn open(settings: &settings::Bus, tasks: &mut Tasks) -> Result<Parts, Error> {
    let mut names: Vec<&str> =
        settings.subscribers.iter().map(|subscriber| subscriber.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::DuplicateSubscriber(pair[0].to_owned()));
    }
    let log = Log::open(&settings.storage.data_dir).await?;
    for subscriber in settings.subscribers.clone() {
        let cursor = log.subscribe(&subscriber.name, settings.new_subscribers_start).await?;
        let delivery = Delivery::new(log.clone(), subscriber, cursor);
        tasks.spawn(|stop| delivery.run(stop));
    }
    let readiness = Readiness::Database(log.database().clone());
    // Twice the limit of an event: the same event can be written in a longer way.
    let events = get(list).post(publish).layer(DefaultBodyLimit::max(2 * MAX_EVENT));
    Ok(Parts { routes: Router::new().route("/events", events).with_state(log), readiness })
}

async fn publish(
    State(log): State<Log>,
    Extension(cause): Extension<TraceContext>,
    JsonBody(envelope): JsonBody<Envelope>,
) -> Result<Response, ApiError> {
    let id = envelope.id.unwrap_or_else(id::long);
    for (field, text) in [("type", &envelope.kind), ("id", &id)] {
        if text.is_empty() || text.len() > MAX_NAME {
            return Err(ApiError::bad_request(format!("{field} must have 1 to {MAX_NAME} bytes")));
        }
    }
    let data = envelope.data.to_string();
    if data.len() > MAX_EVENT {
        return Err(ApiError::too_large("the event is too large"));
    }
    let event = NewEvent { id: id.clone(), kind: envelope.kind, data, cause };
    let offset = log.append(event).await?;
    Ok(Json(json!({"status": "OK", "id": id, "offset": offset})).into_response())
}

#[derive(Deserialize)]
struct Range {
    after: Option<i64>,
    from: Option<i64>,
    limit: Option<usize>,
}

async fn list(
    State(log): State<Log>,
    range: Result<Query<Range>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(range) = range.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let after = match (range.after, range.from) {
        (Some(_), Some(_)) => {
            return Err(ApiError::bad_request("after and from exclude each other"));
        }
        (Some(after), None) => after,
        (None, Some(from)) => from.saturating_sub(1),
        (None, None) => 0,
    };
    let max_bytes = if range.limit.is_some() { PAGE_BYTES } else { usize::MAX };
    let events = log.page(after, range.limit.unwrap_or(usize::MAX), max_bytes).await?;
    let headers = [(CONTENT_TYPE.as_str(), "application/json"), (LOG_ID, log.id())];
    Ok((headers, array(&events)).into_response())
}

fn array(events: &[Stored]) -> String {
    let length: usize = events.iter().map(|event| event.data.len() + 128).sum();
    let mut text = String::with_capacity(length);
    text.push('[');
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        event.write_json(&mut text);
    }
    text.push(']');
    text
}
