//! What a snippet says about headers and answers.

use serde::Serialize;

use super::Text;

/// What applies to a request and its answer. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Changes of the answer's headers in order (`more_set_headers`, `more_clear_headers`).
    pub answer: Vec<AnswerRule>,
    /// Headers that an answer gets (`add_header`).
    pub added: Vec<AddedHeader>,
    /// How long an answer may be kept (`expires`).
    pub expires: Option<Expires>,
    /// Headers of the upstream that clients do not get, in lower case (`proxy_hide_header`).
    pub hidden: Vec<String>,
    /// Changes of the client's headers before they are sent upstream, in order (`more_set_input_headers`,
    /// `more_clear_input_headers`).
    pub input: Vec<InputRule>,
    /// Headers that the upstream is sent besides (`proxy_set_header`).
    pub sent: Vec<SentHeader>,
    /// Type of bodies that `return` makes, where the path does not tell another (`default_type`).
    pub default_type: Option<String>,
    /// Whether answers are compressed; none is as it is configured otherwise (`gzip`).
    pub gzip: Option<bool>,
    /// What is replaced in answers (`sub_filter`).
    pub substitution: Option<Substitution>,
}

/// A change of an answer's headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnswerRule {
    /// Only with these statuses; empty is all.
    pub statuses: Vec<u16>,
    /// Only with these types of content, in lower case; empty is all.
    pub types: Vec<String>,
    /// What changes.
    pub action: HeaderAction,
}

/// What becomes of a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HeaderAction {
    /// It gets this value in place of all others; an empty one removes it.
    Set {
        /// Its name as written.
        name: String,
        /// Its value.
        value: Text,
    },
    /// It gets this value beside others.
    Append {
        /// Its name as written.
        name: String,
        /// Its value.
        value: Text,
    },
    /// It is removed. In lower case.
    Clear(String),
    /// All are removed whose names begin so. In lower case.
    ClearPrefix(String),
}

/// A header that an answer gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddedHeader {
    /// Its name as written.
    pub name: String,
    /// Its value; with an empty one there is no header.
    pub value: Text,
    /// Whatever the answer's status is.
    pub always: bool,
}

/// How long an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Expires {
    /// Nothing is said.
    Off,
    /// It is over already.
    Epoch,
    /// For ten years.
    Max,
    /// For this many seconds from now on; it is over already if they are negative.
    After(i64),
    /// For this many seconds after it was last modified.
    AfterModified(i64),
    /// Until this second of the day, by UTC.
    Daily(u32),
}

/// A change of a client's headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputRule {
    /// Only with these types of content, in lower case; empty is all.
    pub types: Vec<String>,
    /// What changes.
    pub action: InputAction,
}

/// What becomes of a client's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum InputAction {
    /// It gets this value; an empty one removes it.
    Set {
        /// Its name as written.
        name: String,
        /// Its value.
        value: Text,
        /// Only if the client sends one.
        only_if_there: bool,
    },
    /// It is not sent. In lower case.
    Clear(String),
    /// None whose name begins so is sent. In lower case.
    ClearPrefix(String),
}

/// A header that the upstream is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentHeader {
    /// Its name as written.
    pub name: String,
    /// Its value; with an empty one none is sent, neither the client's.
    pub value: Text,
}

/// What is replaced in the bodies of answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Substitution {
    /// What is replaced by what; the earlier goes first.
    pub replacements: Vec<Replacement>,
    /// Each only once.
    pub once: bool,
    /// In these types of content, in lower case; empty is every one.
    pub types: Vec<String>,
    /// `Last-Modified` of the answer stays.
    pub keeps_last_modified: bool,
}

/// A text and what comes in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replacement {
    /// What is looked for, without regard to ASCII case; in lower case, not empty.
    pub text: String,
    /// What comes in its place.
    pub by: Text,
}
