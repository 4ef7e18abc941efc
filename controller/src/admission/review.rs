//! AdmissionReview v1 in bytes: what is asked, and the answer (operations §9.1). Pure.

use std::{borrow::Cow, sync::Arc};

use k8s_openapi::api::networking::v1 as networking;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Decision;
use crate::objects::{Ingress, Key};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// Values that an object may have. The largest Ingress that an API server takes (3 MiB, tens of thousands of paths) has
/// about half as many; and a body of nothing but `{},{},…` takes many times its size when it is read.
const MOST_VALUES: usize = 400_000;

/// A review.
#[derive(Debug)]
pub struct Review {
    /// Of the request, to be repeated in the answer.
    pub uid: String,
    /// What is asked.
    pub asked: Asked,
}

/// What a review asks.
#[derive(Debug)]
pub enum Asked {
    /// Nothing that could be refused: the object goes away.
    Nothing,
    /// Whether this Ingress may be.
    Ingress(Box<Subject>),
    /// The object is no Ingress; why.
    Undecodable(String),
}

/// An Ingress that is to be judged.
#[derive(Debug)]
pub struct Subject {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`, which is checked and never used.
    pub uid: String,
    /// Whether it has a `deletionTimestamp`.
    pub is_being_deleted: bool,
    /// The object.
    pub ingress: Arc<Ingress>,
    /// A sentence about each path that strict validation refuses (routing §7).
    pub odd_paths: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    kind: GroupVersionKind<'a>,
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct GroupVersionKind<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow, default)]
    version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

/// Reads a review.
///
/// # Errors
///
/// The answer to what is no review of an Ingress.
pub fn read(body: &[u8]) -> Result<Review, Answer> {
    let undecodable = |error| Answer::plain(400, format!("the review cannot be read: {error}\n"));
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(undecodable)?;
    if (&*envelope.api_version, &*envelope.kind) != (API_VERSION, KIND) {
        let Envelope { api_version, kind, .. } = envelope;
        let message =
            format!("expected {KIND} of {API_VERSION}, got {kind:?} of {api_version:?}\n");
        return Err(Answer::plain(500, message));
    }
    let request =
        envelope.request.ok_or_else(|| Answer::plain(400, "the review has no request\n".into()))?;
    let request: Request<'_> = serde_json::from_str(request.get()).map_err(undecodable)?;
    let GroupVersionKind { group, version, kind } = &request.kind;
    if (&**group, &**version, &**kind) != ("networking.k8s.io", "v1", "Ingress") {
        let message = format!(
            "expected an Ingress of networking.k8s.io/v1, got {kind:?} of {group:?} {version:?}; correct the rules of the ValidatingWebhookConfiguration\n"
        );
        return Err(Answer::plain(500, message));
    }
    Ok(Review { asked: request.asked(), uid: request.uid.into_owned() })
}

impl Request<'_> {
    fn asked(&self) -> Asked {
        let Some(object) = self.object else {
            return match &*self.operation {
                "DELETE" => Asked::Nothing,
                _ => Asked::Undecodable("the review has no object".into()),
            };
        };
        if values(object.get()) > MOST_VALUES {
            return Asked::Undecodable(format!(
                "the object has more than {MOST_VALUES} values; split it"
            ));
        }
        match serde_json::from_str::<networking::Ingress>(object.get()) {
            Ok(ingress) => Asked::Ingress(Box::new(self.subject(ingress))),
            Err(error) => Asked::Undecodable(format!("the object is no Ingress: {error}")),
        }
    }

    fn subject(&self, ingress: networking::Ingress) -> Subject {
        let metadata = &ingress.metadata;
        let namespace = metadata.namespace.as_deref().unwrap_or(&self.namespace);
        let name = metadata.name.as_deref().unwrap_or(&self.name);
        Subject {
            key: Key::new(namespace, name),
            uid: metadata.uid.clone().unwrap_or_default(),
            is_being_deleted: metadata.deletion_timestamp.is_some(),
            odd_paths: odd_paths(&ingress),
            ingress: Arc::new(ingress.into()),
        }
    }
}

/// An upper bound for the number of values in a JSON text: its brackets and commas outside of strings.
fn values(json: &str) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' | b',' => count += usize::from(!in_string),
            _ => {}
        }
    }
    count
}

/// Looked at here, because what is kept of an Ingress knows no other type of paths than Exact and Prefix.
fn odd_paths(ingress: &networking::Ingress) -> Vec<String> {
    let rules = ingress.spec.iter().flat_map(|spec| &spec.rules).flatten();
    let paths = rules.flat_map(|rule| &rule.http).flat_map(|http| &http.paths);
    let odd = paths.filter_map(|path| {
        let text = path.path.as_deref().filter(|text| !text.is_empty())?;
        let is_free = path.path_type == "ImplementationSpecific";
        (!is_free && !is_strict(text)).then_some((text, path.path_type.as_str()))
    });
    odd.map(|(path, kind)| {
        let kind = if kind.is_empty() { "nil" } else { kind };
        format!("path {path} cannot be used with pathType {kind}")
    })
    .collect()
}

fn is_strict(path: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    path.starts_with('/') && path.bytes().all(fine)
}

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status: 200 with a review, anything else with a text for people.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    kind: &'static str,
    api_version: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    message: &'a str,
    reason: &'static str,
    code: u16,
}

impl Answer {
    /// The answer to a review.
    pub(super) fn decided(uid: &str, decision: &Decision) -> Self {
        let Decision { refusal, warnings } = decision;
        let status = refusal.as_deref().map(|message| Status {
            status: "Failure",
            message,
            reason: "BadRequest",
            code: 400,
        });
        let allowed = status.is_none();
        let response = Response { uid, allowed, status, warnings };
        let reply = Reply { kind: KIND, api_version: API_VERSION, response };
        match serde_json::to_vec(&reply) {
            Ok(body) => Self { status: 200, body },
            Err(error) => Self::plain(500, format!("{error}\n")),
        }
    }

    /// The answer while nothing is known that an Ingress could be judged by. Accepting would be wrong, and so would
    /// refusing. It is not waited for here: the API server's own client tries again after a second, as long as its
    /// time limit allows, and until then nobody keeps anything in memory.
    pub(super) fn unavailable() -> Self {
        Self::plain(
            503,
            "the objects of the cluster have not been read yet; try again in a moment\n".into(),
        )
    }

    /// The answer while too many reviews wait to be judged. With it the API server does as `failurePolicy` says, or tries
    /// again.
    pub(super) fn too_many() -> Self {
        Self::plain(503, "too many reviews wait at a time; try again in a moment\n".into())
    }

    fn plain(status: u16, text: String) -> Self {
        Self { status, body: text.into_bytes() }
    }
}
