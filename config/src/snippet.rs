//! What snippets ask for, as typed actions: their text ends in the control plane (annotations §3.23).
//!
//! The words are those of nginx's phases: *steps* run in the order in which they are written while a request looks for
//! its location; a *policy* is what applies to its headers and its answer. A condition that holds chooses the policy of
//! its block, as nginx does with `if` in a location.

mod policy;
mod text;

use std::sync::Arc;

use serde::Serialize;

pub use policy::{
    AddedHeader, AnswerRule, Expires, HeaderAction, InputAction, InputRule, Policy, Replacement,
    SentHeader, Substitution,
};
pub use text::{Piece, SETTABLE, Text, is_variable};

use crate::Location;

/// What the snippets of one location come to: those of its Ingress, of its host and of the ConfigMap, merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// What is done once the location is found.
    pub steps: Vec<Step>,
    /// What applies then: the first one, unless a step chooses another. Never empty.
    pub policies: Vec<Policy>,
}

/// What the snippets of one host come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostSnippet {
    /// What is done before a location is looked for.
    pub steps: Vec<Step>,
    /// What is done after `app-root`: the ConfigMap's part (annotations §3.0).
    pub late_steps: Vec<Step>,
    /// What applies to answers that have no location.
    pub policy: Policy,
    /// Locations that snippets define, in order.
    pub locations: Vec<OwnLocation>,
}

/// A location that a snippet defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnLocation {
    /// Which paths it takes.
    pub matcher: OwnMatch,
    /// It comes after the host's other locations, as what the ConfigMap defines.
    pub late: bool,
    /// What happens there. Its own matcher is for display.
    pub location: Arc<Location>,
}

/// Which normalised paths a location of a snippet takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnMatch {
    /// This one: `location = /x`.
    Exact(String),
    /// Those that begin with these bytes: `location /x`, or `location ^~ /x`, which no pattern goes before.
    Prefix {
        /// The bytes.
        text: String,
        /// No pattern goes before it.
        is_final: bool,
    },
    /// Those in which this PCRE is found: `location ~ x`, or `location ~* x`, for which case has no meaning.
    Pattern {
        /// The pattern.
        regex: String,
        /// Whether case has no meaning.
        fold: bool,
    },
}

/// One action on the way to a location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Gives a variable a value.
    Set {
        /// Its name in lower case. `args` is the query.
        variable: String,
        /// Its value.
        value: Text,
    },
    /// Does the steps if the condition holds.
    If {
        /// The condition.
        condition: Condition,
        /// What is done then.
        steps: Vec<Step>,
        /// The policy that applies then; none in steps of a host.
        policy: Option<usize>,
    },
    /// Replaces the path, or redirects.
    Rewrite(PathRewrite),
    /// Answers.
    Return(Reply),
    /// Ends these steps.
    Break,
}

/// Something that holds or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// The text is neither empty nor `0`.
    Truth(Text),
    /// Two texts are the same.
    Equal {
        /// One.
        left: Text,
        /// The other.
        right: Text,
        /// They are not.
        negated: bool,
    },
    /// A PCRE is found in a text; its captures are kept.
    Found {
        /// The text.
        text: Text,
        /// The pattern.
        regex: String,
        /// Case has no meaning.
        fold: bool,
        /// It is not found.
        negated: bool,
    },
}

/// `rewrite`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathRewrite {
    /// PCRE that is searched in the path. Case counts.
    pub regex: String,
    /// The new path, or where to redirect to.
    pub path: Text,
    /// What stands behind the first `?` of the replacement.
    pub query: Option<Text>,
    /// The query of the request is kept behind it.
    pub keeps_query: bool,
    /// What happens next.
    pub then: Then,
}

/// What happens after a rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Then {
    /// The next step, and in the end another search for a location.
    Next,
    /// Another search for a location (`last`).
    Search,
    /// The request goes on in this location (`break`).
    Stay,
    /// The client is sent there with this status.
    Redirect(u16),
}

/// `return`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// The status; 444 closes the connection without an answer.
    pub status: u16,
    /// The body, or the URL of a redirect; without it the stock page of the status.
    pub text: Option<Text>,
}

impl Reply {
    /// Whether its text is where the client is sent to.
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}
