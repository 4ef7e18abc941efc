//! Request parts that are read the same way everywhere, with [`ApiError`] for whatever is wrong with them.

use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::http::error::ApiError;

const MAX_PATH_ID: usize = 128;

/// A JSON body. The Content-Type is not asked for: `curl -d` sends none that fits.
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await.map_err(unreadable)?;
        let value = serde_json::from_slice(&body);
        value.map(Self).map_err(|error| {
            ApiError::bad_request(format!("the body is not the expected JSON: {error}"))
        })
    }
}

fn unreadable(rejection: BytesRejection) -> ApiError {
    match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            ApiError::too_large("the body is too large")
        }
        _ => ApiError::bad_request("the body could not be read"),
    }
}

/// The id of a post in the path.
pub struct PostId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PostId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|_| ApiError::bad_request("the post id is not valid UTF-8"))?;
        if id.len() > MAX_PATH_ID {
            return Err(ApiError::bad_request("the post id is too long"));
        }
        Ok(Self(id))
    }
}

/// The non-blank text in `field`.
///
/// # Errors
/// The field is missing, is no string, or holds nothing but white space.
pub fn required_text(body: &mut Map<String, Value>, field: &str) -> Result<String, ApiError> {
    match body.remove(field) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(Value::String(_) | Value::Null) | None => {
            Err(ApiError::bad_request(format!("{field} is required")))
        }
        Some(_) => Err(ApiError::bad_request(format!("{field} must be a string"))),
    }
}
