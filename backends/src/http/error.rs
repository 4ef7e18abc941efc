//! Error → response, for all services: `{"status": "Error", "message": …}` as the original's posts service answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::store::StoreError;

/// A request that was not served: the status and a sentence for the caller.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// 413: the body is larger than allowed.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, message: message.into() }
    }

    /// 503: it could work later.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message: message.into() }
    }

    /// 404: there is no such path.
    pub fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, message: "not found".to_owned() }
    }

    /// 405: the path exists, the method does not.
    pub fn method_not_allowed() -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message: "method not allowed".to_owned() }
    }
}

impl From<StoreError> for ApiError {
    /// Every storage failure counts as passing (a full or busy disk), and its details stay in the log.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "storage failed");
        Self::unavailable("storage is not available")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"status": "Error", "message": self.message}))).into_response()
    }
}
