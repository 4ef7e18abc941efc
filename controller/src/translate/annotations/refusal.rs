//! Why the annotations of an Ingress keep this version of it from being served (annotations §1.4, outcome R; §1.5;
//! §1.7). Names are those of the definitions.

use headgate_config::Effect;

use super::Finding;

/// A reason to refuse a version of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A value contains a word that the administrator does not want.
    #[error(
        "annotation {name} contains {word:?}, a word of annotation-value-word-blocklist; leave it out"
    )]
    BlockedWord {
        /// The annotation.
        name: String,
        /// The word.
        word: String,
    },
    /// An annotation is above the risk that the administrator accepts.
    #[error(
        "annotation group {group} contains risky annotation based on ingress configuration: {name} is above annotations-risk-level; raise that in the ConfigMap (snippets need Critical, and allow-snippet-annotations: \"true\"), or remove the annotation"
    )]
    TooRisky {
        /// The annotation.
        name: String,
        /// The reference's name for the annotations that it belongs to.
        group: &'static str,
    },
    /// A value is none that the annotation takes.
    #[error("annotation {name} contains invalid value {value:?}; give {expects}")]
    InvalidValue {
        /// The annotation.
        name: String,
        /// Its value.
        value: String,
        /// What is accepted, in words.
        expects: &'static str,
    },
    /// A snippet asks for what is not understood.
    #[error("annotation {name}: {problem}")]
    Snippet {
        /// The annotation.
        name: &'static str,
        /// Where and what.
        problem: String,
    },
}

impl Refusal {
    /// A value that is none. What stands before the host of a URL may be a password, and is not repeated.
    pub fn invalid(name: &str, value: &str, expects: &'static str) -> Self {
        Self::InvalidValue { name: name.into(), value: without_credentials(value), expects }
    }
}

/// A text without the user names and passwords of the URL that it may be.
pub fn without_credentials(text: &str) -> String {
    if let Some((scheme, rest)) = text.split_once("://")
        && let end = rest.find(['/', '?']).unwrap_or(rest.len())
        && let Some(at) = rest[..end].rfind('@')
    {
        return format!("{scheme}://(no user name or password belongs here){}", &rest[at..]);
    }
    text.to_owned()
}

impl From<Refusal> for Finding {
    fn from(refusal: Refusal) -> Self {
        Self { effect: Effect::Refused, reason: "InvalidAnnotation", message: refusal.to_string() }
    }
}
