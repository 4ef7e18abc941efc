//! Snippets: raw configuration of another program, which is not executed here (annotations §1.6, §3.23).
//!
//! By default their risk level alone refuses the Ingress. Where it is raised but snippets are not allowed, the reference
//! drops them and serves the rest; where both switches are on it would execute them, and as this program cannot, the
//! Ingress's locations are denied rather than served without what may protect them.

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
    values::Values,
};

pub const ANNOTATIONS: &[Definition] = &[
    raw("auth-snippet").documented(Snippet, "none", "Configuration of the question to `auth-url`."),
    raw("configuration-snippet").documented(Snippet, "none", "Configuration of the locations."),
    raw("modsecurity-snippet").documented(Snippet, "none", "Rules of the firewall."),
    raw("server-snippet").scope(Host).documented(Snippet, "none", "Configuration of the hosts."),
    raw("stream-snippet").scope(Global).documented(
        Snippet,
        "none",
        "Configuration of everything that is not HTTP.",
    ),
];

const fn raw(name: &'static str) -> Definition {
    Definition::new(name, ANY, Fallback, Critical)
}

/// This may protect every location of the hosts of its Ingress.
const HOST_WIDE: &str = "server-snippet";

pub fn read(values: &mut Values<'_>, annotations: &mut Annotations) {
    let names: Vec<_> = ANNOTATIONS
        .iter()
        .map(|definition| definition.name)
        .filter(|name| values.raw(name).is_some())
        .collect();
    if names.is_empty() {
        return;
    }
    let names = names.join(", ");
    if values.defaults.restrictions.allow_snippets {
        if values.raw(HOST_WIDE).is_some() {
            annotations.denies_hosts.get_or_insert(HOST_WIDE);
        }
        annotations
            .denied
            .get_or_insert_with(|| format!("{names} cannot be executed; use annotations instead"));
    } else {
        values.warn(
            "SnippetDropped",
            format!("{names} has no effect, because allow-snippet-annotations is off"),
        );
    }
}
