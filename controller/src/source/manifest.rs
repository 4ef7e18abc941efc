//! One file of manifests: text -> objects, with a fault for each document that is none.
//!
//! [`documents()`] separates documents before they are parsed, so that one that does not parse hides no other, and those
//! of kinds that nobody reads cost nothing; [`text`] parses them, and [`typed`] makes objects of them. What is on disk,
//! and what happens to the objects, is left to [`directory`](super::directory).

mod documents;
mod other;
mod schema;
mod secret;
mod text;
mod texts;
mod typed;
mod validate;

use std::collections::BTreeMap;

use documents::documents;
use headgate_config::{Effect, ObjectRef};
use serde::{Deserialize, de::DeserializeOwned};
use text::from_text;
use typed::{Parse, identity, identity_of_any, identity_of_item};

use crate::objects::{Body, Kind, Object};

/// What a file holds.
#[derive(Debug, Default)]
pub struct Manifest {
    /// Objects of the kinds that are read, in the file's order.
    pub objects: Vec<Object>,
    /// Documents that could not be read, or say something that has no effect.
    pub faults: Vec<Fault>,
    /// How many documents there are of each kind that nobody reads.
    pub passed_over: BTreeMap<Box<str>, u32>,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Refused if there is no object of it, Warning if there is one.
    pub effect: Effect,
    /// Stable word for it.
    pub word: &'static str,
    /// Line of the file, counted from 1.
    pub line: u64,
    /// The object, as far as the document tells.
    pub object: Option<ObjectRef>,
    /// What is wrong.
    pub reason: String,
}

impl Manifest {
    /// Reads all documents of a text, YAML or JSON.
    pub fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        for (line, document) in documents(text) {
            if let Err(problem) = manifest.read(line, document) {
                manifest.faults.push(problem.at(line));
            }
        }
        manifest
    }

    fn read(&mut self, line: u64, document: &str) -> Result<(), Problem> {
        let header = match Header::at_glance(document) {
            Some(header) => header,
            None => readable::<Option<Header>>(document)?.unwrap_or_default(),
        };
        if header.kind.ends_with("List") && is_list_version(&header.api_version) {
            return self.read_list(line, document, &header);
        }
        let Some(kind) = header.known()? else {
            self.pass_over(&header, line, || identity_of_any(Parse::Text(document), &header.kind));
            return Ok(());
        };
        if texts::may_be_mistyped(document)
            && let Ok(value) = from_text(document)
            && let Some(problem) = texts::problem(&value, kind, Some(document))
        {
            self.refuse(Problem { object: identity(document, kind), ..problem }.at(line));
            return Ok(());
        }
        let object = Parse::Text(document).typed(kind);
        let object =
            object.map_err(|problem| Problem { object: identity(document, kind), ..problem })?;
        if let Body::Ingress(ingress) = object.body()
            && !validate::is_fine(document, ingress)
        {
            self.judge(line, "", object, &from_text(document)?);
        } else {
            self.objects.push(object);
        }
        Ok(())
    }

    /// Takes note of a document that nobody reads.
    fn pass_over(&mut self, header: &Header, line: u64, name: impl FnOnce() -> Option<ObjectRef>) {
        match other::routing(header, line, name) {
            Some(fault) => self.faults.push(fault),
            None => {
                *self.passed_over.entry(other::counted_as(&header.kind).into()).or_default() += 1
            }
        }
    }

    /// Leaves out an object that an API server would refuse.
    fn refuse(&mut self, fault: Fault) {
        self.faults.push(Fault { word: "Invalid", ..fault });
    }

    /// Takes an object, if it is none that an API server would refuse.
    fn judge(&mut self, line: u64, place: &str, object: Object, value: &serde_json::Value) {
        let problems = match object.kind() {
            Kind::Ingress => validate::validate(value),
            _ => validate::Problems::default(),
        };
        let (effect, word) = match problems.is_refused {
            true => (Effect::Refused, "Invalid"),
            false => (Effect::Warning, "UnknownField"),
        };
        if let Some(sentence) = problems.sentence() {
            let (object, reason) = (Some(object.reference()), format!("{place}{sentence}"));
            self.faults.push(Fault { effect, word, line, object, reason });
        }
        if effect != Effect::Refused {
            self.objects.push(object);
        }
    }

    /// Reads the items of a list. One that cannot be read hides no other; its line is the list's, which is all that is
    /// known of it.
    fn read_list(&mut self, line: u64, document: &str, header: &Header) -> Result<(), Problem> {
        #[derive(Deserialize)]
        struct List {
            #[serde(default)]
            items: Vec<serde_json::Value>,
        }
        let kind_of_items = header.kind.trim_end_matches("List");
        for (index, item) in readable::<List>(document)?.items.into_iter().enumerate() {
            let text =
                |name: &str, default: &str| match item.get(name).and_then(|value| value.as_str()) {
                    Some(text) => text.to_owned(),
                    None => default.to_owned(),
                };
            let header = Header {
                api_version: text("apiVersion", &header.api_version),
                kind: text("kind", kind_of_items),
            };
            let place = format!("items[{index}]: ");
            let fault = |problem: Problem| Fault {
                object: identity_of_item(&item, &header.api_version, &header.kind),
                reason: format!("{place}{}", problem.reason),
                ..problem.at(line)
            };
            let object = match header.known() {
                Ok(None) => {
                    let name = || identity_of_any(Parse::Value(&item), &header.kind);
                    self.pass_over(&header, line, name);
                    continue;
                }
                Ok(Some(kind)) => match texts::problem(&item, kind, None) {
                    Some(problem) => {
                        self.refuse(fault(problem));
                        continue;
                    }
                    None => Parse::Value(&item).typed(kind),
                },
                Err(problem) => Err(problem),
            };
            match object {
                Ok(object) => self.judge(line, &place, object, &item),
                Err(problem) => self.faults.push(fault(problem)),
            }
        }
        Ok(())
    }
}

/// What is wrong with a document; the line is counted from its first, from 1 (0: unknown).
#[derive(Debug, Default)]
struct Problem {
    line: u64,
    object: Option<ObjectRef>,
    reason: String,
}

impl Problem {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    /// The problem in its file, of a document that begins on this line.
    fn at(self, line: u64) -> Fault {
        let line = line + self.line.saturating_sub(1);
        let (effect, word) = (Effect::Refused, "Unreadable");
        Fault { effect, word, line, object: self.object, reason: self.reason }
    }
}

/// The fields that say what a document is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Header {
    api_version: String,
    kind: String,
}

impl Header {
    /// Reads the header of an ordinary document in block style without parsing it. A wrong guess is harmless: the typed
    /// reading checks both fields.
    fn at_glance(document: &str) -> Option<Self> {
        let (mut api_version, mut kind) = (None, None);
        for line in document.lines() {
            if let Some(value) = line.strip_prefix("apiVersion:") {
                api_version = Some(plain_word(value)?);
            } else if let Some(value) = line.strip_prefix("kind:") {
                kind = Some(plain_word(value)?);
            } else if line.starts_with(['{', '"', '\'', '?', '<']) {
                return None;
            }
        }
        Some(Self { api_version: api_version?.to_owned(), kind: kind?.to_owned() })
    }

    /// The kind, `None` if it is nothing to us; a problem if it was meant to be one that is read.
    fn known(&self) -> Result<Option<Kind>, Problem> {
        let kind = Kind::of(&self.api_version, &self.kind);
        if kind.is_some() {
            return Ok(kind);
        }
        match other::misspelt(self) {
            Some(problem) => Err(Problem::new(problem)),
            None => Ok(None),
        }
    }
}

/// Reads a part of a document that may hold a Secret.
fn readable<T: DeserializeOwned>(document: &str) -> Result<T, Problem> {
    from_text(document).map_err(|found| secret::problem_of_any(found, document))
}

fn is_list_version(api_version: &str) -> bool {
    matches!(api_version, "v1" | "networking.k8s.io/v1" | "discovery.k8s.io/v1")
}

/// A plain or quoted scalar without anything that YAML might read differently.
fn plain_word(value: &str) -> Option<&str> {
    let value = value.split(" #").next().unwrap_or("").trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'/' | b'-');
    (!value.is_empty() && value.bytes().all(plain)).then_some(value)
}

#[cfg(test)]
mod tests;
