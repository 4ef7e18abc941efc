//! What may be said about a Secret that cannot be read: the log and the live table show faults to people who may not
//! read Secrets, and the parsers' own messages quote values and keys.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Deserialize;

use super::{Problem, texts::Map, typed::Parse};

const NO_DOCUMENT: &str = "a document with a Secret is neither YAML nor JSON, or has a key twice; correct it (its text is not shown here)";
const METADATA: &str = "metadata of a Secret cannot be read; give a name, and texts as labels and annotations, in quotation marks";
const DATA: &str =
    "data of a Secret cannot be read; give names with base64 texts, in quotation marks";
const STRING_DATA: &str =
    "stringData of a Secret cannot be read; give names with texts, in quotation marks";
const OTHER: &str = "a Secret cannot be read; type has to be a text and immutable a boolean";

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "metadata", default)]
    _metadata: ObjectMeta,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "data")]
    _data: Option<BTreeMap<String, ByteString>>,
}

#[derive(Deserialize)]
struct StringData {
    #[serde(rename = "stringData")]
    _string_data: Option<BTreeMap<String, String>>,
}

/// The problem of a Secret, with the field as far as it is known and without anything that the Secret holds.
pub fn problem(found: Problem, secret: Parse<'_>) -> Problem {
    let reason = if secret.parse::<serde_json::Value>().is_err() {
        NO_DOCUMENT
    } else if secret.parse::<Metadata>().is_err() {
        METADATA
    } else if secret.parse::<Data>().is_err() {
        DATA
    } else if secret.parse::<StringData>().is_err() {
        STRING_DATA
    } else {
        OTHER
    };
    Problem { reason: reason.into(), ..found }
}

/// What may be said of a Secret one of whose maps holds something else than texts.
pub fn sentence(map: Map) -> &'static str {
    match map {
        Map::Annotations | Map::Labels => METADATA,
        Map::Data => DATA,
        Map::StringData => STRING_DATA,
    }
}

/// The problem of a document whose kind is not known, or which is a list, as it may be told if a Secret is in it.
pub fn problem_of_any(found: Problem, document: &str) -> Problem {
    if document.contains("Secret") {
        Problem { reason: NO_DOCUMENT.into(), ..found }
    } else {
        found
    }
}
