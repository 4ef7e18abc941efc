//! References to the objects that a configuration came from, and verdicts about them.

use std::fmt;

use serde::Serialize;

/// Names one configuration object, for messages, metrics and the route dump.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectRef {
    /// The object's kind, as in its manifest (`Ingress`, `Secret` …).
    pub kind: String,
    /// Namespace; empty for objects that have none.
    pub namespace: String,
    /// Name inside the namespace.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// What a verdict means for traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// The object (or the new version of it) is not served.
    Refused,
    /// The object is served, but its locations answer 503 (annotations §1.4, outcome D).
    Denied,
    /// A part of the object has no effect; the rest is served.
    Warning,
    /// The object is not served, because it does not ask this controller to.
    Ignored,
}

/// One finding about one object. Everything else is served all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Verdict {
    /// The object that the finding is about.
    pub object: ObjectRef,
    /// What it means for traffic.
    pub effect: Effect,
    /// A stable word, as used for Kubernetes events (`AnnotationParsingFailed`, `Rejected` …).
    pub reason: String,
    /// Field, value and remedy, in one sentence.
    pub message: String,
}
