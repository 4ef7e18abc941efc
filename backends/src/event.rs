//! The events of the application and their wire format: `{"type": …, "data": {…}}` as in the original, plus `id` and `offset`.
//! Ids of events are derived from what they tell, so that telling it twice is seen by the bus as one event.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The judgement on a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not judged yet.
    Pending,
    /// Shown.
    Approved,
    /// Not shown.
    Rejected,
}

impl Status {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// A post as the events tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Eight hex digits.
    pub id: String,
    /// Never empty.
    pub title: String,
}

/// A comment as the events tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// Eight hex digits.
    pub id: String,
    /// The post it belongs to, whether or not that exists.
    pub post_id: String,
    /// Never empty.
    pub content: String,
    /// Judgement so far.
    pub status: Status,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// A post was written.
    PostCreated(Post),
    /// A comment was written.
    CommentCreated(Comment),
    /// Moderation judged a comment.
    CommentModerated(Comment),
    /// The comments service took the judgement over.
    CommentUpdated(Comment),
}

impl Event {
    /// Reads an event; `None` for types that this application does not know.
    ///
    /// # Errors
    /// The type is known and the data does not fit it.
    pub fn read(kind: &str, data: Value) -> Result<Option<Self>, serde_json::Error> {
        let event = match kind {
            "PostCreated" => Self::PostCreated(serde_json::from_value(data)?),
            "CommentCreated" => Self::CommentCreated(serde_json::from_value(data)?),
            "CommentModerated" => Self::CommentModerated(serde_json::from_value(data)?),
            "CommentUpdated" => Self::CommentUpdated(serde_json::from_value(data)?),
            _ => return Ok(None),
        };
        Ok(Some(event))
    }

    /// The `type` on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PostCreated(_) => "PostCreated",
            Self::CommentCreated(_) => "CommentCreated",
            Self::CommentModerated(_) => "CommentModerated",
            Self::CommentUpdated(_) => "CommentUpdated",
        }
    }

    /// The event's id: its type and its subject. Right for everything that happens once to a subject.
    pub fn subject_id(&self) -> String {
        let subject = match self {
            Self::PostCreated(post) => &post.id,
            Self::CommentCreated(comment)
            | Self::CommentModerated(comment)
            | Self::CommentUpdated(comment) => &comment.id,
        };
        format!("{}/{subject}", self.kind())
    }

    /// The id of an event that answers another one, so that a second answer to the same event is the same event.
    pub fn answer_id(&self, cause: &str) -> String {
        format!("{}/{cause}", self.kind())
    }
}

/// An event on the way to or from the bus. The original's `{type, data}` is a valid one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Place in the bus's log; set by the bus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    /// What the bus tells repetitions by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name of the kind of event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Anything.
    #[serde(default)]
    pub data: Value,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn comment(status: Status) -> Comment {
        Comment {
            id: "0a1b2c3d".into(),
            post_id: "ffffffff".into(),
            content: "hello".into(),
            status,
        }
    }

    #[test]
    fn wire_format_is_that_of_the_original() {
        let event = Event::CommentCreated(comment(Status::Pending));
        let data = json!({"id": "0a1b2c3d", "postId": "ffffffff", "content": "hello", "status": "pending"});
        assert_eq!(
            serde_json::to_value(&event).unwrap(),
            json!({"type": "CommentCreated", "data": data})
        );
        assert_eq!(Event::read("CommentCreated", data).unwrap(), Some(event));
    }

    #[test]
    fn unknown_types_are_no_error_and_misfits_are() {
        assert_eq!(Event::read("PostLiked", json!({"id": 1})).unwrap(), None);
        assert!(Event::read("PostCreated", json!({"id": 1})).is_err());
    }

    #[test]
    fn ids_depend_on_subject_and_cause_only() {
        let event = Event::CommentModerated(comment(Status::Approved));
        assert_eq!(
            event.subject_id(),
            Event::CommentModerated(comment(Status::Rejected)).subject_id()
        );
        assert_eq!(event.answer_id("a"), "CommentModerated/a");
    }
}
