//! The tables of `docs/annotations.md`, from the definitions of all annotations.

mod risk;

use std::{collections::BTreeMap, fmt::Write};

use super::{
    all,
    check::{Check, Kind},
    definition::{Bad, Definition, Documentation, Risk, Scope, State},
};

/// All annotations in Markdown: what their risks mean, and a table for each group.
pub fn tables() -> String {
    let mut groups: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for (state, definition) in all() {
        // Tests say which have none.
        let Some(documentation) = &definition.documentation else { continue };
        let rows = groups.entry(documentation.group.heading()).or_default();
        rows.insert(definition.name, row(definition, documentation, state));
    }
    let mut text = risk::section();
    for (heading, rows) in groups {
        let rows: String = rows.into_values().collect();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n## {heading}\n\n\
             | Annotation | Value | Without it | Changes | Risk | Bad value | Here | What it does |\n\
             |---|---|---|---|---|---|---|---|\n{rows}"
        );
    }
    text
}

fn row(definition: &Definition, documentation: &Documentation, state: State) -> String {
    let name = match definition.alias {
        Some(older) => format!("`{}`, older: `{older}`", definition.name),
        None => format!("`{}`", definition.name),
    };
    let cells = [
        &name,
        &*value(&definition.check),
        documentation.default,
        scope(definition.scope),
        level(definition.risk),
        bad(definition),
        here(state),
        documentation.does,
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn value(check: &Check) -> String {
    let kind = match check.kind {
        Kind::Boolean => return "boolean".into(),
        Kind::Number => return "number".into(),
        Kind::Size => return "size".into(),
        Kind::Choice => "choice: ",
        Kind::List => "list: ",
        Kind::Text => "",
    };
    let mut text = String::from(kind);
    for c in check.expects.chars() {
        if r"\`*_[]<>|~".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Location => "its locations",
        Scope::Host => "its hosts",
        Scope::LocationAndHost => "its locations and hosts",
        Scope::Service => "the Service's port",
        Scope::Ingress => "the Ingress",
        Scope::Global => "everything",
    }
}

fn level(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "Low",
        Risk::Medium => "Medium",
        Risk::High => "High",
        Risk::Critical => "Critical",
    }
}

fn bad(definition: &Definition) -> &'static str {
    match definition.bad {
        _ if definition.risk == Risk::Critical => "–",
        Bad::Refuse => "refused",
        Bad::Deny => "503",
        Bad::Fallback => "as unset",
    }
}

fn here(state: State) -> &'static str {
    match state {
        State::Honoured => "yes",
        State::NoEffect => "no effect",
        State::Refused => "never",
    }
}
