//! One file of manifests: text -> objects, with a fault for each document that is none.
//!
//! The only place that knows the YAML library. Documents are separated before they are parsed, so that one that does
//! not parse hides no other, and those of kinds that nobody reads cost nothing. What is on disk, and what happens to
//! the objects, is left to [`directory`](super::directory).

use headgate_config::ObjectRef;
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Namespace, Secret, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::objects::{Key, Kind, Object};

/// Namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// What a file holds.
#[derive(Debug, Default)]
pub struct Manifest {
    /// Objects of the kinds that are read, in the file's order.
    pub objects: Vec<Object>,
    /// Documents that could not be read.
    pub faults: Vec<Fault>,
}

/// A document that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
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
            None => from_text::<Option<Header>>(document)?.unwrap_or_default(),
        };
        if header.kind.ends_with("List") && is_list_version(&header.api_version) {
            return self.read_list(line, document, &header);
        }
        let Some(kind) = header.known()? else {
            return Ok(());
        };
        let object = Parse::Text(document).typed(kind);
        self.objects.push(
            object.map_err(|problem| Problem { object: identity(document, kind), ..problem })?,
        );
        Ok(())
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
        for (index, item) in from_text::<List>(document)?.items.into_iter().enumerate() {
            let text =
                |name: &str, default: &str| match item.get(name).and_then(|value| value.as_str()) {
                    Some(text) => text.to_owned(),
                    None => default.to_owned(),
                };
            let header = Header {
                api_version: text("apiVersion", &header.api_version),
                kind: text("kind", kind_of_items),
            };
            let object = match header.known() {
                Ok(None) => continue,
                Ok(Some(kind)) => Parse::Value(&item).typed(kind),
                Err(problem) => Err(problem),
            };
            match object {
                Ok(object) => self.objects.push(object),
                Err(problem) => self.faults.push(Fault {
                    object: identity_of_item(&item, &header),
                    reason: format!("items[{index}]: {}", problem.reason),
                    ..problem.at(line)
                }),
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
        Fault { line, object: self.object, reason: self.reason }
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

    /// The kind, `None` if it is nothing to us; a problem if it is an Ingress of a version that is not read.
    fn known(&self) -> Result<Option<Kind>, Problem> {
        let kind = Kind::of(&self.api_version, &self.kind);
        let old =
            matches!(self.api_version.as_str(), "extensions/v1beta1" | "networking.k8s.io/v1beta1");
        if kind.is_none() && old && matches!(self.kind.as_str(), "Ingress" | "IngressClass") {
            let (version, kind) = (&self.api_version, &self.kind);
            return Err(Problem::new(format!(
                "{kind} of apiVersion {version} is not read; write it as networking.k8s.io/v1"
            )));
        }
        Ok(kind)
    }
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

/// Where an object is read from.
enum Parse<'a> {
    Text(&'a str),
    Value(&'a serde_json::Value),
}

impl Parse<'_> {
    fn typed(self, kind: Kind) -> Result<Object, Problem> {
        Ok(match kind {
            Kind::IngressClass => self.read::<IngressClass>()?.into(),
            Kind::Ingress => self.read::<Ingress>()?.into(),
            Kind::Service => self.read::<Service>()?.into(),
            Kind::EndpointSlice => self.read::<EndpointSlice>()?.into(),
            Kind::Secret => self.read::<Secret>()?.into(),
            Kind::ConfigMap => self.read::<ConfigMap>()?.into(),
            Kind::Namespace => self.read::<Namespace>()?.into(),
        })
    }

    fn read<T: DeserializeOwned + Metadata>(self) -> Result<T, Problem> {
        let mut object: T = match self {
            Self::Text(document) => from_text(document)?,
            Self::Value(value) => {
                T::deserialize(value).map_err(|error| Problem::new(error.to_string()))?
            }
        };
        let metadata = object.metadata_mut();
        if metadata.name.as_deref().unwrap_or("").is_empty() {
            return Err(Problem::new("metadata.name is missing"));
        }
        if T::NAMESPACED {
            metadata.namespace.get_or_insert_with(|| DEFAULT_NAMESPACE.into());
        } else {
            metadata.namespace = None;
        }
        Ok(object)
    }
}

/// Access to the metadata of the kinds that are read.
trait Metadata {
    const NAMESPACED: bool;
    fn metadata_mut(&mut self) -> &mut ObjectMeta;
}

macro_rules! metadata {
    ($($kind:ty => $namespaced:literal),*) => {$(
        impl Metadata for $kind {
            const NAMESPACED: bool = $namespaced;
            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    )*};
}

metadata!(IngressClass => false, Ingress => true, Service => true, EndpointSlice => true, Secret => true, ConfigMap => true, Namespace => false);

/// As much of an object as says who it is.
#[derive(Deserialize)]
struct Named {
    metadata: Name,
}

#[derive(Deserialize)]
struct Name {
    name: String,
    namespace: Option<String>,
}

impl Named {
    fn reference(self, kind: Kind) -> ObjectRef {
        let Name { name, namespace } = self.metadata;
        let namespace = namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let namespace = if kind.is_namespaced() { namespace } else { "" };
        kind.reference(&Key::new(namespace, &name))
    }
}

/// Who a document is about that cannot be read as a whole.
fn identity(document: &str, kind: Kind) -> Option<ObjectRef> {
    Some(from_text::<Named>(document).ok()?.reference(kind))
}

/// Who an item of a list is about, also if its version is too old to be read.
fn identity_of_item(item: &serde_json::Value, header: &Header) -> Option<ObjectRef> {
    let kind = match header.kind.as_str() {
        "Ingress" => Kind::Ingress,
        "IngressClass" => Kind::IngressClass,
        other => Kind::of(&header.api_version, other)?,
    };
    Some(Named::deserialize(item).ok()?.reference(kind))
}

fn from_text<T: DeserializeOwned>(document: &str) -> Result<T, Problem> {
    // JSON is YAML, too, but its own parser is several times faster.
    if document.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(document)
    {
        return Ok(value);
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            // A folder may hold the dump of a whole cluster in one list.
            max_nodes: 20_000_000,
            max_events: 40_000_000,
        },
    };
    serde_saphyr::from_str_with_options(document, options).map_err(|error| Problem {
        line: error.location().map_or(0, |location| location.line()),
        object: None,
        reason: without_position(error.without_snippet().to_string()),
    })
}

/// The library's message less its position, which counts from the document's first line.
fn without_position(mut message: String) -> String {
    if let Some((at, rest)) =
        message.rsplit_once(" at line ").map(|(head, rest)| (head.len(), rest))
        && rest.bytes().all(|byte| byte.is_ascii_digit() || b", column".contains(&byte))
    {
        message.truncate(at);
    }
    message
}

/// The documents of a text with the line on which each begins, counted from 1. A line that starts with `---` and a
/// blank ends a document wherever it stands, even inside a scalar (YAML 1.2, c-forbidden); so does `...`.
fn documents(text: &str) -> Vec<(u64, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut found, mut start, mut start_line, mut at) = (Vec::new(), 0, 1, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let is_mark = |mark| {
            line.strip_prefix(mark)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
        };
        if is_mark("---") || is_mark("...") {
            found.push((start_line, &text[start..at]));
            (start, start_line) = (at, number);
            if is_mark("...") {
                (start, start_line) = (at + line.len(), number + 1);
            }
        }
        at += line.len();
    }
    found.push((start_line, &text[start..]));
    found.retain(|(_, document)| !is_blank(document));
    found
}

/// Whether a document holds nothing but comments, directives and its own mark.
fn is_blank(document: &str) -> bool {
    document.lines().all(|line| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        line.is_empty() || line.starts_with(['#', '%'])
    })
}

#[cfg(test)]
mod tests;
