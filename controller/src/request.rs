//! Single requests to the API server: each ends in time, and its failure says whether the server has spoken.

use std::{fmt, time::Duration};

use kube::{Error, core::Status};

/// What a request may not take longer than, unless there are reasons for another time.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Why a request has failed.
#[derive(Debug)]
pub enum Failure {
    /// The server has refused it.
    Refused(Box<Status>),
    /// No answer, or none that can be read: it may have been done or not.
    Unanswered(String),
}

impl Failure {
    /// Another version of the object is there, or one of that name already.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 409)
    }

    /// There is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 404)
    }

    /// The account may not do this; or the server has just started and does not know yet that it may.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code == 403)
    }

    /// Nothing can be created in the namespace any more: it is being deleted.
    pub fn is_namespace_terminating(&self) -> bool {
        let Self::Refused(status) = self else { return false };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        status.code == 403
            && (causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
                || status.message.contains("because it is being terminated"))
    }

    /// It may succeed if it is tried again as it is.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused(status) => matches!(status.code, 408 | 429) || status.code >= 500,
            Self::Unanswered(_) => true,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) if status.message.is_empty() => {
                write!(f, "the answer is status {}", status.code)
            }
            Self::Refused(status) => f.write_str(&status.message),
            Self::Unanswered(reason) => f.write_str(reason),
        }
    }
}

/// The answer to a request, if it comes within this time.
///
/// # Errors
///
/// If the server refuses, or does not answer in time.
pub async fn answer<T>(
    within: Duration,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(within, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Error::Api(status))) => Err(Failure::Refused(status)),
        Ok(Err(error)) => Err(Failure::Unanswered(chain(&error))),
        Err(_) => Err(Failure::Unanswered(format!("no answer within {} s", within.as_secs()))),
    }
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
pub(crate) mod mock;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_that_is_deleted_is_told_from_a_missing_right() {
        // As admission answers, and as older servers do.
        let cause = json!({"reason": "NamespaceTerminating", "field": "metadata.namespace",
            "message": "namespace a is being terminated"});
        let of = |code: u16, message: &str, causes: &[&serde_json::Value]| {
            let status = json!({"status": "Failure", "code": code, "message": message,
                "reason": "Forbidden", "details": {"causes": causes}});
            let status = serde_json::from_value(status).unwrap();
            Failure::Refused(Box::new(status)).is_namespace_terminating()
        };
        let old = "unable to create new content in namespace a because it is being terminated";
        assert!(of(403, "no", &[&cause]) && of(403, old, &[]));
        assert!(!of(403, "User \"x\" cannot create resource \"events\"", &[]));
        assert!(!of(500, old, &[&cause]));
    }

    #[test]
    fn a_refusal_always_has_a_reason() {
        // As of a proxy before the server, which may answer with nothing but a status.
        let refused = |message| {
            let status = Status::failure(message, "Failed to parse error data").with_code(503);
            Failure::Refused(Box::new(status)).to_string()
        };
        assert_eq!(refused("no upstream"), "no upstream");
        assert_eq!(refused(""), "the answer is status 503");
    }
}
