//! Texts that are written as something else: `ssl-redirect: true` is a boolean in YAML, and an API server refuses an object
//! that has one among its annotations. A folder refuses it as well, so that its manifests mean the same in a cluster.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    Problem, secret,
    text::{Spanned, from_text},
};
use crate::objects::Kind;

/// Entries that a verdict names, at most.
const MOST: usize = 5;
/// Characters of a value that it shows, at most.
const SHOWN: usize = 40;

/// A map whose values are texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// `metadata.annotations`.
    Annotations,
    /// `metadata.labels`.
    Labels,
    /// `data`.
    Data,
    /// `stringData`.
    StringData,
}

use Map::{Annotations, Data, Labels, StringData};

/// The names of all of them.
const NAMES: [&str; 4] = ["annotations", "labels", "data", "stringData"];

impl Map {
    /// Those that objects of a kind have.
    fn all(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::ConfigMap => &[Annotations, Labels, Data],
            Kind::Secret => &[Annotations, Labels, Data, StringData],
            _ => &[Annotations, Labels],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Annotations => "metadata.annotations",
            Labels => "metadata.labels",
            Data => "data",
            StringData => "stringData",
        }
    }

    fn of(self, object: &Value) -> &Value {
        match self {
            Annotations => &object["metadata"]["annotations"],
            Labels => &object["metadata"]["labels"],
            Data => &object["data"],
            StringData => &object["stringData"],
        }
    }
}

/// Whether a document may have values that are none, at a glance. A wrong "yes" costs a closer look only.
pub fn may_be_mistyped(document: &str) -> bool {
    // The indentation of the name of the map that the line is in.
    let mut map: Option<usize> = None;
    for line in document.lines() {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let indentation = line.len() - text.len();
        if map.is_some_and(|at| indentation <= at) {
            map = None;
        }
        let Some((name, value)) = text.split_once(':') else { continue };
        let name = name.trim_end().trim_matches(['"', '\'']);
        let value = value.trim();
        if map.is_some() || name.contains('/') {
            if is_odd(value) {
                return true;
            }
        } else if name == "<<" {
            return true;
        } else if NAMES.contains(&name) {
            if value.is_empty() || value.starts_with('#') {
                map = Some(indentation);
            } else if !value.ends_with('}') || has_odd_items(value) {
                return true;
            }
        } else if text.contains('{')
            && NAMES.iter().any(|name| text.contains(name))
            && has_odd_items(text)
        {
            return true;
        }
    }
    false
}

/// Whether any item of a map in braces may be no text.
fn has_odd_items(text: &str) -> bool {
    let mut values = text.split([',', '{', '}']).filter_map(|item| Some(item.split_once(':')?.1));
    values.any(|value| !value.trim().is_empty() && is_odd(value.trim()))
}

/// Whether a value may be anything but a text: it begins as a number or a structure, or is a word that stands for a truth value
/// or for nothing, in any version of YAML.
fn is_odd(value: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let value = value.split(" #").next().unwrap_or("").trim_end_matches([',', ' ']);
    value.is_empty()
        || value.starts_with(|c: char| c.is_ascii_digit() || "+-.~#[{!&*".contains(c))
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// What is wrong with the texts of an object. Of a Secret nothing is repeated that it holds.
///
/// The lines are known if the object is a document of its own.
pub fn problem(object: &Value, kind: Kind, document: Option<&str>) -> Option<Problem> {
    let entries = |map: &Map| map.of(object).as_object().into_iter().flatten();
    let found = Map::all(kind).iter().flat_map(|map| entries(map).map(|entry| (*map, entry)));
    let found: Vec<_> = found.filter(|(_, (_, value))| !value.is_string()).collect();
    let (first, (name, _)) = found.first()?;
    let line = document.and_then(|document| {
        // Whatever the values are.
        let written = from_text::<Written<IgnoredAny>>(document).ok()?;
        Some(written.entry(*first, name)?.referenced.line())
    });
    let written = document.and_then(|document| from_text::<Written<Option<String>>>(document).ok());
    let mut sentences = Vec::new();
    for (map, (name, value)) in found.iter().take(MOST) {
        let raw = written.as_ref().and_then(|written| written.entry(*map, name));
        let raw = raw.and_then(|raw| raw.value.as_deref());
        sentences.push(sentence(*map, name, value, raw));
    }
    if found.len() > MOST {
        sentences.push(format!("and {} more", found.len() - MOST));
    }
    let reason = match kind {
        Kind::Secret => secret::sentence(*first).to_owned(),
        _ => sentences.join("; "),
    };
    Some(Problem { line: line.unwrap_or(0), ..Problem::new(reason) })
}

fn sentence(map: Map, name: &str, value: &Value, raw: Option<&str>) -> String {
    let text = raw.map_or_else(|| value.to_string(), str::to_owned);
    let text: String = text.chars().take(SHOWN).collect();
    let (is, instead) = match value {
        Value::Null => ("nothing".to_owned(), "write \"\", or leave it out".to_owned()),
        Value::Array(_) => ("a list".to_owned(), "write one text".to_owned()),
        Value::Object(_) => ("a map".to_owned(), "write one text".to_owned()),
        Value::Bool(_) => (format!("the boolean {text}"), format!("quote it: {text:?}")),
        _ => (format!("the number {text}"), format!("quote it: {text:?}")),
    };
    format!("{}[{name:?}] is {is}, where an API server takes only texts; {instead}", map.name())
}

/// The maps as they are written, with places.
#[derive(Debug, Deserialize)]
struct Written<T> {
    metadata: Option<WrittenMetadata<T>>,
    data: Option<Entries<T>>,
    #[serde(rename = "stringData")]
    string_data: Option<Entries<T>>,
}

#[derive(Debug, Deserialize)]
struct WrittenMetadata<T> {
    annotations: Option<Entries<T>>,
    labels: Option<Entries<T>>,
}

type Entries<T> = BTreeMap<String, Spanned<T>>;

impl<T> Written<T> {
    fn entry(&self, map: Map, name: &str) -> Option<&Spanned<T>> {
        let metadata = || self.metadata.as_ref();
        let entries = match map {
            Annotations => metadata()?.annotations.as_ref(),
            Labels => metadata()?.labels.as_ref(),
            Data => self.data.as_ref(),
            StringData => self.string_data.as_ref(),
        };
        entries?.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str) -> Option<(u64, String)> {
        let object = from_text::<Value>(document).unwrap();
        let problem = problem(&object, Kind::ConfigMap, Some(document))?;
        assert!(may_be_mistyped(document), "{document}");
        Some((problem.line, problem.reason))
    }

    #[test]
    fn truth_values_and_numbers_are_no_texts() {
        for (value, is) in [
            ("true", "the boolean true"),
            ("True", "the boolean True"),
            ("yes", "the boolean yes"),
            ("off", "the boolean off"),
            ("5", "the number 5"),
            ("-1", "the number -1"),
            ("1.50", "the number 1.50"),
            ("1e3", "the number 1e3"),
            (".5", "the number .5"),
            ("0x1f", "the number 0x1f"),
        ] {
            let text = format!("metadata:\n  annotations:\n    a/b: {value}\n");
            let (line, reason) = found(&text).unwrap_or_else(|| panic!("{value}"));
            assert_eq!(line, 3);
            assert_eq!(
                reason,
                format!(
                    "metadata.annotations[\"a/b\"] is {is}, where an API server takes only texts; quote it: {value:?}"
                )
            );
        }
    }

    #[test]
    fn what_reads_as_a_text_is_one() {
        for value in [
            "\"true\"",
            "'5'",
            "5m",
            "10.0.0.0/8",
            "1 2",
            "on fire",
            "truely",
            "|\n      5",
            "!!str 5",
        ] {
            let text = format!("metadata:\n  annotations:\n    a/b: {value}\n");
            assert_eq!(found(&text), None, "{value}");
        }
    }

    #[test]
    fn they_are_found_in_every_style_and_map() {
        for text in [
            "{metadata: {annotations: {a: true}}}",
            "metadata: {labels: {b: x, a: 5}}",
            "{\"metadata\": {\"annotations\": {\"a/b\": true}}}",
            "{\n  \"metadata\": {\n    \"annotations\": {\n      \"a\": true\n    }\n  }\n}",
            "metadata:\n  annotations: {\n    a: on }\n",
            "metadata:\n  labels:\n    # five\n    a: 5 # five\n",
            "x: &x {a: true}\nmetadata:\n  annotations: *x\n",
            "x: &x 5\ndata:\n  a: *x\n",
            "metadata:\n  annotations:\n    a:\n",
            "metadata:\n  annotations:\n    a:\n    - b\n",
            "data:\n  use-gzip: true\n",
            "data:\n  \"use-gzip\" : true\n",
        ] {
            assert!(found(text).is_some(), "{text}");
        }
    }

    #[test]
    fn most_objects_need_no_closer_look() {
        for text in [
            "metadata:\n  name: web\n  labels:\n    app: web\n    app.kubernetes.io/name: \"5\"\nspec:\n  ports:\n  - port: 80\n",
            "metadata: {name: web, labels: {app: web}}\nspec: {ports: [{port: 80}]}\n",
            "metadata:\n  annotations: {}\n  name: web\nspec:\n  replicas: 5\n",
        ] {
            assert!(!may_be_mistyped(text), "{text}");
        }
    }
}
