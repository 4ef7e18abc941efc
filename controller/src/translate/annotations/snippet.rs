//! Snippets: nginx's configuration, read into typed actions and never executed (annotations §1.6, §3.23).
//!
//! By default their risk level alone refuses the Ingress. Where it is raised but snippets are not allowed, they are dropped
//! and the rest is served. Where both switches are on, what is not understood refuses the Ingress.

use std::sync::Arc;

use super::{
    Annotations,
    check::ANY,
    definition::{
        Bad::Fallback,
        Definition,
        Risk::Critical,
        Scope::{Global, Host},
    },
    group::Group::Snippet,
    refusal::Refusal,
    values::Values,
};
use crate::translate::snippet::{Block, Context, Snippets, check_variables, compile};

pub const ANNOTATIONS: &[Definition] = &[
    raw(LOCATION).documented(Snippet, "none", "Directives for the locations."),
    raw(SERVER).scope(Host).documented(
        Snippet,
        "none",
        "Directives for the hosts; the oldest counts.",
    ),
];

/// Those whose directives are about what is not there.
pub const REFUSED: &[Definition] = &[
    raw("auth-snippet").documented(Snippet, "none", "Configuration of the question to `auth-url`."),
    raw("modsecurity-snippet").documented(Snippet, "none", "Rules of the firewall."),
    raw("stream-snippet").scope(Global).documented(
        Snippet,
        "none",
        "Configuration of everything that is not HTTP.",
    ),
];

const LOCATION: &str = "configuration-snippet";
const SERVER: &str = "server-snippet";

/// Why each of [`REFUSED`] is.
const REASONS: [(&str, &str); 3] = [
    ("auth-snippet", "use auth-proxy-set-headers and the other annotations auth-* instead"),
    ("modsecurity-snippet", "there is no firewall to give rules to"),
    (
        "stream-snippet",
        "use the ConfigMaps of --tcp-services-configmap and --udp-services-configmap",
    ),
];

const fn raw(name: &'static str) -> Definition {
    Definition::new(name, ANY, Fallback, Critical)
}

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    if is_dropped(values, ANNOTATIONS) {
        return;
    }
    let mut blocks = Vec::new();
    for (name, context) in [(SERVER, Context::Server), (LOCATION, Context::Location)] {
        let Some(text) = values.raw(name) else { continue };
        match compile(text, context, values.subject.options.pattern_check) {
            Ok(block) => blocks.push((name, block)),
            Err(problem) => {
                let problem = problem.to_string();
                values.refusal.get_or_insert(Refusal::Snippet { name, problem });
                return;
            }
        }
    }
    if blocks.is_empty() {
        return;
    }
    let mut known = values.defaults.snippets.sets.clone();
    known.extend(blocks.iter().flat_map(|(_, block)| block.sets.iter().cloned()));
    for (name, block) in &blocks {
        if let Err(problem) = check_variables(block, &known) {
            let problem = problem.to_string();
            values.refusal.get_or_insert(Refusal::Snippet { name, problem });
        }
        for note in &block.notes {
            values.warn("NoEffect", format!("annotation {name}: {note}"));
        }
    }
    let mut take = |wanted: &str| {
        let at = blocks.iter().position(|(name, _)| *name == wanted)?;
        let (_, block): (_, Block) = blocks.swap_remove(at);
        Some(Arc::new(block))
    };
    annotations.snippets =
        Some(Arc::new(Snippets { server: take(SERVER), location: take(LOCATION) }));
}

pub fn refuse(values: &mut Values<'_>, _: &mut Annotations) {
    if is_dropped(values, REFUSED) {
        return;
    }
    for (name, why) in REASONS {
        if values.raw(name).is_some() {
            let problem = format!("cannot be honoured: {why}");
            values.refusal.get_or_insert(Refusal::Snippet { name, problem });
        }
    }
}

/// Whether snippets are switched off; says which are left out then.
fn is_dropped(values: &mut Values<'_>, definitions: &[Definition]) -> bool {
    if values.defaults.restrictions.allow_snippets {
        return false;
    }
    let names = definitions.iter().map(|definition| definition.name);
    let names: Vec<_> = names.filter(|name| values.raw(name).is_some()).collect();
    if !names.is_empty() {
        let names = names.join(", ");
        values.warn(
            "SnippetDropped",
            format!("{names}: snippets have no effect, because allow-snippet-annotations is off; set that to \"true\" in the ConfigMap, or remove them"),
        );
    }
    true
}
