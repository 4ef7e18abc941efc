//! The tables of `docs/configmap.md`: every key of the reference and of our own, with what it does. What a key is here is not
//! written down twice: it follows from whether somebody reads it.

mod clients;
mod gatekeeping;
mod process;
mod tls;
mod upstreams;

use std::fmt::Write;

use super::status::{self, Status};

/// What users are told about a key, in Markdown.
struct Row {
    name: &'static str,
    /// What applies without it.
    default: &'static str,
    /// What it does, in a line.
    does: &'static str,
}

/// A row: name, default, what it does.
const fn row(name: &'static str, default: &'static str, does: &'static str) -> Row {
    Row { name, default, does }
}

/// Keys that belong together.
struct Section {
    heading: &'static str,
    rows: &'static [Row],
}

static SECTIONS: [&[Section]; 5] = [
    gatekeeping::SECTIONS,
    clients::SECTIONS,
    tls::SECTIONS,
    upstreams::SECTIONS,
    process::SECTIONS,
];

fn sections() -> impl Iterator<Item = &'static Section> {
    SECTIONS.into_iter().flatten()
}

/// The names of all keys.
pub fn names() -> impl Iterator<Item = &'static str> {
    sections().flat_map(|section| section.rows).map(|row| row.name)
}

/// What applies without a key, in plain words, if that can be said in a few.
pub fn default_of(name: &str) -> Option<String> {
    let mut rows = sections().flat_map(|section| section.rows);
    let default = rows.find(|row| row.name == name)?.default;
    (!matches!(default, "–" | "a list")).then(|| default.replace('`', ""))
}

/// All keys in Markdown: a table for each section.
pub fn tables() -> String {
    let mut text = String::new();
    for section in sections() {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n## {}\n\n| Key | Without it | Here | What it does |\n|---|---|---|---|\n",
            section.heading
        );
        for Row { name, default, does } in section.rows {
            let _ = writeln!(text, "| `{name}` | {default} | {} | {does} |", here(name));
        }
    }
    text
}

fn here(name: &str) -> &'static str {
    match status::of(name) {
        Some(Status::Honoured) => "yes",
        Some(Status::NoEffect) => "no effect",
        Some(Status::Refused) => "refused",
        // A test says which are not known.
        None => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        super::{keys, silent},
        *,
    };

    fn rows() -> BTreeMap<&'static str, &'static Row> {
        sections().flat_map(|section| section.rows).map(|row| (row.name, row)).collect()
    }

    #[test]
    fn every_key_of_the_reference_is_there_once() {
        let ours = |name: &&str| {
            ["headgate-", "limit-shared-", "zstd-"].iter().any(|prefix| name.starts_with(prefix))
                || *name == "enable-zstd"
        };
        let rows = rows();
        assert_eq!(
            rows.len(),
            sections().map(|section| section.rows.len()).sum::<usize>(),
            "one is there twice"
        );
        // configmap-and-flags §2: 187 + 11 live keys, 14 that are documented there and have no effect.
        let theirs = rows.keys().filter(|name| !ours(name)).count();
        assert_eq!(theirs, 187 + 11 + 14);
    }

    #[test]
    fn every_key_that_is_read_or_named_is_documented() {
        let rows = rows();
        for name in keys::names().chain(silent::names()) {
            assert!(rows.contains_key(name), "{name} is not documented");
        }
    }

    #[test]
    fn no_documented_key_is_unknown() {
        for name in rows().into_keys() {
            assert!(
                status::of(name).is_some(),
                "{name} is neither read nor named as having no effect"
            );
        }
    }
}
