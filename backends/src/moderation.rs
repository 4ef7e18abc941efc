//! The moderation service: judges each comment by its words. It keeps nothing: the verdict is posted to the bus before the
//! comment is acknowledged, under an id derived from the comment, so that however often the bus offers a comment, the log
//! gets one verdict.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use bytes::Bytes;

use crate::event::{Comment, Envelope, Event, Status};
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::{MAX_DELIVERY, Readiness, ok};
use crate::outbox;
use crate::outgoing::Outgoing;
use crate::service::Parts;
use crate::settings;
use crate::trace::TraceContext;

#[derive(Clone)]
struct Moderation {
    rules: Arc<Rules>,
    bus: Arc<str>,
    outgoing: Outgoing,
}

/// The banned words in lower case, without blanks.
#[derive(Debug, PartialEq, Eq)]
struct Rules(Vec<String>);

impl Rules {
    fn new(words: &[String]) -> Self {
        let words = words.iter().map(|word| word.trim().to_lowercase());
        Self(words.filter(|word| !word.is_empty()).collect())
    }

    fn judge(&self, content: &str) -> Status {
        let content = content.to_lowercase();
        let banned = self.0.iter().any(|word| content.contains(word.as_str()));
        if banned { Status::Rejected } else { Status::Approved }
    }
}

/// Reads the rules.
pub fn open(settings: &settings::Moderation) -> Parts {
    let state = Moderation {
        rules: Arc::new(Rules::new(&settings.banned_words)),
        bus: settings.bus.bus_url.join("/events").into(),
        outgoing: Outgoing::new(),
    };
    let routes = Router::new()
        .route("/events", post(take_event).layer(DefaultBodyLimit::max(MAX_DELIVERY)))
        .with_state(state);
    Parts { routes, readiness: Readiness::Always }
}

async fn take_event(
    State(moderation): State<Moderation>,
    Extension(cause): Extension<TraceContext>,
    JsonBody(envelope): JsonBody<Envelope>,
) -> Result<Response, ApiError> {
    match Event::read(&envelope.kind, envelope.data) {
        Ok(Some(Event::CommentCreated(comment))) => moderation.announce(comment, &cause).await?,
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(service = "moderation", kind = envelope.kind, %error, "event ignored")
        }
    }
    Ok(ok())
}

impl Moderation {
    /// Puts the verdict on the bus. A failure makes the bus offer the comment again.
    async fn announce(&self, comment: Comment, cause: &TraceContext) -> Result<(), ApiError> {
        let verdict = Event::CommentModerated(Comment {
            status: self.rules.judge(&comment.content),
            ..comment
        });
        let body = outbox::envelope(&verdict.subject_id(), &verdict).map_err(|error| {
            ApiError::unavailable(format!("the verdict cannot be written: {error}"))
        })?;
        let sent = self.outgoing.post(&self.bus, Bytes::from(body), cause, &[]).await;
        sent.map(drop).map_err(|error| {
            ApiError::unavailable(format!("the bus did not take the verdict: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(words: &[&str]) -> Rules {
        Rules::new(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_banned_word_anywhere_in_any_case_rejects() {
        let rules = rules(&["orange", " Äpfel "]);
        for content in ["orange", "two oranges", "ORANGE!", "viele äpfel"] {
            assert_eq!(rules.judge(content), Status::Rejected, "{content}");
        }
        for content in ["range", "o range", "apple", ""] {
            assert_eq!(rules.judge(content), Status::Approved, "{content}");
        }
    }

    #[test]
    fn an_empty_list_bans_nothing() {
        assert_eq!(rules(&["", " "]).judge("orange"), Status::Approved);
    }
}
