//! Reading the Secret together with the time at which the API server has answered.

use std::time::SystemTime;

use http::{HeaderMap, header};
use k8s_openapi::{api::core::v1::Secret, jiff::fmt::rfc2822::DateTimeParser};
use kube::{
    Client, Error, Resource,
    api::GetParams,
    client::Body,
    core::{Request, Status},
};

use crate::options::NamespacedName;

/// A Secret, `None` if it does not exist, and the time by the API server's clock, unless something on the way takes the
/// date from its answers.
///
/// # Errors
///
/// If the server refuses, does not answer, or answers with something else.
pub async fn get(
    client: &Client,
    secret: &NamespacedName,
) -> Result<(Option<Secret>, Option<SystemTime>), Error> {
    let path = Secret::url_path(&(), Some(&secret.namespace));
    let request = Request::new(path).get(&secret.name, &GetParams::default());
    let request = request.map_err(Error::BuildRequest)?;
    let answer = client.send(request.map(Body::from)).await?;
    let (code, date) = (answer.status(), date(answer.headers()));
    let body = answer.into_body().collect_bytes().await?;
    if code.is_success() {
        let found = serde_json::from_slice(&body).map_err(Error::SerdeError)?;
        return Ok((Some(found), date));
    }
    // A proxy may answer with something else.
    let status = serde_json::from_slice(&body).unwrap_or_else(|_| {
        Status::failure(&String::from_utf8_lossy(&body), "").with_code(code.as_u16())
    });
    match Error::Api(Box::new(status)) {
        Error::Api(status) if status.is_not_found() => Ok((None, date)),
        error => Err(error),
    }
}

/// When an answer was sent, by the sender's clock.
fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let date = headers.get(header::DATE)?;
    let date = DateTimeParser::new().parse_timestamp(date.as_bytes()).ok()?;
    Some(date.into())
}
