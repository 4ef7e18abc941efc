//! The fields that an Ingress has, for finding those that it does not have: an API server that is asked to be strict, as
//! kubectl does, refuses them.

use serde_json::Value;

/// What a value may hold.
pub enum Shape {
    /// Anything.
    Open,
    /// Only these fields.
    Fields(&'static [(&'static str, Shape)]),
    /// A list of these.
    List(&'static Shape),
}

use Shape::{Fields, List, Open};

const BACKEND: Shape = Fields(&[
    ("resource", Fields(&[("apiGroup", Open), ("kind", Open), ("name", Open)])),
    ("service", Fields(&[("name", Open), ("port", Fields(&[("name", Open), ("number", Open)]))])),
]);

/// An Ingress.
pub const INGRESS: Shape = Fields(&[
    ("apiVersion", Open),
    ("kind", Open),
    ("metadata", METADATA),
    (
        "spec",
        Fields(&[
            ("defaultBackend", BACKEND),
            ("ingressClassName", Open),
            (
                "rules",
                List(&Fields(&[("host", Open), ("http", Fields(&[("paths", List(&PATH))]))])),
            ),
            ("tls", List(&Fields(&[("hosts", Open), ("secretName", Open)]))),
        ]),
    ),
    ("status", Open),
]);

const PATH: Shape = Fields(&[("backend", BACKEND), ("path", Open), ("pathType", Open)]);

const METADATA: Shape = Fields(&[
    ("annotations", Open),
    ("creationTimestamp", Open),
    ("deletionGracePeriodSeconds", Open),
    ("deletionTimestamp", Open),
    ("finalizers", Open),
    ("generateName", Open),
    ("generation", Open),
    ("labels", Open),
    ("managedFields", Open),
    ("name", Open),
    ("namespace", Open),
    ("ownerReferences", Open),
    ("resourceVersion", Open),
    ("selfLink", Open),
    ("uid", Open),
]);

impl Shape {
    /// Calls `found` with the place, the name and the names that are known, for each unknown field of a value.
    pub fn unknown_fields(
        &self,
        value: &Value,
        place: &str,
        found: &mut impl FnMut(&str, &str, Vec<&'static str>),
    ) {
        match (self, value) {
            (Fields(known), Value::Object(fields)) => {
                for (name, value) in fields {
                    match known.iter().find(|(known, _)| known == name) {
                        Some((_, shape)) => shape.unknown_fields(value, &below(place, name), found),
                        None => found(place, name, known.iter().map(|(name, _)| *name).collect()),
                    }
                }
            }
            (List(shape), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    shape.unknown_fields(item, &format!("{place}[{index}]"), found);
                }
            }
            _ => {}
        }
    }
}

/// The place of a field.
pub fn below(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// Whether a text in block style certainly has no other fields. A wrong "no" costs a closer look only.
pub fn is_plain(document: &str) -> bool {
    const NAMES: [&str; 25] = [
        "annotations",
        "apiVersion",
        "backend",
        "creationTimestamp",
        "defaultBackend",
        "host",
        "hosts",
        "http",
        "ingressClassName",
        "kind",
        "labels",
        "metadata",
        "name",
        "namespace",
        "number",
        "path",
        "pathType",
        "paths",
        "port",
        "rules",
        "secretName",
        "service",
        "spec",
        "tls",
        "uid",
    ];
    let is_plain = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ").trim_start();
        // The mark is the document's first line.
        if line.is_empty() || line.starts_with('#') || line == "---" {
            return true;
        }
        let Some((name, value)) = line.split_once(':') else { return false };
        let value = value.trim();
        match name {
            "pathType" => matches!(value, "Prefix" | "Exact" | "ImplementationSpecific"),
            "hosts" => value.is_empty() || !value.contains('{'),
            name => {
                (name.contains('/') || NAMES.contains(&name)) && !value.starts_with(['{', '|', '>'])
            }
        }
    };
    document.lines().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn a_mark_in_front_makes_no_document_odd() {
        assert!(is_plain("---\nkind: Ingress\nmetadata:\n  name: shop\n"));
        assert!(!is_plain("---\nkind: Ingress\nmetadatas:\n  name: shop\n"));
        assert!(!is_plain("--- {kind: Ingress}\n"));
    }
}
